"""WhatsApp Business Platform webhooks: messages, statuses, echoes, number and user-id changes, preferences, account news.

Here belongs the vendor's envelope and what its items mean; the shapes of single items lie in `core.sources._whatsapp_items`. Facts: the
vendor's Cloud API webhook reference. Not here: tenants, keys, storage.
"""

import hashlib
from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Raw, Struct, field

from core.events import AccountEvent, Event, Reject
from core.sources._common import decode_json, epoch, hmac_hex_matches
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


class _Head(Struct):
    metadata: _Metadata | None = None


class _Value(Struct):
    metadata: _Metadata
    contacts: list[Profile] = field(default_factory=list)
    messages: list[Raw] | None = None
    statuses: list[Raw] | None = None
    message_echoes: list[Raw] | None = None
    user_preferences: list[Raw] | None = None
    user_id_update: list[Raw] | None = None


class _AccountValue(Struct):
    event: str | None = None
    decision: str | None = None
    new_category: str | None = None
    status: str | None = None
    current_limit: str | None = None
    display_phone_number: str | None = None
    phone_number: str | None = None
    message_template_id: str | int | None = None
    ban_info: dict[str, str | int | None] | None = None


class _Change(Struct):
    value: Raw
    field: str


class _Entry(Struct):
    id: str
    changes: list[_Change]
    time: int | None = None


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
_VALUE = msgspec.json.Decoder(_Value)
_ACCOUNT_VALUE = msgspec.json.Decoder(_AccountValue)


def accounts(raw: bytes) -> list[str]:
    """Phone-number ids, and the WABA id of entries that name none."""
    found: dict[str, None] = {}
    for entry in _PEEK.decode(raw).entry:
        for change in entry.changes:
            number = change.value and change.value.metadata and change.value.metadata.phone_number_id
            account = number or entry.id
            if account:
                found[account] = None
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
            value.detail if known else f"no such WhatsApp webhook field: {change.field!r}",
            entry.id,
        )
        return
    scope = Scope(value.metadata.phone_number_id or entry.id, value.contacts)
    count = 0
    for name, decode_item in ITEM_LISTS.get(change.field, {}).items():
        for i, item in enumerate(getattr(value, name) or ()):
            count += 1
            yield from decode_item(scope, item, f"{place}.value.{name}[{i}]")
    if count == 0:
        yield Reject(
            "unknown_event_type", f"{place}.field", f"WhatsApp webhook field {change.field!r} without a known item", scope.account_id
        )


def _account_event(entry: _Entry, change: _Change, place: str) -> Event | Reject:
    value = decode_json(_ACCOUNT_VALUE, change.value, entry.id)
    if isinstance(value, Reject):
        return Reject(value.reason, f"{place}.value{value.where[1:]}", value.detail, entry.id)
    occurred_at = epoch(entry.time)
    if occurred_at is None:
        return Reject("bad_time", f"{place.rsplit('.', 1)[0]}.time", "the entry has no time in seconds since 1970", entry.id)
    digest = hashlib.sha256(change.value).hexdigest()[:32]
    ban = (value.ban_info or {}).get("waba_ban_state")
    subject = value.phone_number or value.display_phone_number or value.message_template_id
    return AccountEvent(
        source="whatsapp",
        account_id=entry.id,
        event_id=f"whatsapp:{entry.id}:{entry.time}:{change.field}:{digest}",
        occurred_at=occurred_at,
        kind=change.field,
        subject=str(subject) if subject is not None else None,
        state=str(ban or value.event or value.decision or value.new_category or value.status or "unknown"),
    )
