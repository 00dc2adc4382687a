"""What was turned away, as it is asked for, shown and tried again: shapes, and the port behind them.

Here belongs what an entry, a choice and a replay are. Not here: decoding again (`assets.replay`, `assets.remodel`), the tables.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, Protocol

from core.ports import Count, Held

RETENTION = timedelta(days=90)
"""How long a body is kept where its tenant says nothing else, or is not known."""

CANNOT_BE_REPLAYED = frozenset({"bad_archive"})
"""Reasons of entries whose bytes are not the whole line."""

Kind = Literal["quarantine", "unmodelled"]
"""What is tried again: lines that were turned away, or accepted events of types that nobody modelled."""

State = Literal["held", "replayed", "expired"]


class QuarantineError(Exception):
    """Something was asked for that is not there, or not said clearly; the message says what to do."""


class Choice(NamedTuple):
    """Which entries are meant; an empty field means any."""

    ids: tuple[str, ...] = ()
    tenant_id: str | None = None
    source: str | None = None
    reason: str | None = None
    state: str | None = None
    since: datetime | None = None


class Entry(NamedTuple):
    """One item of the quarantine, without its body. `place` is line and JSON path; `detail` holds nothing personal."""

    quarantine_id: str
    segment_id: str
    line: int
    item: int
    tenant_id: str
    source: str
    account_id: str | None
    reason: str
    place: str
    detail: str
    received_at: datetime | None
    state: str
    replay_id: str | None


class Replay(NamedTuple):
    """One attempt on items of one segment. What it takes in lies in the lake as a segment of its own, `replay_id`."""

    replay_id: str
    segment_id: str
    kind: Kind
    state: Literal["begun", "written"]
    items: Sequence[Any]


class Outcome(NamedTuple):
    """What a replay of held lines came to: counts of what it took in, and all that is still refused of them, with its reason of today."""

    lines: Sequence[int]
    taken: Sequence[Count]
    still: Sequence[Held]


def replay_id(segment_id: str, kind: str, number: int) -> str:
    """The id of the `number`th replay (from 0) of a segment: the same attempt has the same id, so trying again overwrites.

    >>> replay_id("ab", "quarantine", 0)[:16]
    'fbd1dff049b3201c'
    """
    return hashlib.sha256(f"{kind} replay {number} of {segment_id}".encode()).hexdigest()


def quarantine_id(segment_id: str, held: Held) -> str:
    """The id of an entry: its place."""
    return f"{segment_id[:32]}-{held.line}-{held.item}"


class Quarantine(Protocol):
    """What was turned away, and the attempts to take it in after all."""

    def lines(self, choice: Choice) -> Mapping[str, Sequence[int]]:
        """Segments with those of their lines that have a chosen entry that is still held."""
        ...

    def entries(self, segment_id: str) -> Sequence[Entry]:
        """Every held entry of a segment."""
        ...

    def bodies(self, segment_id: str, lines: Collection[int]) -> Iterator[tuple[int, bytes]]:
        """Line number and bytes of held lines, in their order."""
        ...

    def earlier(self, segment_id: str) -> Sequence[str]:
        """Ids of replays of this segment that took something in."""
        ...

    def unfinished(self) -> Sequence[Replay]:
        """Replays that were begun and not ended, because their process died."""
        ...

    def begin(self, segment_id: str, kind: Kind, items: Sequence[Any]) -> Replay:
        """Note what is about to be written, before it is."""
        ...

    def settle(self, replay: Replay, outcome: Outcome) -> None:
        """In one transaction: what was taken in is `replayed`, what was not has its new reason, and the counts say so."""
        ...

    def written(self, replay: Replay, taken: Sequence[Count], left: Sequence[Count]) -> None:
        """Of an unmodelled replay: its rows are in the lake, so the old ones may go. `left`: how many of them, as `accepted`."""
        ...

    def done(self, replay: Replay) -> None:
        """Of a written one: the old rows are gone; its counts hold from now on."""
        ...

    def expire(self, as_of: datetime) -> Mapping[tuple[str, str], int]:
        """Take the bodies from entries whose time is over; returns how many by (tenant, reason)."""
        ...


class UnmodelledRow(NamedTuple):
    """One row of the lake's table `unmodelled`; `event_id` is the keyed hash, `fragment_enc` sealed."""

    tenant_id: str
    received_at: datetime
    segment_id: str
    body_hash: str
    source: str
    account_id: str
    event_id: str
    kind: str
    contact_point_id: str | None
    fragment_enc: bytes


class Told(NamedTuple):
    """What tells equal rows of the lake: whose, of which line's bytes, in which table, which event."""

    tenant_id: str
    body_hash: str
    table: str
    event_id: str


class Retold(NamedTuple):
    """Rows of one event that a segment and a replay of it both hold: its place in the lake, its source, and how many the segment has."""

    told: Told
    source: str
    number: int


class LakeRows(Protocol):
    """Single rows of the lake, for what is tried again."""

    def told(self, segment_ids: Collection[str], body_hashes: Collection[str]) -> Mapping[Told, int]:
        """How often each event is in these segments, of lines with these hashes."""
        ...

    def unmodelled(self, choice: Choice, kind: str | None = None, segment_ids: Collection[str] = ()) -> Sequence[UnmodelledRow]:
        """Events of types that nobody modelled, by tenant and source of the choice, their kind, and their segments."""
        ...

    def drop_unmodelled(self, segment_id: str, events: Collection[tuple[str, str]]) -> None:
        """Take rows out of `unmodelled`: those of a segment with these (tenant, event id). Files without them are not touched."""
        ...

    def retold(self, segment_id: str, replay_id: str) -> Sequence[Retold]:
        """What a replay holds anew of what its segment holds: of the same lines the same events."""
        ...

    def drop_retold(self, segment_id: str, retold: Collection[Retold]) -> None:
        """Take these rows out of the segment. Files without them are not touched."""
        ...
