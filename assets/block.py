"""Taking in one block of a segment: lines, events, keys, columns, and counts that must add up.

Here belongs the order of steps over the ports; the steps themselves are `core.intake` and `core.rows`. It runs in this process or in a
worker's, and comes to the same. Not here: segments and when they are done (`assets.intake`).
"""

import gc
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from operator import itemgetter
from typing import Any

from msgspec import Struct

from core.events import Event, Point, Reject
from core.intake import Accepted, Directory, Rejected, read_line, take
from core.points import normalise
from core.ports import Count, Held, Lake, Line, Part, Task, Vault
from core.rows import Origin, PointKey, TenantKeys, columns_of, hash_of, micros, point_fields, points_of
from core.sealing import seal

REMEMBERED = 100_000
"""Contacts whose keys a process remembers, twice as many at most: 400 bytes each. To ask the vault takes 5 µs, to remember 0.1 µs."""

CHUNK_LINES = 1_000
"""Lines that are Python objects at once: they stay in the processor's caches. With 5,000 a line takes half as long again."""

_ACCOUNT = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


class Keyring:
    """Keys of contacts as events name them, remembered for one run: who is erased meanwhile is so from the next run on."""

    def __init__(self, vault: Vault) -> None:
        """`vault` is asked for what is not remembered."""
        self._vault = vault
        self._recent: dict[tuple[str, Point], PointKey | Reject] = {}
        self._older: dict[tuple[str, Point], PointKey | Reject] = {}

    def of(self, tenant_id: str, region: str, named: Iterable[Point]) -> dict[Point, PointKey | Reject]:
        """Key of each contact, or why it is none; the vault is asked once for all that are not remembered."""
        found: dict[Point, PointKey | Reject] = {}
        missing = []
        for point in named:
            known = self._recent.get((tenant_id, point)) or self._older.get((tenant_id, point))
            if known is None:
                missing.append(point)
            else:
                found[point] = known
        if missing:
            names = {point: normalise(point, region) for point in missing}
            keys = self._vault.points(tenant_id, {name for name in names.values() if isinstance(name, Point)})
            found |= {point: keys[name] if isinstance(name, Point) else name for point, name in names.items()}
        if len(self._recent) + len(found) > REMEMBERED:
            self._recent, self._older = {}, self._recent
        for point, key in found.items():
            self._recent[tenant_id, point] = key
        return found

    def tenant(self, tenant_id: str, points: dict[Point, PointKey]) -> TenantKeys:
        """All that sealing events of a tenant needs."""
        return TenantKeys(tenant_id, self._vault.tenant_key(tenant_id, "ref"), self.fragment_key(tenant_id), points)

    def fragment_key(self, tenant_id: str) -> bytes:
        """The tenant's own key for what may be personal and names nobody."""
        return self._vault.tenant_key(tenant_id, "fragment")


class Place(Struct, frozen=True, gc=False):
    """Where an item lay."""

    line: Line
    received_at: datetime | None


class _Lot:
    """Events of one tenant and source, with the place of each and its number there. Lists, for tuples take a microsecond more an event."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.places: list[Place] = []
        self.numbers: list[int] = []

    def add(self, event: Event, place: Place, number: int) -> None:
        self.events.append(event)
        self.places.append(place)
        self.numbers.append(number)


class _Block:
    """Counts and columns of a block while it is taken in."""

    def __init__(self, task: Task, keyring: Keyring) -> None:
        self.segment_id = task.segment_id
        self.keyring = keyring
        self.lines = 0
        self.received: Counter[tuple[str, str]] = Counter()
        self.accepted: Counter[tuple[str, str]] = Counter()
        self.rejected: Counter[tuple[str, str]] = Counter()
        self.reasons: Counter[str] = Counter()
        self.held: list[Held] = []

    def reject(self, place: Place, number: int, what: Rejected) -> None:
        self.rejected[what.tenant_id, what.source] += 1
        self.reasons[what.reject.reason] += 1
        self.held.append(held(self.segment_id, place, number, what, self.keyring.fragment_key(what.tenant_id)))

    def counts(self) -> list[Count]:
        """What was read, and apart from that what became of it: the two are compared later."""
        return [Count(*key, self.received[key], self.accepted[key], self.rejected[key]) for key in sorted(self.received)]

    def accept(self, tenant_id: str, source: str, region: str, lot: _Lot) -> Iterator[tuple[type[Event], dict[str, list[Any]]]]:
        """Events of one tenant: contacts become keys, or the event a reject."""
        named = {point for event in lot.events for name in point_fields(type(event)) if (point := getattr(event, name)) is not None}
        found = self.keyring.of(tenant_id, region, named)
        bad = {point: reject for point, reject in found.items() if isinstance(reject, Reject)}
        if bad:
            lot = self._without(bad, tenant_id, lot)
        keys = self.keyring.tenant(tenant_id, {point: key for point, key in found.items() if isinstance(key, PointKey)})
        by_type: dict[type[Event], tuple[list[Event], list[Origin]]] = {}
        last: Place | None = None
        origin = Origin(0, "")
        for event, place in zip(lot.events, lot.places, strict=True):
            if place is not last:
                last = place
                origin = Origin(micros(place.received_at or event.occurred_at), hash_of(keys.ref_key, place.line.raw))
            events, origins = by_type.setdefault(type(event), ([], []))
            events.append(event)
            origins.append(origin)
        self.accepted[tenant_id, source] += len(lot.events)
        for event_type, (events, origins) in by_type.items():
            yield event_type, columns_of(event_type, events, origins, self.segment_id, keys)

    def _without(self, bad: dict[Point, Reject], tenant_id: str, lot: _Lot) -> _Lot:
        """The events whose contacts are any; the others are rejected."""
        good = _Lot()
        for event, place, number in zip(lot.events, lot.places, lot.numbers, strict=True):
            rejected = refused(event, tenant_id, bad)
            if rejected is None:
                good.add(event, place, number)
            else:
                self.reject(place, number, rejected)
        return good


def take_block(task: Task, directory: Directory, lake: Lake, keyring: Keyring) -> Part:
    """One block into files aside; a rerun gives the same files."""
    was_collecting = gc.isenabled()
    gc.disable()  # nothing here goes in circles, and looking for circles among 500,000 objects takes as long as all the rest
    try:
        return _take_block(task, directory, lake, keyring)
    finally:
        if was_collecting:
            gc.enable()


def _take_block(task: Task, directory: Directory, lake: Lake, keyring: Keyring) -> Part:
    taken = _Block(task, keyring)
    writer = lake.part(task.segment_id, task.part)
    lines = task.block.lines()
    while chunk := list(islice(lines, CHUNK_LINES)):
        taken.lines += len(chunk)
        for event_type, values in _take_chunk(chunk, directory, taken).items():
            writer.add(event_type, values)
    taken.held.sort(key=lambda each: (each.line, each.item))
    return Part(taken.lines, taken.counts(), taken.reasons, taken.held, writer.close())


def _take_chunk(chunk: list[Line], directory: Directory, taken: _Block) -> dict[type[Event], dict[str, list[Any]]]:
    """A few lines of the block as columns."""
    lots: dict[tuple[str, str, str], _Lot] = defaultdict(_Lot)
    for line in chunk:
        place, items = items_of(line, directory)
        for number, what in enumerate(items, start=1):
            if isinstance(what, Accepted):
                lots[what.account.tenant_id, what.event.source, what.account.region].add(what.event, place, number)
            else:
                taken.received[what.tenant_id, what.source] += 1
                taken.reject(place, number, what)
    found: dict[type[Event], dict[str, list[Any]]] = {}
    for (tenant_id, source, region), lot in sorted(lots.items(), key=itemgetter(0)):
        taken.received[tenant_id, source] += len(lot.events)
        for event_type, values in taken.accept(tenant_id, source, region, lot):
            if event_type not in found:
                found[event_type] = values
                continue
            for name, column in found[event_type].items():
                column.extend(values[name])
    return found


def items_of(line: Line, directory: Directory) -> tuple[Place, list[Accepted | Rejected]]:
    """All that a line says; never nothing."""
    envelope = line.broken or read_line(line.raw)
    if isinstance(envelope, Reject):
        return Place(line, None), [Rejected("", "", envelope)]
    return Place(line, envelope.received_at), take(envelope, directory)


def refused(event: Event, tenant_id: str, names: Mapping[Point, object]) -> Rejected | None:
    """The event as a reject where one of its contacts is none: `names` says of each what it is, maybe a Reject."""
    for point in points_of(event):
        reject = names.get(point)
        if isinstance(reject, Reject):
            return Rejected(tenant_id, event.source, Reject(reject.reason, reject.where, reject.detail, event.account_id))
    return None


def held(segment_id: str, place: Place, number: int, what: Rejected, key: bytes) -> Held:
    """A reject as quarantine keeps it; its bytes sealed under `key` for its place."""
    reject = what.reject
    # what an unsigned body calls its account may be anything: a megabyte, somebody's name, bytes that the state cannot hold
    is_account = reject.account_id is not None and _ACCOUNT.fullmatch(reject.account_id) is not None
    aad = f"{segment_id}:{place.line.number}:{number}".encode()
    return Held(
        line=place.line.number,
        item=number,
        tenant_id=what.tenant_id,
        source=what.source,
        account_id=reject.account_id if is_account else None,
        reason=reject.reason,
        place=f"line {place.line.number}, {reject.where}",
        detail=reject.detail,
        received_at=place.received_at,
        body_enc=seal(key, place.line.raw, aad),
        key_id=f"fragment:{what.tenant_id}",
    )
