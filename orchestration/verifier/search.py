"""One pass over bytes for very many patterns.

Here belongs the search: bytes are folded (upper case to lower, the high bit off), which keeps every offset and loses no match; an
Aho-Corasick automaton goes over the folded text; what it finds is compared with the bytes as they were. Not here: where bytes come from.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from orchestration.verifier.needles import Needle

_FOLD = bytes(ord(chr(each & 0x7F).lower()) for each in range(256))
_BATCH = 32 << 20
"""Bytes that go through one automaton: to build it for 60,000 patterns takes 0.2 s."""

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
        self._by_fold: dict[str, list[Needle]] = defaultdict(list)
        for each in needles:
            self._by_fold[each.raw.translate(_FOLD).decode("ascii")].append(each)
        self._patterns = list(self._by_fold)
        self.longest = max(map(len, self._patterns), default=0)
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
        import polars as pl  # here: 0.2 s that the command does not need to start

        pieces, self._waiting, self._size = self._waiting, [], 0
        if not pieces or not self._patterns:
            return
        folded = pl.Series([piece.raw.translate(_FOLD).decode("ascii") for piece in pieces], dtype=pl.String)
        found = [pieces[index] for index in folded.str.contains_any(self._patterns).arg_true()]
        if found:
            again = pl.Series([piece.raw.translate(_FOLD).decode("ascii") for piece in found], dtype=pl.String)
            places = again.str.find_many(self._patterns, overlapping=True)
            patterns = again.str.extract_many(self._patterns, overlapping=True)
            for piece, offsets, matched in zip(found, places.to_list(), patterns.to_list(), strict=True):
                for offset, pattern in zip(offsets, matched, strict=True):
                    self._judge(piece, offset, self._by_fold[pattern])

    def _judge(self, piece: Piece, offset: int, candidates: list[Needle]) -> None:
        for needle in candidates:
            end = offset + len(needle.raw)
            raw = piece.raw[offset:end]
            if end <= piece.skip or (raw != needle.raw if needle.is_exact else raw.lower() != needle.raw.lower()):
                continue
            if needle.is_number and (_is_digit(piece.raw[offset - 1 : offset]) or _is_digit(piece.raw[end : end + 1])):
                continue
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
