"""What replays of both kinds share: with what they work, what they say, and how their events are written.

Here belongs what lines of the quarantine and fragments of the lake have in common. Not here: either of them (`assets.replay`,
`assets.remodel`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from assets.block import Keyring
from core.events import Event
from core.intake import Accepted, Directory
from core.ports import Count, Lake, LakeWriter, Vault
from core.quarantine import LakeRows, Quarantine
from core.rows import Origin, PointKey, columns_of, micros, points_of


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
    keyring = Keyring(vault)
    for tenant_id, own in sorted(of_tenant.items()):
        named = {point for each in own for point in points_of(each.accepted.event)}
        points = keyring.of(tenant_id, own[0].accepted.account.region, named)
        keys = keyring.tenant(tenant_id, {point: key for point, key in points.items() if isinstance(key, PointKey)})
        by_type: dict[type[Event], list[Again]] = defaultdict(list)
        for each in own:
            by_type[type(each.accepted.event)].append(each)
        for event_type, of_type in by_type.items():
            origins = [Origin(micros(each.received_at), each.body_hash) for each in of_type]
            writer.add(event_type, columns_of(event_type, [each.accepted.event for each in of_type], origins, segment_id, keys))


def counts_of(found: Iterable[Again]) -> Sequence[Count]:
    """Received and accepted by tenant and source."""
    counts = Counter((each.accepted.account.tenant_id, each.accepted.event.source) for each in found)
    return [Count(*key, number, number, 0) for key, number in sorted(counts.items())]


def tables_of(found: Iterable[Again]) -> Counter[str]:
    """How many events of each table."""
    return Counter(each.accepted.event.table for each in found)
