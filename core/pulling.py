"""What vendors do not send by themselves: the port through which it is fetched, and what is known of a mailbox.

Here belong the port and its values. Not here: when to fetch (`core.plans`), fetching (`orchestration.resources.pull`).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol


class Mailbox(NamedTuple):
    """One mailbox that may be polled: when it was last tried, when something of Gmail's was last taken in (a push, maybe), its watch."""

    tenant_id: str
    connection_id: str
    account_id: str
    tried_at: datetime | None
    told_at: datetime | None
    is_watched: bool = False
    watch_ends_at: datetime | None = None


class Pulled(NamedTuple):
    """What came of reading one resource of one account.

    `state`: `done`, `busy` (somebody else reads it now) or `failed`, with the reason and what to do in `error`. `items` are what the vendor
    lists (mails, payments, invitees), `bodies` what was handed in to the inbox.
    """

    tenant_id: str
    connection_id: str
    source: str
    resource: str
    state: str
    pages: int = 0
    items: int = 0
    bodies: int = 0
    error: str = ""


class Pull(Protocol):
    """What vendors do not send by themselves. Nothing here raises for what one account's vendor does: others come next."""

    def mailboxes(self) -> Sequence[Mailbox]:
        """Every mailbox that may be polled."""
        ...

    def every(self) -> timedelta:
        """How often a mailbox is looked at."""
        ...

    def poll(self, mailbox: Mailbox) -> Pulled:
        """Hand in what is new in a mailbox."""
        ...

    def watch(self, mailbox: Mailbox) -> Pulled:
        """Let Gmail go on telling of a mailbox's changes."""
        ...

    def back_fill(self, source: str, since: datetime, until: datetime | None, tenant_id: str | None) -> Sequence[Pulled]:
        """Hand in what `razorpay` or `calendly` lists of a span; goes on where a back-fill of this span was broken off."""
        ...
