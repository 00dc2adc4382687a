"""WhatsApp groups of ours: that one was made, changed, and who came and went.

Here belongs one element of a group webhook. Not here: messages that people write there (`_whatsapp_items`).
"""

import msgspec
from msgspec import Raw, Struct, field

from core.events import AccountEvent, Reject
from core.sources._common import Id, Int, code, decode_json, digest, epoch, identifier, within
from core.sources._whatsapp_scope import Scope, Told, common, linked


class _Participant(Struct):
    wa_id: Id | None = None
    user_id: str | None = None


class _Group(_Participant):
    timestamp: str | Int = ""
    group_id: str | None = None
    type: str | None = None
    added_participants: list[_Participant] = field(default_factory=list)
    removed_participants: list[_Participant] = field(default_factory=list)


_GROUP = msgspec.json.Decoder(_Group)


def group(scope: Scope, raw: Raw, place: str) -> Told:
    """One change of a group of ours; who came and went is only read for the two ids that it names of one person."""
    item = decode_json(_GROUP, raw, scope.account_id)
    if isinstance(item, Reject):
        yield within(item, place)
        return
    occurred_at = epoch(item.timestamp)
    if occurred_at is None:
        yield Reject("bad_time", f"{place}.timestamp", "not a number of seconds since 1970", scope.account_id)
        return
    own = f"group:{scope.account_id}:{item.group_id}:{item.timestamp}:{digest(bytes(raw))}"
    yield AccountEvent(**common(scope, own, occurred_at), kind=scope.field, subject=identifier(item.group_id), state=code(item.type))
    for n, each in enumerate((item, *item.added_participants, *item.removed_participants)):
        yield from linked(scope, f"{own}:{n}", occurred_at, None if each.wa_id is None else str(each.wa_id), each.user_id)
