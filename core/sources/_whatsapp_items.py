"""Single items of WhatsApp webhooks: one function an item list, from its JSON to canonical events.

Here belongs what one message, status, call, echo, group change, preference or user-id update says. Not here: the envelope around them
(`whatsapp`), the shape of a message (`_whatsapp_messages`).
"""

import re
from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from core.events import ContactEvent, Event, Message, MessageStatus, Point, Reject
from core.sources._common import Int, code, decode_json, identifier, within
from core.sources._whatsapp_calls import call, status_of_call
from core.sources._whatsapp_groups import group
from core.sources._whatsapp_history import history, state_sync
from core.sources._whatsapp_messages import MESSAGE, Item, System, not_modelled
from core.sources._whatsapp_scope import Profile, Scope, Told, Unknown, common, linked, nobody, phone, point, told_at


class _Origin(Struct):
    code: Int | None = None


class _Pricing(Struct, gc=False):
    type: str | None = None
    category: str | None = None


class Status(Struct, gc=False):
    """One delivery status."""

    id: str
    status: str
    timestamp: str | Int
    type: str | None = None
    recipient_id: str | None = None
    recipient_user_id: str | None = None
    recipient_type: str | None = None
    recipient_participant_id: str | None = None
    recipient_participant_user_id: str | None = None
    pricing: _Pricing | None = None
    errors: list[_Origin] | None = None
    biz_opaque_callback_data: str | None = None

    def person(self) -> Point | None:
        """Whom the status is of; in a group the recipient is the group and the person a participant."""
        if self.recipient_type == "group":
            return point(self.recipient_participant_id, self.recipient_participant_user_id)
        return point(self.recipient_id, self.recipient_user_id)

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


_STATUS = msgspec.json.Decoder(Status)
_PREFERENCE = msgspec.json.Decoder(_Preference)
_USER_ID_UPDATE = msgspec.json.Decoder(_UserIdUpdate)


def message(scope: Scope, raw: Raw, place: str) -> Told:
    """One inbound message, or what the system says of its sender."""
    item = decode_json(MESSAGE, raw, scope.account_id)
    if isinstance(item, Reject):
        yield within(item, place)
        return
    if item.type == "system":
        wa_id, user_id, _ = _sender(scope, item)
        yield _system(scope, item, place, point(wa_id, user_id))
        return
    yield from _with_what_is_new(scope, item, raw, told_by_message(scope, item, place))


def _with_what_is_new(scope: Scope, item: Item, raw: Raw, told: list[Event | Reject]) -> Told:
    """Of a type that nobody models: the message, for it opens the window and counts, and the item itself, for what it says."""
    yield from told
    kind = not_modelled(item, raw)
    if kind is not None and isinstance(told[0], Message):
        yield Unknown(f"{scope.field}.{kind}", told[0].contact, told[0].occurred_at)


def told_by_message(scope: Scope, item: Item, place: str) -> list[Event | Reject]:
    """What one inbound message says that is not of the system."""
    wa_id, user_id, profile = _sender(scope, item)
    return _message(scope, item, place, wa_id, user_id, profile, is_echo=False)


def _sender(scope: Scope, item: Item) -> tuple[str | None, str | None, Profile | None]:
    """Phone, user id and profile of whoever wrote it, as far as they are told."""
    profile = scope.profile(item.sender, item.from_user_id)
    wa_id = item.sender or (profile.wa_id if profile else None)
    return wa_id, item.from_user_id or (profile.user_id if profile else None), profile


def echo(scope: Scope, raw: Raw, place: str) -> Told:
    """One message that a person of ours sent from the phone app."""
    item = decode_json(MESSAGE, raw, scope.account_id)
    if isinstance(item, Reject):
        yield within(item, place)
        return
    # A message that the contact took back is repeated with the contact in `from` and our number in `to`.
    is_ours = bool(item.to) and item.to == scope.own_number
    wa_id, user_id = (item.sender, item.from_user_id) if is_ours else (item.to, item.to_user_id)
    profile = scope.profile(wa_id, user_id)
    wa_id, user_id = wa_id or (profile.wa_id if profile else None), user_id or (profile.user_id if profile else None)
    told = _message(scope, item, place, wa_id, user_id, profile, is_echo=not is_ours)
    yield from _with_what_is_new(scope, item, raw, told)


def _message(
    scope: Scope, item: Item, place: str, wa_id: str | None, user_id: str | None, profile: Profile | None, *, is_echo: bool
) -> list[Event | Reject]:
    occurred_at, contact = told_at(scope, item.timestamp, place), point(wa_id, user_id)
    if isinstance(occurred_at, Reject):
        return [occurred_at]
    if contact is None:
        return [nobody(scope, place)]
    about, message_id = item.about(), f"whatsapp:{item.id}"
    told: list[Event | Reject] = [
        Message(
            source="whatsapp",
            account_id=scope.account_id,
            event_id=message_id,
            occurred_at=occurred_at,
            message_id=message_id,
            channel="whatsapp",
            channel_account_id=scope.account_id,
            contact=contact,
            direction="outbound" if is_echo else "inbound",
            author_type="human" if is_echo else "lead",
            message_type=item.kind(),
            text=item.words(),
            reply_to_message_id=f"whatsapp:{about}" if about else None,
            referral_id=identifier(item.referral.source_id) if item.referral else None,
        )
    ]
    if wa_id and user_id:
        told += linked(scope, f"{item.id}:linked", occurred_at, wa_id, user_id)
    if profile and profile.profile and profile.profile.name:
        told.append(
            ContactEvent(
                source="whatsapp",
                account_id=scope.account_id,
                event_id=f"{message_id}:named",
                occurred_at=occurred_at,
                kind="profile_named",
                contact=contact,
                name=profile.profile.name,
            )
        )
    return told


def _system(scope: Scope, item: Item, place: str, contact: Point | None) -> Event | Reject | Unknown:
    """A changed number names the old one in `from`, the new one in `system.wa_id` or, in older bodies, `new_wa_id`."""
    occurred_at, system = told_at(scope, item.timestamp, place), item.system or System()
    if isinstance(occurred_at, Reject):
        return occurred_at
    told = common(scope, item.id, occurred_at)
    new_number = system.wa_id or system.new_wa_id
    if system.type in {"user_changed_number", "customer_changed_number"} and item.sender and new_number:
        return ContactEvent(**told, kind="number_changed", contact=phone(item.sender), other=phone(new_number))
    if system.type == "user_changed_user_id" and item.from_user_id and system.user_id:
        old, new = Point("wa_user_id", item.from_user_id), Point("wa_user_id", system.user_id)
        return ContactEvent(**told, kind="user_id_changed", contact=old, other=new)
    if system.type in {"customer_identity_changed", "user_identity_changed"} and contact is not None:
        return ContactEvent(**told, kind="identity_changed", contact=contact)
    return Unknown(f"messages.system.{code(system.type)}", contact, occurred_at)


def status(scope: Scope, raw: Raw, place: str) -> Told:
    """One delivery status of a message of ours."""
    item = decode_json(_STATUS, raw, scope.account_id)
    yield within(item, place) if isinstance(item, Reject) else told_by_status(scope, item, place)


def told_by_status(scope: Scope, item: Status, place: str) -> MessageStatus | Reject:
    """What one status says."""
    occurred_at = told_at(scope, item.timestamp, place)
    if isinstance(occurred_at, Reject):
        return occurred_at
    error = next((each.code for each in item.errors or () if each.code is not None), None)
    brought = item.biz_opaque_callback_data
    return MessageStatus(
        source="whatsapp",
        account_id=scope.account_id,
        event_id=f"whatsapp:{item.id}:{item.key()}",
        occurred_at=occurred_at,
        message_id=f"whatsapp:{item.id}",
        contact=item.person(),
        status=code(item.status),
        pricing_type=code(item.pricing.type) if item.pricing and item.pricing.type else None,
        pricing_category=code(item.pricing.category) if item.pricing and item.pricing.category else None,
        error_code=error,
        action_id=brought if brought and _ACTION_ID.fullmatch(brought) else None,
    )


_ACTION_ID = re.compile(r"[0-9a-f]{64}")
"""What we send along (`core.actions.key_of`); what others put there may be anything, and is not kept."""


def preference(scope: Scope, raw: Raw, place: str) -> Told:
    """One choice about marketing messages: `stop` is an opt-out, `resume` and `signup` an opt-in."""
    item = decode_json(_PREFERENCE, raw, scope.account_id)
    if isinstance(item, Reject):
        yield within(item, place)
        return
    occurred_at, contact = told_at(scope, item.timestamp, place), point(item.wa_id, item.user_id)
    kinds: dict[str, Literal["opted_out", "opted_in"]] = {"stop": "opted_out", "resume": "opted_in", "signup": "opted_in"}
    if isinstance(occurred_at, Reject):
        yield occurred_at
    elif contact is None:
        yield nobody(scope, place)
    elif item.value not in kinds:
        yield Unknown(f"user_preferences.{code(item.value)}", contact, occurred_at)
    else:
        own = f"preference:{contact.value}:{item.timestamp}:{item.category}:{item.value}"
        yield ContactEvent(**common(scope, own, occurred_at), kind=kinds[item.value], contact=contact)


def user_id_update(scope: Scope, raw: Raw, place: str) -> Told:
    """One business-scoped user id that took the place of another."""
    item = decode_json(_USER_ID_UPDATE, raw, scope.account_id)
    if isinstance(item, Reject):
        yield within(item, place)
        return
    occurred_at = told_at(scope, item.timestamp, place)
    if isinstance(occurred_at, Reject):
        yield occurred_at
        return
    own = f"user_id:{item.user_id.previous}:{item.user_id.current}:{item.timestamp}"
    old, new = Point("wa_user_id", item.user_id.previous), Point("wa_user_id", item.user_id.current)
    yield ContactEvent(**common(scope, own, occurred_at), kind="user_id_changed", contact=old, other=new)


ITEM_LISTS: dict[str, dict[str, Callable[[Scope, Raw, str], Told]]] = {
    "messages": {"messages": message, "statuses": status},
    "calls": {"calls": call, "statuses": status_of_call},
    "smb_message_echoes": {"message_echoes": echo},
    "message_echoes": {"message_echoes": echo},
    "history": {"history": history},
    "smb_app_state_sync": {"state_sync": state_sync},
    "user_preferences": {"user_preferences": preference},
    "user_id_update": {"user_id_update": user_id_update},
    **{
        f"group_{each}": {"groups": group}
        for each in ("lifecycle_update", "participants_update", "settings_update", "status_update")
    },
}  # fmt: skip
"""By webhook field: which lists its value holds, and what decodes an element."""
