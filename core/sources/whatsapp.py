"""WhatsApp Business Platform webhooks: messages, statuses, echoes, number and user-id changes, preferences, account news.

Here belongs the vendor's envelope and what its items mean; the shapes of single items lie in `core.sources._whatsapp_items`. Facts: the
vendor's Cloud API webhook reference. Not here: tenants, keys, storage.
"""

import hashlib
from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Raw, Struct, field

from core.events import AccountEvent, Event, Reject
from core.sources._common import Int, decode_json, epoch, hmac_hex_matches, shown
from core.sources._whatsapp_items import ITEM_LISTS, Profile, Scope

ACCOUNT_FIELDS = frozenset(
    {
        "account_update", "account_review_update", "account_alerts", "phone_number_quality_update", "phone_number_name_update",
        "message_template_status_update", "message_template_quality_update", "message_template_components_update",
        "template_category_update", "business_username_update", "business_capability_update",
    }
)  # fmt: skip


class _Metadata(Struct):
    phone_number_id: str | None = None
    display_phone_number: str | None = None


class _Head(Struct):
    metadata: _Metadata | None = None


class _Value(Struct):
    metadata: _Metadata
    contacts: list[Raw] | None = None
    messages: list[Raw] | None = None
    statuses: list[Raw] | None = None
    message_echoes: list[Raw] | None = None
    user_preferences: list[Raw] | None = None
    user_id_update: list[Raw] | None = None


class _Ban(Struct):
    waba_ban_state: str | None = None


class _Restriction(Struct):
    expiration: str | Int | None = None


class _Alert(Struct):
    alert_type: str | None = None


class _AccountValue(Struct):
    event: str | None = None
    decision: str | None = None
    new_category: str | None = None
    status: str | None = None
    current_limit: str | None = None
    display_phone_number: str | None = None
    phone_number: str | None = None
    message_template_id: str | int | None = None
    entity_id: str | int | None = None
    ban_info: _Ban | None = None
    restriction_info: list[_Restriction] | None = None
    alert_info: _Alert | None = None
    alert_type: str | None = None


class _Change(Struct):
    value: Raw
    field: str


class _Entry(Struct):
    id: str
    changes: list[_Change]
    time: Int | None = None


class _Body(Struct):
    entry: list[_Entry]


class _PeekChange(Struct):
    value: _Head | None = None


class _PeekEntry(Struct):
    id: str | None = None
    changes: list[_PeekChange] = field(default_factory=list)


class _Peek(Struct):
    entry: list[_PeekEntry] = field(default_factory=list)


_PEEK = msgspec.json.Decoder(_Peek)
_BODY = msgspec.json.Decoder(_Body)
_HEAD = msgspec.json.Decoder(_Head)
_VALUE = msgspec.json.Decoder(_Value)
_PROFILE = msgspec.json.Decoder(Profile)
_ACCOUNT_VALUE = msgspec.json.Decoder(_AccountValue)


def accounts(raw: bytes) -> list[str]:
    """Phone-number ids and WABA ids, the number before the WABA that it is of."""
    found: dict[str, None] = {}
    for entry in _PEEK.decode(raw).entry:
        for change in entry.changes:
            number = change.value and change.value.metadata and change.value.metadata.phone_number_id
            if number:
                found[number] = None
        if entry.id:
            found[entry.id] = None
    return list(found)


def verify(headers: Mapping[str, str], raw: bytes, secret: bytes) -> bool:
    """`X-Hub-Signature-256: sha256=<hex>` over the bytes as sent, under the app's secret."""
    scheme, _, signature = headers.get("x-hub-signature-256", "").partition("=")
    return scheme == "sha256" and hmac_hex_matches(secret, raw, signature)


def decode(raw: bytes, headers: Mapping[str, str]) -> Iterator[Event | Reject]:
    """Every item of every change of every entry, in the order of the body."""
    body = decode_json(_BODY, raw)
    if isinstance(body, Reject):
        yield body
        return
    if not any(entry.changes for entry in body.entry):
        yield Reject("bad_shape", "$.entry", "the body holds no change")
        return
    for e, entry in enumerate(body.entry):
        for c, change in enumerate(entry.changes):
            place = f"$.entry[{e}].changes[{c}]"
            if change.field in ACCOUNT_FIELDS:
                yield _account_event(entry, change, place)
            else:
                yield from _items(entry, change, place)


def _items(entry: _Entry, change: _Change, place: str) -> Iterator[Event | Reject]:
    value = decode_json(_VALUE, change.value)
    if isinstance(value, Reject):
        known = change.field in ITEM_LISTS
        yield Reject(
            "bad_shape" if known else "unknown_event_type",
            f"{place}.value{value.where[1:]}" if known else f"{place}.field",
            value.detail if known else f"no such WhatsApp webhook field: {shown(change.field)}",
            _account(entry, change),
        )
        return
    account_id = value.metadata.phone_number_id or entry.id
    contacts: list[Profile] = []
    count = 0
    for i, contact in enumerate(value.contacts or ()):
        profile = decode_json(_PROFILE, contact, account_id)
        if isinstance(profile, Reject):
            count += 1
            yield Reject(profile.reason, f"{place}.value.contacts[{i}]{profile.where[1:]}", profile.detail, account_id)
        else:
            contacts.append(profile)
    own_number = "".join(each for each in value.metadata.display_phone_number or "" if each.isdigit())
    scope = Scope(account_id, contacts, own_number)
    for name, decode_item in ITEM_LISTS.get(change.field, {}).items():
        for i, item in enumerate(getattr(value, name) or ()):
            count += 1
            yield from decode_item(scope, item, f"{place}.value.{name}[{i}]")
    if count == 0:
        detail = f"WhatsApp webhook field {shown(change.field)} without a known item"
        yield Reject("unknown_event_type", f"{place}.field", detail, scope.account_id)


def _account(entry: _Entry, change: _Change) -> str:
    """The account of a change whose value is not of the known shape."""
    head = decode_json(_HEAD, change.value)
    number = None if isinstance(head, Reject) or head.metadata is None else head.metadata.phone_number_id
    return number or entry.id


def _account_event(entry: _Entry, change: _Change, place: str) -> Event | Reject:
    value = decode_json(_ACCOUNT_VALUE, change.value, entry.id)
    if isinstance(value, Reject):
        return Reject(value.reason, f"{place}.value{value.where[1:]}", value.detail, entry.id)
    occurred_at = epoch(entry.time)
    if occurred_at is None:
        return Reject("bad_time", f"{place.rsplit('.', 1)[0]}.time", "the entry has no time in seconds since 1970", entry.id)
    digest = hashlib.sha256(change.value).hexdigest()[:32]
    ban = value.ban_info and value.ban_info.waba_ban_state
    alert = (value.alert_info and value.alert_info.alert_type) or value.alert_type
    subject = value.phone_number or value.display_phone_number or value.message_template_id or value.entity_id
    expirations = [moment for each in value.restriction_info or () if (moment := epoch(each.expiration))]
    return AccountEvent(
        source="whatsapp",
        account_id=entry.id,
        event_id=f"whatsapp:{entry.id}:{entry.time}:{change.field}:{digest}",
        occurred_at=occurred_at,
        kind=change.field,
        subject=str(subject) if subject is not None else None,
        state=str(ban or value.event or value.decision or value.new_category or value.status or alert or "unknown"),
        expires_at=max(expirations, default=None),
    )
