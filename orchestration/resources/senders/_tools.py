"""What every sender is made from: the client, the addresses, and the look-ups at the moment of sending.

Here belong those, as shapes. Not here: any request.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import httpx

from core.actions import Delivery, Way
from core.events import Point
from core.tenancy_sending import TEXTS


class Place(NamedTuple):
    """A destination of a tenant's: a web address or `mailto:`, and the secret that signs what goes there, if any."""

    destination_id: str
    url: str
    secret: bytes


class Words(NamedTuple):
    """What a message says; `subject` where there is a line for it."""

    text: str
    subject: str | None = None


class Lookup(Protocol):
    """What a sender must look up at the moment of sending; nothing of it is stored."""

    def now(self) -> datetime:
        """The moment."""
        ...

    def contact(self, tenant_id: str, point_id: str) -> Point | None:
        """The person behind a surrogate; None if erased."""
        ...

    def access_token(self, tenant_id: str, source: str, account_id: str | None) -> str | None:
        """The token for an account of ours, or for the tenant's only one of a source."""
        ...

    def destinations(self, tenant_id: str, kind: str) -> list[Place]:
        """The tenant's destinations of a kind, by id."""
        ...

    def section(self, tenant_id: str, section: str, key: str = "") -> Mapping[str, Any]:
        """A row of the tenants file that is valid now, as it was written; empty where there is none."""
        ...


@dataclass(frozen=True)
class SenderTools:
    """What every sender is made from. Addresses are settings; `smtp_url` is empty where no mail can be sent."""

    client: httpx.Client
    lookup: Lookup
    whatsapp_url: str
    messenger_url: str = ""
    instagram_url: str = ""
    gmail_url: str = ""
    google_token_url: str = ""
    razorpay_url: str = ""
    calendly_url: str = ""
    smtp_url: str = field(default="", repr=False)  # it may hold a password
    mail_from: str = ""

    def words(self, tenant_id: str, name: str, otherwise: str = "") -> Words | None:
        """The tenant's text of that name, or ours of the other."""
        told = self.lookup.section(tenant_id, "texts", name)
        if told:
            return Words(told["text"], told.get("subject"))
        return Words(TEXTS[otherwise]) if otherwise in TEXTS else None


class OneWay:
    """A sender to persons: there is one of them, and nothing to choose."""

    def ways(self, delivery: Delivery) -> list[Way]:
        """None to choose from."""
        return []
