"""Single items of WhatsApp webhooks: one function an item list, from its JSON to canonical events.

Here belongs what one message, status, echo, preference or user-id update says. Not here: the envelope around them.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec
from msgspec import Raw, Struct

from core.events import ContactEvent, Event, Message, MessageStatus, Point, Reject
from core.sources._common import Int, decode_json, epoch, shown


class _Name(Struct):
    name: str | None = None


class Profile(Struct):
    """One element of `contacts`: who the items of this change speak of."""

    wa_id: str | None = None
    user_id: str | None = None
    profile: _Name | None = None


class Scope(NamedTuple):
    """What surrounds an item: our account there, the contacts that the change names, and our number in digits."""

    account_id: str
    contacts: list[Profile]
    own_number: str = ""

    def profile(self, wa_id: str | None, user_id: str | None) -> Profile | None:
        """The contact with either id; an item that names nobody speaks of the only contact there is."""
        if not wa_id and not user_id:
            return self.contacts[0] if len(self.contacts) == 1 else None
        for each in self.contacts:
            if (wa_id and each.wa_id == wa_id) or (user_id and each.user_id == user_id):
                return each
        return None


class _Text(Struct):
    body: str | None = None


class _Caption(Struct):
    caption: str | None = None


class _Button(Struct):
    text: str | None = None


class _Reply(Struct):
    title: str | None = None
    body: str | None = None


class _Interactive(Struct):
    button_reply: _Reply | None = None
    list_reply: _Reply | None = None
    nfm_reply: _Reply | None = None


class _Reaction(Struct):
    message_id: str | None = None
    emoji: str | None = None


class _Revoke(Struct):
    original_message_id: str | None = None


class _System(Struct):
    type: str | None = None
    wa_id: str | None = None
    new_wa_id: str | None = None
    user_id: str | None = None


class _Order(Struct):
    text: str | None = None


class _Context(Struct):
    id: str | None = None


class _Referral(Struct):
    source_id: str | None = None


class _Location(Struct):
    name: str | None = None


class _Message(Struct, rename={"sender": "from"}):
    id: str
    timestamp: str | Int
    sender: str | None = None
    from_user_id: str | None = None
    to: str | None = None
    to_user_id: str | None = None
    type: str | None = None
    text: _Text | None = None
    button: _Button | None = None
    interactive: _Interactive | None = None
    image: _Caption | None = None
    video: _Caption | None = None
    document: _Caption | None = None
    reaction: _Reaction | None = None
    revoke: _Revoke | None = None
    system: _System | None = None
    context: _Context | None = None
    referral: _Referral | None = None
    location: _Location | None = None
    order: _Order | None = None

    def kind(self) -> str:
        """The stated type; a body without one is told by what it holds."""
        held = ("text", "button", "interactive", "image", "video", "document", "reaction", "location", "order")
        return self.type or next((name for name in held if getattr(self, name) is not None), "unknown")

    def words(self) -> str | None:
        """The text that a person would read, whatever the type."""
        reply = self.interactive and (self.interactive.button_reply or self.interactive.list_reply or self.interactive.nfm_reply)
        media = self.image or self.video or self.document
        return (
            (self.text and self.text.body)
            or (self.button and self.button.text)
            or (reply and (reply.title or reply.body))
            or (media and media.caption)
            or (self.reaction and self.reaction.emoji)
            or (self.order and self.order.text)
            or None
        )

    def about(self) -> str | None:
        """The id of the message that this one answers, reacts to or takes back."""
        return (
            (self.context and self.context.id)
            or (self.reaction and self.reaction.message_id)
            or (self.revoke and self.revoke.original_message_id)
            or None
        )


class _Origin(Struct):
    code: Int | None = None


class _Pricing(Struct):
    type: str | None = None
    category: str | None = None


class _Status(Struct):
    id: str
    status: str
    timestamp: str | Int
    recipient_id: str | None = None
    recipient_user_id: str | None = None
    recipient_type: str | None = None
    recipient_participant_id: str | None = None
    recipient_participant_user_id: str | None = None
    pricing: _Pricing | None = None
    errors: list[_Origin] | None = None

    def person(self) -> Point | None:
        """Whom the status is of; in a group the recipient is the group and the person a participant."""
        if self.recipient_type == "group":
            return _point(self.recipient_participant_id, self.recipient_participant_user_id)
        return _point(self.recipient_id, self.recipient_user_id)

    def key(self) -> str:
        """What tells this status from others of the message."""
        recipient = self.recipient_id or self.recipient_user_id or ""
        participant = self.recipient_participant_id or self.recipient_participant_user_id
        return f"{self.status}:{recipient}:{participant}" if participant else f"{self.status}:{recipient}"


class _Preference(Struct):
    value: str
    timestamp: str | Int
    wa_id: str | None = None
    user_id: str | None = None
    category: str = ""


class _Change(Struct):
    previous: str
    current: str


class _UserIdUpdate(Struct):
    user_id: _Change
    timestamp: str | Int
    wa_id: str | None = None


_MESSAGE = msgspec.json.Decoder(_Message)
_STATUS = msgspec.json.Decoder(_Status)
_PREFERENCE = msgspec.json.Decoder(_Preference)
_USER_ID_UPDATE = msgspec.json.Decoder(_UserIdUpdate)


def _point(wa_id: str | None, user_id: str | None) -> Point | None:
    """The phone where there is one (always international, written without its plus), else the business-scoped user id."""
    if wa_id:
        return _phone(wa_id)
    return Point("wa_user_id", user_id) if user_id else None


def _phone(wa_id: str) -> Point:
    return Point("phone", f"+{wa_id}" if wa_id.isdigit() else wa_id)


def _moment(scope: Scope, value: str | int, place: str) -> datetime | Reject:
    return epoch(value) or Reject("bad_time", f"{place}.timestamp", "not a number of seconds since 1970", scope.account_id)


def _nobody(scope: Scope, place: str) -> Reject:
    return Reject("bad_contact", place, "neither a phone nor a user id says who this is", scope.account_id)


def message(scope: Scope, raw: Raw, place: str) -> Iterator[Event | Reject]:
    """One inbound message, or what the system says of its sender."""
    item = decode_json(_MESSAGE, raw, scope.account_id)
    if isinstance(item, Reject):
        yield _within(item, place)
        return
    profile = scope.profile(item.sender, item.from_user_id)
    wa_id = item.sender or (profile.wa_id if profile else None)
    user_id = item.from_user_id or (profile.user_id if profile else None)
    if item.type == "system":
        yield _system(scope, item, place)
        return
    yield from _message(scope, item, place, wa_id, user_id, profile, is_echo=False)


def echo(scope: Scope, raw: Raw, place: str) -> Iterator[Event | Reject]:
    """One message that a person of ours sent from the phone app."""
    item = decode_json(_MESSAGE, raw, scope.account_id)
    if isinstance(item, Reject):
        yield _within(item, place)
        return
    # A message that the contact took back is repeated with the contact in `from` and our number in `to`.
    is_ours = bool(item.to) and item.to == scope.own_number
    wa_id, user_id = (item.sender, item.from_user_id) if is_ours else (item.to, item.to_user_id)
    profile = scope.profile(wa_id, user_id)
    wa_id, user_id = wa_id or (profile.wa_id if profile else None), user_id or (profile.user_id if profile else None)
    yield from _message(scope, item, place, wa_id, user_id, profile, is_echo=not is_ours)


def _message(
    scope: Scope, item: _Message, place: str, wa_id: str | None, user_id: str | None, profile: Profile | None, *, is_echo: bool
) -> Iterator[Event | Reject]:
    occurred_at, contact = _moment(scope, item.timestamp, place), _point(wa_id, user_id)
    if isinstance(occurred_at, Reject):
        yield occurred_at
        return
    if contact is None:
        yield _nobody(scope, place)
        return
    about = item.about()
    yield Message(
        source="whatsapp",
        account_id=scope.account_id,
        event_id=f"whatsapp:{item.id}",
        occurred_at=occurred_at,
        message_id=f"whatsapp:{item.id}",
        channel="whatsapp",
        channel_account_id=scope.account_id,
        contact=contact,
        direction="outbound" if is_echo else "inbound",
        author_type="human" if is_echo else "lead",
        message_type=item.kind(),
        text=item.words(),
        reply_to_message_id=f"whatsapp:{about}" if about else None,
        referral_id=item.referral.source_id if item.referral else None,
    )
    name = profile.profile.name if profile and profile.profile else None
    if wa_id and user_id:
        yield ContactEvent(
            source="whatsapp",
            account_id=scope.account_id,
            event_id=f"whatsapp:{item.id}:linked",
            occurred_at=occurred_at,
            kind="linked",
            contact=contact,
            other=Point("wa_user_id", user_id),
        )
    if name:
        yield ContactEvent(
            source="whatsapp",
            account_id=scope.account_id,
            event_id=f"whatsapp:{item.id}:named",
            occurred_at=occurred_at,
            kind="profile_named",
            contact=contact,
            name=name,
        )


def _system(scope: Scope, item: _Message, place: str) -> Event | Reject:
    """A changed number names the old one in `from`, the new one in `system.wa_id` or, in older bodies, `new_wa_id`."""
    occurred_at, system = _moment(scope, item.timestamp, place), item.system or _System()
    if isinstance(occurred_at, Reject):
        return occurred_at
    new_number = system.wa_id or system.new_wa_id
    if system.type in {"user_changed_number", "customer_changed_number"} and item.sender and new_number:
        kind: Literal["number_changed", "user_id_changed"] = "number_changed"
        old, new = _phone(item.sender), _phone(new_number)
    elif system.type == "user_changed_user_id" and item.from_user_id and system.user_id:
        kind = "user_id_changed"
        old, new = Point("wa_user_id", item.from_user_id), Point("wa_user_id", system.user_id)
    else:
        return Reject("unknown_event_type", f"{place}.system.type", f"no such system message: {shown(system.type)}", scope.account_id)
    return ContactEvent(
        source="whatsapp",
        account_id=scope.account_id,
        event_id=f"whatsapp:{item.id}",
        occurred_at=occurred_at,
        kind=kind,
        contact=old,
        other=new,
    )


def status(scope: Scope, raw: Raw, place: str) -> Iterator[Event | Reject]:
    """One delivery status of a message of ours."""
    item = decode_json(_STATUS, raw, scope.account_id)
    if isinstance(item, Reject):
        yield _within(item, place)
        return
    occurred_at = _moment(scope, item.timestamp, place)
    if isinstance(occurred_at, Reject):
        yield occurred_at
        return
    error = next((each.code for each in item.errors or () if each.code is not None), None)
    yield MessageStatus(
        source="whatsapp",
        account_id=scope.account_id,
        event_id=f"whatsapp:{item.id}:{item.key()}",
        occurred_at=occurred_at,
        message_id=f"whatsapp:{item.id}",
        contact=item.person(),
        status=item.status,
        pricing_type=item.pricing.type if item.pricing else None,
        pricing_category=item.pricing.category if item.pricing else None,
        error_code=error,
    )


def preference(scope: Scope, raw: Raw, place: str) -> Iterator[Event | Reject]:
    """One choice about marketing messages: `stop` is an opt-out, `resume` and `signup` an opt-in."""
    item = decode_json(_PREFERENCE, raw, scope.account_id)
    if isinstance(item, Reject):
        yield _within(item, place)
        return
    occurred_at, contact = _moment(scope, item.timestamp, place), _point(item.wa_id, item.user_id)
    kinds: dict[str, Literal["opted_out", "opted_in"]] = {"stop": "opted_out", "resume": "opted_in", "signup": "opted_in"}
    if isinstance(occurred_at, Reject):
        yield occurred_at
    elif contact is None:
        yield _nobody(scope, place)
    elif item.value not in kinds:
        yield Reject("unknown_event_type", f"{place}.value", f"no such preference: {shown(item.value)}", scope.account_id)
    else:
        yield ContactEvent(
            source="whatsapp",
            account_id=scope.account_id,
            event_id=f"whatsapp:preference:{contact.value}:{item.timestamp}:{item.category}:{item.value}",
            occurred_at=occurred_at,
            kind=kinds[item.value],
            contact=contact,
        )


def user_id_update(scope: Scope, raw: Raw, place: str) -> Iterator[Event | Reject]:
    """One business-scoped user id that took the place of another."""
    item = decode_json(_USER_ID_UPDATE, raw, scope.account_id)
    if isinstance(item, Reject):
        yield _within(item, place)
        return
    occurred_at = _moment(scope, item.timestamp, place)
    if isinstance(occurred_at, Reject):
        yield occurred_at
        return
    yield ContactEvent(
        source="whatsapp",
        account_id=scope.account_id,
        event_id=f"whatsapp:user_id:{item.user_id.previous}:{item.user_id.current}:{item.timestamp}",
        occurred_at=occurred_at,
        kind="user_id_changed",
        contact=Point("wa_user_id", item.user_id.previous),
        other=Point("wa_user_id", item.user_id.current),
    )


def _within(reject: Reject, place: str) -> Reject:
    return Reject(reject.reason, f"{place}{reject.where[1:]}", reject.detail, reject.account_id)


ITEM_LISTS: dict[str, dict[str, Callable[[Scope, Raw, str], Iterator[Event | Reject]]]] = {
    "messages": {"messages": message, "statuses": status},
    "smb_message_echoes": {"message_echoes": echo},
    "user_preferences": {"user_preferences": preference},
    "user_id_update": {"user_id_update": user_id_update},
}
"""By webhook field: which lists its value holds, and what decodes an element."""
