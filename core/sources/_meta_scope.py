"""What surrounds an item of Meta's messaging webhooks: which channel, whose account, who the two parties are, when.

Here belongs telling the contact from our own account. Not here: what an item says.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from msgspec import Struct

from core.events import Event, Point, PointKind, Reject
from core.sources._common import Id, moment

Told = Iterator[Event | Reject | str]
"""What an item tells; a word stands for an event that nobody models, of that kind."""


class Channel(NamedTuple):
    """One of the two products: the source's name, the kind of its contact points, and what Meta calls the object."""

    source: str
    point: PointKind
    object: str


class Scope(NamedTuple):
    """The entry around an item. `told_time` is the entry's time as Meta wrote it."""

    channel: Channel
    account_id: str
    time: datetime | None
    told_time: Id | None

    def person(self, value: Id | None) -> Point | None:
        """A contact of this channel, unless it is our own account."""
        return Point(self.channel.point, str(value)) if value not in (None, "") and str(value) != self.account_id else None


class _Party(Struct):
    id: Id | None = None
    user_ref: Id | None = None


class Head(Struct):
    """Who and when."""

    sender: _Party | None = None
    recipient: _Party | None = None
    timestamp: Id | None = None

    def occurred_at(self, scope: Scope) -> datetime | None:
        """The item's own time; only an item without one takes that of its entry, which may be much later."""
        return moment(self.timestamp) if self.timestamp is not None else scope.time

    def is_outbound(self, scope: Scope) -> bool:
        """Whether our own account is the sender."""
        return self.sender is not None and str(self.sender.id) == scope.account_id

    def contact(self, scope: Scope, *, is_echo: bool = False) -> Point | None:
        """The party that is not our account; where neither is, the sender, or of an echo the recipient.

        Meta's reference has the account as an echo's sender; recorded echoes name it as the recipient too.
        """
        sender = scope.person(self.sender.id) if self.sender else None
        recipient = scope.person(self.recipient.id) if self.recipient else None
        return (recipient or sender) if is_echo else (sender or recipient)

    def is_guest(self) -> bool:
        """Whether a party is a visitor without an account of Meta's, known by a reference that no other event carries."""
        return any(each is not None and each.user_ref is not None for each in (self.sender, self.recipient))


class About(NamedTuple):
    """An item whose time and contact are known. `stamp` and `digest` tell it from others that have no id of their own."""

    scope: Scope
    at: datetime
    contact: Point | None
    is_outbound: bool
    stamp: str
    digest: str

    def who(self) -> str:
        """The contact as event ids have it."""
        return self.contact.value if self.contact else ""

    def unnamed(self, kind: str) -> str:
        """An id for what Meta gives none: who, when, and a hash of what."""
        return f"{kind}:{self.who()}:{self.stamp}:{self.digest}"

    def common(self, own: str) -> dict[str, Any]:
        """What all events carry."""
        source = self.scope.channel.source
        return {"source": source, "account_id": self.scope.account_id, "event_id": f"{source}:{own}", "occurred_at": self.at}

    def sent(self, own: str) -> dict[str, Any]:
        """What all messages carry."""
        return self.common(own) | {
            "message_id": f"{self.scope.channel.source}:{own}",
            "channel": self.scope.channel.source,
            "channel_account_id": self.scope.account_id,
            "contact": self.contact,
            "direction": "outbound" if self.is_outbound else "inbound",
        }

    def message_id(self, mid: str | None) -> str | None:
        """The id of another message, as its own event has it."""
        return f"{self.scope.channel.source}:{mid}" if mid else None
