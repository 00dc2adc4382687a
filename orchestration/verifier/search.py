"""One pass over bytes for very many patterns.

Here belongs the search: a filter says where a pattern may be (`windows`), and what is there is compared with it, byte for byte. Not here:
where bytes come from.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from itertools import accumulate
from typing import NamedTuple

from orchestration.verifier.needles import Needle
from orchestration.verifier.windows import PADDING, Windows

_BATCH = 8 << 20
"""Bytes that go through the filter together: most pieces are small, and each pass has a cost of its own."""

_RECEIVED = re.compile(rb'"received_at" ?: ?"([^"]{10,40})"')


class Piece(NamedTuple):
    """Some bytes of a place. `skip` bytes at the begin were in the piece before; `since`: lines received from then on are later news."""

    place: str
    raw: bytes
    skip: int = 0
    since: datetime | None = None


class Hit(NamedTuple):
    """What was found, where, in which form."""

    owner: str
    place: str
    form: str


class Search:
    """Pieces go in, hits come out."""

    def __init__(self, needles: Iterable[Needle]) -> None:
        """All that is looked for."""
        self._needles = list(needles)
        self._windows = Windows([each.raw for each in self._needles])
        self.longest = max((len(each.raw) for each in self._needles), default=0)
        self.hits: Counter[Hit] = Counter()
        self.later: Counter[str] = Counter()
        self.bytes = 0
        self._waiting: list[Piece] = []
        self._size = 0

    def add(self, piece: Piece) -> None:
        """Search it, now or with the next ones."""
        self._waiting.append(piece)
        self._size += len(piece.raw)
        self.bytes += len(piece.raw) - piece.skip
        if self._size >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Search what waits."""
        pieces, self._waiting, self._size = self._waiting, [], 0
        starts = list(accumulate((len(piece.raw) for piece in pieces), initial=0))
        for number, place in self._windows.places(b"".join([*(piece.raw for piece in pieces), PADDING])):
            index = bisect_right(starts, max(place, 0)) - 1
            if index < len(pieces):
                self._judge(pieces[index], place - starts[index], self._needles[number])

    def _judge(self, piece: Piece, offset: int, needle: Needle) -> None:
        end = offset + len(needle.raw)
        raw = piece.raw[max(offset, 0) : end]
        if end <= piece.skip or (raw != needle.raw if needle.is_exact else raw.lower() != needle.raw.lower()):
            return
        if needle.is_number and (_is_digit(piece.raw[offset - 1 : offset]) or _is_digit(piece.raw[end : end + 1])):
            return
        if piece.since is not None and _received(piece.raw, offset, end) >= piece.since.timestamp():
            self.later[needle.owner] += 1
        else:
            self.hits[Hit(needle.owner, piece.place, needle.form)] += 1


def _is_digit(byte: bytes) -> bool:
    return byte.isdigit()


def _received(raw: bytes, begin: int, end: int) -> float:
    """When the line around a place was received, in seconds since 1970; 0 where it does not say."""
    line = raw[raw.rfind(b"\n", 0, begin) + 1 : _or_end(raw.find(b"\n", end), raw)]
    said = _RECEIVED.search(line)
    try:
        return datetime.fromisoformat(said[1].decode()).timestamp() if said else 0.0
    except ValueError:
        return 0.0


def _or_end(position: int, raw: bytes) -> int:
    return len(raw) if position < 0 else position
