"""What replays of both kinds share: with what they work, what they say, and how their events are written.

Here belongs what lines of the quarantine and fragments of the lake have in common. Not here: either of them (`assets.replay`,
`assets.remodel`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from assets.intake import _Item, _keys
from core.columns import LAKE_COLUMNS
from core.events import Event
from core.intake import Accepted, Directory
from core.ports import Count, Lake, LakeWriter, Line, Vault
from core.quarantine import LakeRows, Quarantine
from core.rows import Origin, row_of

_HASH_AT = [column.name for column in LAKE_COLUMNS].index("body_hash")


class Tools(NamedTuple):
    """With what it is tried again."""

    quarantine: Quarantine
    lake: Lake
    rows: LakeRows
    vault: Vault
    directory: Directory


class Retried(NamedTuple):
    """What became of the lines or fragments of one segment: events taken in by table, and what stays refused by reason."""

    segment_id: str
    tried: int
    taken: Counter[str]
    still: Counter[str]


class Again(NamedTuple):
    """One event that can be taken in now, with what the lake knows of its origin."""

    received_at: datetime
    body_hash: str
    accepted: Accepted


def write(writer: LakeWriter, segment_id: str, found: Iterable[Again], vault: Vault) -> None:
    """Rows as intake would have written them, in this segment."""
    of_tenant: dict[str, list[Again]] = defaultdict(list)
    for each in found:
        of_tenant[each.accepted.account.tenant_id].append(each)
    rows: dict[type[Event], list[tuple[object, ...]]] = defaultdict(list)
    for tenant_id, own in sorted(of_tenant.items()):
        keys, _ = _keys(tenant_id, [_Item(Line(0, b""), 1, each.received_at, each.accepted) for each in own], vault)
        for each in own:
            row = row_of(each.accepted.event, Origin(each.received_at, segment_id, b""), keys)
            rows[type(each.accepted.event)].append((*row[:_HASH_AT], each.body_hash, *row[_HASH_AT + 1 :]))
    for event_type in sorted(rows, key=lambda each: each.table):
        writer.write(event_type, rows[event_type])


def counts_of(found: Iterable[Again]) -> Sequence[Count]:
    """Received and accepted by tenant and source."""
    counts = Counter((each.accepted.account.tenant_id, each.accepted.event.source) for each in found)
    return [Count(*key, number, number, 0) for key, number in sorted(counts.items())]


def tables_of(found: Iterable[Again]) -> Counter[str]:
    """How many events of each table."""
    return Counter(each.accepted.event.table for each in found)
