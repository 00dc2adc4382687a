"""Taking in one block of a segment: lines, events, keys, columns, and counts that must add up.

Here belongs the order of steps over the ports; the steps themselves are `core.intake` and `core.rows`. It runs in this process or in a
worker's, and comes to the same. Not here: segments and when they are done (`assets.intake`).
"""

import gc
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from operator import attrgetter, itemgetter
from typing import Any, TypeAlias, cast

from msgspec import Struct

from core.events import Event, Point, Reject
from core.intake import Accepted, Account, Directory, Rejected, Whole, read_line, take, told_by
from core.points import normalise
from core.ports import Count, Held, Lake, LakeWriter, Line, Part, Task, Vault
from core.rows import Origin, PointKey, TenantKeys, columns_of, hash_of, micros, point_fields, points_of
from core.sealing import seal

REMEMBERED = 50_000
"""Contacts whose keys a process remembers, twice as many at most: 400 bytes each. To ask the vault takes 5 µs, to remember 0.1 µs."""

CHUNK_LINES = 6_000
"""Lines that are Python objects at once. Of fewer, more is asked of the vault, once a tenant: with 1,000 a line takes 2 µs more."""

_NUMBERS = range(1, 1 << 31)
"""Of the items of a line, where none was turned away."""

_Keys: TypeAlias = dict[Point, PointKey | Reject]
_ACCOUNT = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


class Keyring:
    """Keys of contacts as events name them, remembered for one run: who is erased meanwhile is so from the next run on."""

    def __init__(self, vault: Vault) -> None:
        """`vault` is asked for what is not remembered."""
        self._vault = vault
        self._recent: defaultdict[str, _Keys] = defaultdict(dict)
        self._older: defaultdict[str, _Keys] = defaultdict(dict)
        self._size = 0

    def of(self, tenant_id: str, region: str, named: Collection[Point]) -> Mapping[Point, PointKey | Reject]:
        """Key of each contact, or why it is none, and maybe of others; the vault is asked once for all that are not remembered."""
        recent, older = self._recent[tenant_id], self._older[tenant_id]
        found = {point: older.get(point) for point in named if point not in recent}
        missing = [point for point, known in found.items() if known is None]
        if missing:
            names = {point: normalise(point, region) for point in missing}
            keys = self._vault.points(tenant_id, {name for name in names.values() if isinstance(name, Point)})
            found |= {point: keys[name] if isinstance(name, Point) else name for point, name in names.items()}
        if self._size + len(found) > REMEMBERED:
            found |= {point: recent[point] for point in named if point in recent}
            self._recent, self._older, self._size = defaultdict(dict), self._recent, 0
            recent = self._recent[tenant_id]
        self._size += len(found)
        recent.update(cast(_Keys, found))
        return recent

    def tenant(self, tenant_id: str, points: Mapping[Point, PointKey]) -> TenantKeys:
        """All that sealing events of a tenant needs."""
        return TenantKeys(tenant_id, self.ref_key(tenant_id), self.fragment_key(tenant_id), points)

    def ref_key(self, tenant_id: str) -> bytes:
        """The tenant's own key for hashes of what must not be read."""
        return self._vault.tenant_key(tenant_id, "ref")

    def fragment_key(self, tenant_id: str) -> bytes:
        """The tenant's own key for what may be personal and names nobody."""
        return self._vault.tenant_key(tenant_id, "fragment")


class Place(Struct, frozen=True, gc=False):
    """Where an item lay."""

    line: Line
    received_at: datetime | None


class _Said(Struct, frozen=True, gc=False):
    """Events of one line, never none, when it was received, and the number of each there."""

    line: Line
    received_at: datetime
    events: Sequence[Event]
    numbers: Sequence[int]


class _Lot:
    """Events of one tenant and source, line by line."""

    def __init__(self, tenant_id: str, source: str, region: str) -> None:
        self.tenant_id, self.source, self.region = tenant_id, source, region
        self.lines: list[_Said] = []

    def size(self) -> int:
        """How many events."""
        return sum(len(said.events) for said in self.lines)

    def by_type(self, ref_key: bytes) -> dict[type[Event], tuple[list[Event], list[Origin]]]:
        """Of each type the events, in the order of the lines, and where each came from."""
        found: dict[type[Event], tuple[list[Event], list[Origin]]] = {}
        for said in self.lines:
            origin = Origin(micros(said.received_at), hash_of(ref_key, said.line.raw))
            for event in said.events:
                of_type = found.get(event.__class__)
                if of_type is None:
                    of_type = found[event.__class__] = ([], [])
                of_type[0].append(event)
                of_type[1].append(origin)
        return found


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

    def accept(self, lot: _Lot) -> Iterator[tuple[type[Event], dict[str, list[Any]]]]:
        """Events of one tenant: contacts become keys, or the event a reject."""
        key, ref_key = (lot.tenant_id, lot.source), self.keyring.ref_key(lot.tenant_id)
        self.received[key] += lot.size()
        by_type = lot.by_type(ref_key)
        named = _named(by_type)
        found = self.keyring.of(lot.tenant_id, lot.region, named)
        bad = {point: reject for point in named if isinstance(reject := found[point], Reject)}
        if bad:
            lot = self._without(bad, lot)
            by_type = lot.by_type(ref_key)
        self.accepted[key] += lot.size()
        keys = self.keyring.tenant(lot.tenant_id, cast(Mapping[Point, PointKey], found))  # no Reject of it is asked for any more
        for event_type, (events, origins) in by_type.items():
            yield event_type, columns_of(event_type, events, origins, self.segment_id, keys)

    def _without(self, bad: dict[Point, Reject], lot: _Lot) -> _Lot:
        """The events whose contacts are any; the others are rejected."""
        good = _Lot(lot.tenant_id, lot.source, lot.region)
        for said in lot.lines:
            left = []
            for event, number in zip(said.events, said.numbers):  # noqa: B905 — numbers go on
                rejected = refused(event, lot.tenant_id, bad)
                if rejected is None:
                    left.append((event, number))
                else:
                    self.reject(Place(said.line, said.received_at), number, rejected)
            if left:
                good.lines.append(_Said(said.line, said.received_at, [event for event, _ in left], [number for _, number in left]))
        return good


def _named(by_type: Mapping[type[Event], tuple[list[Event], list[Origin]]]) -> set[Point]:
    """Whom they name."""
    named: set[Point | None] = set()
    for event_type, (events, _) in by_type.items():
        for name in point_fields(event_type):
            named.update(map(attrgetter(name), events))
    return {point for point in named if point is not None}


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
        _take_chunk(chunk, directory, taken, writer)
    taken.held.sort(key=lambda each: (each.line, each.item))
    return Part(taken.lines, taken.counts(), taken.reasons, taken.held, writer.close())


def _take_chunk(chunk: list[Line], directory: Directory, taken: _Block, writer: LakeWriter) -> None:
    """A few lines of the block into columns."""
    lots: dict[tuple[str, str, str], _Lot] = {}
    for line in chunk:
        envelope = line.broken or read_line(line.raw)
        if isinstance(envelope, Reject):
            _turn_away(taken, Place(line, None), 1, Rejected("", "", envelope))
            continue
        told = told_by(envelope, directory)
        if isinstance(told, Whole):
            said = _Said(line, envelope.received_at, told.events, _NUMBERS)
            _lot(lots, told.account, told.events[0].source).lines.append(said)
            continue
        for number, what in enumerate(told, start=1):
            if isinstance(what, Accepted):
                said = _Said(line, envelope.received_at, (what.event,), (number,))
                _lot(lots, what.account, what.event.source).lines.append(said)
            else:
                _turn_away(taken, Place(line, envelope.received_at), number, what)
    for _, lot in sorted(lots.items(), key=itemgetter(0)):
        for event_type, values in taken.accept(lot):
            writer.add(event_type, values)


def _turn_away(taken: _Block, place: Place, number: int, what: Rejected) -> None:
    taken.received[what.tenant_id, what.source] += 1
    taken.reject(place, number, what)


def _lot(lots: dict[tuple[str, str, str], _Lot], account: Account, source: str) -> _Lot:
    key = (account.tenant_id, source, account.region)
    found = lots.get(key)
    if found is None:
        lots[key] = found = _Lot(*key)
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
