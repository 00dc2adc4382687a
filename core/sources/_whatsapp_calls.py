"""WhatsApp calls: that one was placed, how it went, and that it ended.

Here belongs the `calls` webhook. A call of the contact opens the window as a message does, so it is one. Not here: what was said; nobody
tells.
"""

from msgspec import Raw, Struct
from msgspec.json import Decoder

from core.events import Message, MessageStatus, Reject
from core.sources._common import Id, Int, code, decode_json, within
from core.sources._whatsapp_scope import Scope, Told, Unknown, common, linked, nobody, point, told_at


class _Call(Struct, rename={"sender": "from"}):
    id: str
    event: str
    timestamp: str | Int
    sender: Id | None = None
    to: Id | None = None
    from_user_id: str | None = None
    to_user_id: str | None = None
    direction: str | None = None
    status: str | None = None

    def is_ours(self, own_number: str) -> bool:
        """Whether we placed it; bodies without a direction tell by whose number is `from`."""
        return self.direction == "BUSINESS_INITIATED" if self.direction else str(self.sender) == own_number


class _Status(Struct):
    id: str
    status: str
    timestamp: str | Int
    recipient_id: str | None = None
    recipient_user_id: str | None = None


_CALL = Decoder(_Call)
_STATUS = Decoder(_Status)


def call(scope: Scope, raw: Raw, place: str) -> Told:
    """`connect` is a message of type `call`; `terminate` is the last status of it."""
    item = decode_json(_CALL, raw, scope.account_id)
    if isinstance(item, Reject):
        yield within(item, place)
        return
    occurred_at, is_ours = told_at(scope, item.timestamp, place), item.is_ours(scope.own_number)
    number, user_id = (item.to, item.to_user_id) if is_ours else (item.sender, item.from_user_id)
    profile = scope.profile(None if number is None else str(number), user_id)
    wa_id = str(number) if number is not None else (profile.wa_id if profile else None)
    user_id = user_id or (profile.user_id if profile else None)
    contact = point(wa_id, user_id)
    if isinstance(occurred_at, Reject):
        yield occurred_at
    elif contact is None:
        yield nobody(scope, place)
    elif item.event == "connect":
        yield Message(
            **common(scope, item.id, occurred_at),
            message_id=f"whatsapp:{item.id}",
            channel="whatsapp",
            channel_account_id=scope.account_id,
            contact=contact,
            direction="outbound" if is_ours else "inbound",
            author_type="human" if is_ours else "lead",
            message_type="call",
        )
        yield from linked(scope, f"{item.id}:linked", occurred_at, wa_id, user_id)
    elif item.event == "terminate":
        state = f"call_{code((item.status or 'ended').lower())}"
        yield MessageStatus(
            **common(scope, f"{item.id}:{state}", occurred_at), message_id=f"whatsapp:{item.id}", contact=contact, status=state
        )
    else:
        yield Unknown(f"calls.{code(item.event)}", contact, occurred_at)


def status_of_call(scope: Scope, raw: Raw, place: str) -> Told:
    """Ringing, accepted, rejected: of a call that we placed."""
    item = decode_json(_STATUS, raw, scope.account_id)
    if isinstance(item, Reject):
        yield within(item, place)
        return
    occurred_at, contact = told_at(scope, item.timestamp, place), point(item.recipient_id, item.recipient_user_id)
    if isinstance(occurred_at, Reject):
        yield occurred_at
        return
    state = f"call_{code(item.status.lower())}"
    own = f"{item.id}:{state}:{item.recipient_id or item.recipient_user_id or ''}"
    yield MessageStatus(**common(scope, own, occurred_at), message_id=f"whatsapp:{item.id}", contact=contact, status=state)
