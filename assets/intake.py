"""Taking in one segment: lines, events, keys, rows, and counts that must add up.

Here belongs the order of steps over the ports; the steps themselves are `core.intake` and `core.rows`. Not here: Dagster (`assets.ingest`).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from core.breaker import Tripped, judge
from core.events import Event, Point, Reject
from core.intake import Accepted, Directory, Rejected, read_line, take
from core.points import normalise
from core.ports import Count, Held, Lake, LakeWriter, Ledger, Line, Segment, Vault
from core.rows import Origin, PointKey, TenantKeys, points_of, row_of
from core.sealing import seal

CHUNK_LINES = 20_000
"""Lines in memory at once: 500-byte bodies take about 250 MB here as events and rows."""

CHUNK_BYTES = 32 << 20
"""Bytes of lines in memory at once, where bodies are large."""

_ACCOUNT = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


class Taken(NamedTuple):
    """What one segment held."""

    segment: Segment
    line_count: int
    counts: list[Count]
    reasons: Counter[str]


class _Item(NamedTuple):
    """One event or reject with its place."""

    line: Line
    number: int
    received_at: datetime | None
    what: Accepted | Rejected


class _Tally:
    """Counts of a segment while it is read."""

    def __init__(self) -> None:
        self.received: Counter[tuple[str, str]] = Counter()
        self.accepted: Counter[tuple[str, str]] = Counter()
        self.rejected: Counter[tuple[str, str]] = Counter()
        self.reasons: Counter[str] = Counter()
        self.held: list[Held] = []
        self.lines = 0

    def counts(self) -> list[Count]:
        keys = sorted(self.received)
        return [Count(*key, self.received[key], self.accepted[key], self.rejected[key]) for key in keys]


def take_in(segment: Segment, lines: Iterable[Line], directory: Directory, lake: Lake, ledger: Ledger, vault: Vault) -> Taken:
    """One segment into lake and quarantine. Nothing is visible before all of it is written; a rerun gives the same files.

    Raises:
        Tripped: too much of it is broken, and nobody has released it; nothing was written.
    """
    tally = _Tally()
    is_released = ledger.is_released(segment.segment_id)
    with lake.replace(segment.segment_id) as writer:
        for chunk in _chunks(lines):
            tally.lines += len(chunk)
            _take_chunk(segment, chunk, directory, writer, vault, tally)
        counts = tally.counts()
        verdicts = judge(counts, tally.held)
        if verdicts and not is_released:
            raise Tripped(verdicts)
    ledger.record(segment, tally.lines, "", counts, tally.held)
    return Taken(segment, tally.lines, counts, tally.reasons)


def _chunks(lines: Iterable[Line]) -> Iterator[list[Line]]:
    chunk: list[Line] = []
    size = 0
    for line in lines:
        chunk.append(line)
        size += len(line.raw)
        if len(chunk) >= CHUNK_LINES or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _take_chunk(segment: Segment, chunk: list[Line], directory: Directory, writer: LakeWriter, vault: Vault, tally: _Tally) -> None:
    items = [item for line in chunk for item in _items(line, directory)]
    by_tenant: dict[str, list[_Item]] = defaultdict(list)
    for item in items:
        key = _key(item.what)
        tally.received[key] += 1
        by_tenant[key[0]].append(item)
    rows: dict[type[Event], list[tuple[Any, ...]]] = defaultdict(list)
    for tenant_id, of_tenant in sorted(by_tenant.items()):
        keys, names = _keys(tenant_id, of_tenant, vault)
        fragment_key = vault.tenant_key(tenant_id, "fragment")
        for item in of_tenant:
            what = _with_contacts(item.what, names)
            key = _key(what)
            if isinstance(what, Rejected):
                tally.rejected[key] += 1
                tally.reasons[what.reject.reason] += 1
                tally.held.append(_held(segment, item, what, fragment_key))
            else:
                origin = Origin(item.received_at or what.event.occurred_at, segment.segment_id, item.line.raw)
                rows[type(what.event)].append(row_of(what.event, origin, keys))
                tally.accepted[key] += 1
    for event_type in sorted(rows, key=lambda each: each.table):
        writer.write(event_type, rows[event_type])


def _items(line: Line, directory: Directory) -> Iterator[_Item]:
    envelope = line.broken or read_line(line.raw)
    if isinstance(envelope, Reject):
        yield _Item(line, 1, None, Rejected("", "", envelope))
        return
    for number, what in enumerate(take(envelope, directory), start=1):
        yield _Item(line, number, envelope.received_at, what)


def _key(what: Accepted | Rejected) -> tuple[str, str]:
    if isinstance(what, Accepted):
        return what.account.tenant_id, what.event.source
    return what.tenant_id, what.source


Names = dict[Point, Point | Reject]


def _keys(tenant_id: str, items: list[_Item], vault: Vault) -> tuple[TenantKeys, Names]:
    """Normalise each distinct contact once, and ask the vault once for all of them."""
    names: Names = {}
    for item in items:
        if isinstance(item.what, Accepted):
            for point in points_of(item.what.event):
                if point not in names:
                    names[point] = normalise(point, item.what.account.region)
    good = {point for point in names.values() if isinstance(point, Point)}
    found = vault.points(tenant_id, good) if good else {}
    points: dict[Point, PointKey] = {written: found[name] for written, name in names.items() if isinstance(name, Point)}
    return TenantKeys(tenant_id, vault.tenant_key(tenant_id, "ref"), vault.tenant_key(tenant_id, "fragment"), points), names


def _with_contacts(what: Accepted | Rejected, names: Names) -> Accepted | Rejected:
    if isinstance(what, Rejected):
        return what
    for point in points_of(what.event):
        name = names[point]
        if isinstance(name, Reject):
            reject = Reject(name.reason, name.where, name.detail, what.event.account_id)
            return Rejected(what.account.tenant_id, what.event.source, reject)
    return what


def _held(segment: Segment, item: _Item, what: Rejected, key: bytes) -> Held:
    reject = what.reject
    place = f"line {item.line.number}, {reject.where}"
    # what an unsigned body calls its account may be anything: a megabyte, somebody's name, bytes that the state cannot hold
    is_account = reject.account_id is not None and _ACCOUNT.fullmatch(reject.account_id) is not None
    aad = f"{segment.segment_id}:{item.line.number}:{item.number}".encode()
    return Held(
        line=item.line.number,
        item=item.number,
        tenant_id=what.tenant_id,
        source=what.source,
        account_id=reject.account_id if is_account else None,
        reason=reject.reason,
        place=place,
        detail=reject.detail,
        received_at=item.received_at,
        body_enc=seal(key, item.line.raw, aad),
        key_id=f"fragment:{what.tenant_id}",
    )
