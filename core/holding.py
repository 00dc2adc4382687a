"""Segments that were not taken in, or were long ago: the part of the ports of inbox and ledger that speaks of them.

Here belong those shapes and seams. Not here: when a segment is held (`core.breaker`), the other seams (`core.ports`, which takes these in).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from core.ports import Line, Segment


class HeldSegment(NamedTuple):
    """A segment that was not taken in because too much of it is broken; `verdicts` as in `core.breaker`, `name` without its folder."""

    segment_id: str
    name: str
    state: str
    held_at: datetime
    verdicts: Sequence[Mapping[str, Any]]


class Removed(NamedTuple):
    """What was removed of the raw segments, and how many were left because nobody knows them."""

    removed: int
    bytes: int
    not_in_ledger: int


class SegmentsAside(Protocol):
    """What an inbox does with segments beside taking them in."""

    def hold(self, segment: "Segment") -> None:
        """Put it where it waits, because nothing of it was taken in."""
        ...

    def put_back(self, segment_id: str) -> None:
        """Let a held segment be pending again; no error where it is pending already."""
        ...

    def expire(self, as_of: datetime, taken_in: Callable[[Collection[str]], Mapping[str, tuple[str, datetime]]]) -> Removed:
        """Remove raw segments that were taken in long enough ago; one that the ledger does not know is left."""
        ...

    def split(self, segment: "Segment", is_apart: Callable[["Line"], bool]) -> "tuple[Segment, Segment] | None":
        """Two pending segments in its place, the lines that are to be apart and the rest; None where it cannot be or one would be empty."""
        ...


class SegmentsHeld(Protocol):
    """What a ledger knows of segments that are held, and of the moments at which others were taken in."""

    def taken_in(self, starts: Collection[str]) -> Mapping[str, tuple[str, datetime]]:
        """Id and moment of the segments that were taken in, by the first 16 digits of the id."""
        ...

    def circumstances(self) -> str:
        """What decides, besides its bytes, whether a segment is broken: connections and decoders, as a digest."""
        ...

    def hold(self, segment: "Segment", verdicts: Sequence[Mapping[str, Any]], tried_with: str) -> None:
        """Note that a segment is held, and under which circumstances it was tried."""
        ...

    def held(self) -> Sequence[HeldSegment]:
        """Segments that are held, or released and not yet taken in, oldest first."""
        ...

    def to_try(self, tried_with: str) -> Sequence[HeldSegment]:
        """Those of them that were released, or last tried under other circumstances."""
        ...

    def is_released(self, segment_id: str) -> bool:
        """Whether a person has decided that it is taken in, however much of it is broken."""
        ...
