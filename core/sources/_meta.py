"""Meta's messaging webhooks, as Messenger and Instagram share them: the envelope of entries, and what stands in it.

Here belong the three shapes of an entry (`messaging`, `standby` where another app answers, `changes`) and what nobody models yet. Not
here: what items say (`_meta_items`, `_meta_changes`), WhatsApp, whose envelope is another.
"""

from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct, field

from core.events import UNTOLD, Event, Message, Reject, Unmodelled
from core.sources._common import Id, code, decode_json, digest, fragment, moment, within
from core.sources._meta_changes import CHANGES
from core.sources._meta_items import ITEMS, tell
from core.sources._meta_scope import Channel, Head, Scope

_BESIDE = frozenset({"sender", "recipient", "timestamp", "prior_message", "hop_context", "is_echo", "time"})
"""Keys that stand beside what an item says."""


class _Change(Struct):
    field: str
    value: Raw


class _Entry(Struct):
    id: Id
    time: Id | None = None
    messaging: list[Raw] = field(default_factory=list)
    standby: list[Raw] = field(default_factory=list)
    changes: list[_Change] = field(default_factory=list)


class _Body(Struct):
    entry: list[_Entry]
    object: str | None = None


class _PeekEntry(Struct):
    id: Id | None = None


class _Peek(Struct):
    entry: list[_PeekEntry] = field(default_factory=list)


_PEEK = msgspec.json.Decoder(_Peek)
_BODY = msgspec.json.Decoder(_Body)
_HEAD = msgspec.json.Decoder(Head)
_KEYS = msgspec.json.Decoder(dict[str, Raw])


def accounts(raw: bytes) -> list[str]:
    """The pages or Instagram accounts that the entries are of."""
    return list(dict.fromkeys(str(entry.id) for entry in _PEEK.decode(raw).entry if entry.id not in (None, "")))


def decode(channel: Channel, raw: bytes) -> Iterator[Event | Reject]:
    """Every item of every entry, in the order of the body."""
    body = decode_json(_BODY, raw)
    if isinstance(body, Reject):
        yield body
        return
    if body.object not in (None, channel.object):  # bodies of test tools leave it out
        yield Reject("bad_shape", "$.object", f"the body is not of the object {channel.object}")
        return
    if not body.entry:
        yield Reject("bad_shape", "$.entry", "the body holds no entry")
    for e, entry in enumerate(body.entry):
        scope, place = Scope(channel, str(entry.id), moment(entry.time), entry.time), f"$.entry[{e}]"
        if not (entry.messaging or entry.standby or entry.changes):
            yield Reject("bad_shape", place, "the entry holds no messaging, standby or change", scope.account_id)
        for name, items in (("messaging", entry.messaging), ("standby", entry.standby)):
            for i, item in enumerate(items):
                yield from _item(scope, item, f"{place}.{name}[{i}]", name)
        for c, change in enumerate(entry.changes):
            yield from _change(scope, change, f"{place}.changes[{c}]")


def _item(scope: Scope, raw: Raw, place: str, kept_in: str, name: str | None = None) -> Iterator[Event | Reject]:
    """One item: who, when, and a key that says what. `name` is the field of the change as which it came, if it did."""
    head, keys = decode_json(_HEAD, raw, scope.account_id), decode_json(_KEYS, raw, scope.account_id)
    for broken in (head, keys):
        if isinstance(broken, Reject):
            yield within(broken, place)
            return
    assert isinstance(head, Head)  # noqa: S101 — for the type checker
    assert isinstance(keys, dict)  # noqa: S101
    said = [key for key in keys if key not in _BESIDE]
    if not said:
        yield Reject("bad_shape", place, "the item says who and when but not what", scope.account_id)
        return
    known = next((key for key in ITEMS if key in keys), None)
    contact = head.contact(scope)
    for told in tell(scope, head, known, keys[known], place) if known else (code(said[0]),):
        if isinstance(told, str):
            yield Unmodelled(
                source=scope.channel.source,
                account_id=scope.account_id,
                event_id=f"{scope.channel.source}:{scope.account_id}:{told}:{digest(bytes(raw))}",
                occurred_at=head.occurred_at(scope) or UNTOLD,
                kind=told,
                contact=contact,
                fragment=fragment(_alone(scope, raw, kept_in, name)),
            )
        else:
            contact = told.contact if isinstance(told, Message) else contact  # of an echo it may be the other party
            yield told


def _change(scope: Scope, change: _Change, place: str) -> Iterator[Event | Reject]:
    keys = decode_json(_KEYS, change.value, scope.account_id)
    if not isinstance(keys, Reject) and "sender" in keys and "recipient" in keys:  # the newer Instagram API
        yield from _item(scope, change.value, f"{place}.value", "changes", change.field)
        return
    for told in CHANGES[change.field](scope, change.value, f"{place}.value") if change.field in CHANGES else (code(change.field),):
        if isinstance(told, str):
            yield Unmodelled(
                source=scope.channel.source,
                account_id=scope.account_id,
                event_id=f"{scope.channel.source}:{scope.account_id}:{scope.told_time}:{told}:{digest(bytes(change.value))}",
                occurred_at=scope.time or UNTOLD,
                kind=told,
                fragment=fragment(_alone(scope, change.value, "changes", change.field)),
            )
        else:
            yield told


def _alone(scope: Scope, raw: Raw, kept_in: str, name: str | None) -> object:
    """The body that holds this item alone."""
    inner = raw if name is None else {"field": name, "value": raw}
    return {"object": scope.channel.object, "entry": [{"id": scope.account_id, "time": scope.told_time, kept_in: [inner]}]}
