"""What the assets need of the outside, as Protocols: whoever offers these can stand in for an adapter.

Here belong the seams between what exists (`assets`) and with what it runs (`orchestration.resources`): those of intake, lake and vault. Not
here: any implementation, and ports of one domain, which lie in `*_ports.py` beside.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from msgspec import Struct

from core.events import Event, Point, Reject
from core.holding import SegmentsAside, SegmentsHeld
from core.identity_holders import Link, Sighting
from core.identity_ports import SealedName
from core.intake import Directory
from core.rows import PointKey

T = TypeVar("T")


class Clock(Protocol):
    """The moment; the only way to learn it."""

    def now(self) -> datetime:
        """UTC."""
        ...


class Progress(Protocol):
    """How long work is shown to whoever waits for it."""

    def over(self, name: str, items: Iterable[T], total: int | None = None) -> Iterator[T]:
        """The items, one by one, with a sign of how many are done; `total` where the items cannot be counted."""
        ...


class Line(Struct, frozen=True, gc=False, array_like=True):
    """One line of a segment: its number from 1, its bytes, and why they cannot be read, where they cannot."""

    number: int
    raw: bytes
    broken: Reject | None = None


class Block(NamedTuple):
    """Whole lines of a segment: the number of the first, their bytes, and after them at most one that cannot be read."""

    first: int
    data: bytes
    broken: Line | None = None

    def lines(self) -> Iterator[Line]:
        """Lines without their newline; empty ones are passed over but counted."""
        for number, raw in enumerate(self.data.split(b"\n"), start=self.first):
            if raw and not raw.isspace():
                yield Line(number, raw.rstrip(b"\r"))
        if self.broken is not None:
            yield self.broken


class Segment(NamedTuple):
    """One closed file of the inbox. `segment_id` is the SHA-256 of its bytes, so the same file dropped twice is one segment."""

    segment_id: str
    path: Path
    size_bytes: int


class Inbox(SegmentsAside, Protocol):
    """Where raw webhooks arrive."""

    def names(self) -> list[str]:
        """Names of closed segments, without reading them."""
        ...

    def pending(self) -> list[Segment]:
        """Closed segments that are not yet taken in and can be read, oldest name first."""
        ...

    def passed_over(self) -> Mapping[str, str]:
        """Names of segments that could not be read since `pending` was called last, each with the reason."""
        ...

    def pass_over(self, name: str, error: OSError) -> None:
        """Note that a segment could not be read."""
        ...

    def lines(self, segment: Segment) -> Iterator[Line]:
        """Its lines, unpacked; a damaged archive ends with one Line that says why."""
        ...

    def blocks(self, segment: Segment) -> Iterator[Block]:
        """The same lines in blocks, cut by what the segment holds and nothing else."""
        ...

    def settle(self, segment: Segment) -> None:
        """Put it aside: all that it held is in the lake or in quarantine."""
        ...


class Merge(NamedTuple):
    """Several files of the lake that became one; sizes in bytes."""

    table: str
    day: date
    files: int
    bytes_before: int
    bytes_after: int
    rows: int


class Lake(Protocol):
    """Canonical events as Parquet, by table and UTC event date."""

    def replace(self, segment_id: str) -> AbstractContextManager["LakeWriter"]:
        """Write all files of a small segment at once; they appear when the block ends well, in place of any earlier ones."""
        ...

    def stage(self, segment_id: str) -> None:
        """Make room for the files of a segment, aside and empty; several processes may `write` there then."""
        ...

    def part(self, segment_id: str, part: int) -> "LakeWriter":
        """Where one block of it is written aside."""
        ...

    def publish(self, staged: Mapping[str, Collection[str]]) -> None:
        """Make the files of each segment appear together, durably, in place of any earlier ones."""
        ...

    def discard(self) -> None:
        """Drop all that is aside."""
        ...

    def prepare(self) -> None:
        """Make every table exist, maybe with no row."""
        ...

    def sightings(self, as_of: datetime) -> Iterable[Sighting]:
        """Every point that any event up to a moment names."""
        ...

    def links(self, as_of: datetime) -> Iterable[Link]:
        """Every evidence up to a moment that two points are one person."""
        ...

    def names(self, as_of: datetime) -> Iterable[SealedName]:
        """The last name up to a moment that was told of each point."""
        ...

    def arrivals(self, event_type: type[Event], since: datetime, until: datetime) -> Mapping[str, Sequence[Any]]:
        """What was received in [since, until), as columns; ciphertext is left out."""
        ...

    def received_per_day(self, event_type: type[Event], since: datetime, until: datetime) -> Sequence[int]:
        """Rows received in the 24 hours before `until`, in the 24 hours before those, and so on back to the first that has any."""
        ...

    def event_dates(self) -> tuple[date, date] | None:
        """The first and the last event date, or None while the lake is empty."""
        ...

    def compact(self, min_files: int) -> Iterator[Merge]:
        """Merge the small files of each date that has at least so many; each merge as it is done."""
        ...

    def sweep(self) -> int | None:
        """Remove files that were merged into others; how many, or None while somebody reads the lake."""
        ...


class LakeWriter(Protocol):
    """One part of a segment, aside."""

    def add(self, event_type: type[Event], values: Mapping[str, Sequence[Any]]) -> None:
        """Append columns as `core.rows.columns_of` gives them."""
        ...

    def close(self) -> list[str]:
        """Write all of it, and say which files that made."""
        ...


class Held(NamedTuple):
    """One rejected item, encrypted, as quarantine keeps it. `line` and `item` count from 1."""

    line: int
    item: int
    tenant_id: str
    source: str
    account_id: str | None
    reason: str
    place: str
    detail: str
    received_at: datetime | None
    body_enc: bytes
    key_id: str


class Count(NamedTuple):
    """Conservation of one segment, tenant and source: received = accepted + rejected + replayed.

    `accepted` includes repeats; `replayed` items are counted anew by the replay that took them in.
    """

    tenant_id: str
    source: str
    received: int
    accepted: int
    rejected: int
    replayed: int = 0


class Task(NamedTuple):
    """One block to take in, the `part`th of its segment, from 0."""

    segment_id: str
    part: int
    block: Block


class Part(NamedTuple):
    """What a block came to: its lines that were not empty, counts, rejects by reason, rejected items, and files aside in the lake."""

    line_count: int
    counts: list[Count]
    reasons: dict[str, int]
    held: list[Held]
    files: list[str]


class Workers(Protocol):
    """Who takes blocks in: this process or several beside it. However many they are, they write the same files."""

    def work(self, tasks: Iterable[Task], directory: Directory, size_bytes: int) -> Iterator[Part]:
        """What each task came to, in their order; `size_bytes` of segments is about how much there is to do."""
        ...


class Ledger(SegmentsHeld, Protocol):
    """What has been taken in, and what was turned away."""

    def known(self, segment_ids: Collection[str]) -> set[str]:
        """Those that are taken in already."""
        ...

    def record(self, segment: Segment, line_count: int, detail: str, counts: Sequence[Count], held: Sequence[Held]) -> None:
        """Note a segment as taken in, with its counts and rejects, in one transaction."""
        ...

    def counts(self) -> Mapping[tuple[str, str, str], Count]:
        """Counts by (segment, tenant, source), of all segments."""
        ...

    def directory(self) -> Directory:
        """All connections with their secrets."""
        ...

    def refusals(self) -> Mapping[str, int]:
        """Held items of the quarantine by reason."""
        ...


class Vault(Protocol):
    """Who is behind a surrogate, and the keys; the only place that can tell."""

    def points(self, tenant_id: str, points: Collection[Point]) -> Mapping[Point, PointKey]:
        """Surrogate and key of each, made where new; committed before it returns."""
        ...

    def reveal(self, tenant_id: str, point_ids: Collection[str]) -> Mapping[str, Point]:
        """The persons behind surrogates; erased ones are missing."""
        ...

    def kinds(self) -> Mapping[str, str]:
        """The kind of every point id of every tenant."""
        ...

    def keys(self, tenant_id: str, point_ids: Collection[str]) -> Mapping[str, bytes]:
        """The keys of contact points, 32 bytes each; erased and unknown ones are missing."""
        ...

    def tenant_key(self, tenant_id: str, purpose: str) -> bytes:
        """A key of the tenant's own (`ref`, `fragment`); tenant '' is the platform."""
        ...
