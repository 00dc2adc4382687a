"""What surrounds an item of a WhatsApp webhook, and what its decoders share: contacts, times, common fields.

Not here: what an item says.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from msgspec import Raw, Struct

from core.events import ContactEvent, Event, Point, Reject
from core.sources._common import Id, epoch


class Entry(NamedTuple):
    """The entry and the field of the change; `time` as Meta wrote it, where it did."""

    id: str
    time: Id | None
    at: datetime | None
    field: str


class _Name(Struct, gc=False):
    name: str | None = None


class Profile(Struct, gc=False):
    """One element of `contacts`: who the items of this change speak of."""

    wa_id: str | None = None
    user_id: str | None = None
    profile: _Name | None = None


class Scope(Struct, frozen=True, gc=False):
    """What surrounds an item: our account there, the contacts and the field of the change, and our number in digits."""

    account_id: str
    contacts: list[Profile]
    own_number: str = ""
    field: str = ""

    def profile(self, wa_id: str | None, user_id: str | None) -> Profile | None:
        """The contact with either id; an item that names nobody speaks of the only contact there is."""
        if not wa_id and not user_id:
            return self.contacts[0] if len(self.contacts) == 1 else None
        for each in self.contacts:
            if (wa_id and each.wa_id == wa_id) or (user_id and each.user_id == user_id):
                return each
        return None


class Unknown(NamedTuple):
    """An item of a type that nobody models: what it is called, and whom and when it names, if it does.

    `alone` is what is kept of an item that speaks of several people; without it, the item as it is.
    """

    kind: str
    contact: Point | None = None
    at: datetime | None = None
    alone: Raw | None = None

    def may_be_of(self, profile: Profile) -> bool:
        """Whether a contact beside it is whom it names; others' names are not kept with it, under a key that is not theirs."""
        return self.contact is None or self.contact in {point(profile.wa_id, None), point(None, profile.user_id)}


Told = Iterator[Event | Reject | Unknown]


def point(wa_id: str | None, user_id: str | None) -> Point | None:
    """The phone where there is one (always international, written without its plus), else the business-scoped user id."""
    if wa_id:
        return phone(wa_id)
    return Point("wa_user_id", user_id) if user_id else None


def phone(wa_id: str) -> Point:
    """A number as WhatsApp writes it."""
    return Point("phone", f"+{wa_id}" if wa_id.isdigit() else wa_id)


def told_at(scope: Scope, value: str | int, place: str) -> datetime | Reject:
    """The item's time, or why it is none."""
    return epoch(value) or Reject("bad_time", f"{place}.timestamp", "not a number of seconds since 1970", scope.account_id)


def nobody(scope: Scope, place: str) -> Reject:
    """An item about nobody."""
    return Reject("bad_contact", place, "neither a phone nor a user id says who this is", scope.account_id)


def common(scope: Scope, own: str, at: datetime) -> dict[str, Any]:
    """What all events carry."""
    return {"source": "whatsapp", "account_id": scope.account_id, "event_id": f"whatsapp:{own}", "occurred_at": at}


def linked(scope: Scope, own: str, at: datetime, wa_id: str | None, user_id: str | None) -> Iterator[ContactEvent]:
    """That one item names a phone and a user id."""
    if wa_id and user_id:
        yield ContactEvent(**common(scope, own, at), kind="linked", contact=phone(wa_id), other=Point("wa_user_id", user_id))
