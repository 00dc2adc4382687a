"""Where any of very many patterns may be, found by looking at every third place.

Here belongs the filter: of each pattern three windows side by side are kept, so wherever it lies, one of them begins at a place that is
looked at. Windows are compared without case and without the high bit, which loses no match and finds some that are none. One pattern or
140,000: 640 and 150 MB/s of one core, where an Aho-Corasick automaton reads 95 and 4. Not here: whether a place is a hit (`search`).
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

_STRIDE = 3
_WIDEST = 8
_SHORT = 8
"""Patterns below this length are looked for apart: their windows are so narrow that digits alone would fill the table."""

_FOLD = 0x5F
_MIX = np.uint64(0x9E3779B97F4A7C15)
_BLOCK = 1 << 17
"""Windows that are looked at together: 1 MB of numbers, which stays in the cache."""

_FEWEST, _MOST = 16, 24
_SPARE = 6
"""Binary digits by which the table has more cells than windows: one of 64 is taken for nothing."""

PADDING = bytes(_WIDEST)
"""To be put behind what is searched."""


class Windows:
    """A filter for some patterns, all of 6 bytes or more."""

    def __init__(self, patterns: Sequence[bytes]) -> None:
        """Of an index in `patterns` speaks `places`."""
        is_short = [len(each) < _SHORT for each in patterns]
        groups = [[n for n, short in enumerate(is_short) if short is wanted] for wanted in (True, False)]
        self._groups = [_Group(patterns, numbers) for numbers in groups if numbers]

    def places(self, padded: bytes) -> Iterator[tuple[int, int]]:
        """Index of a pattern and where it may begin; no place of a pattern is left out, and none is told twice."""
        for group in self._groups:
            yield from group.places(padded)


class _Group:
    def __init__(self, patterns: Sequence[bytes], numbers: Sequence[int]) -> None:
        shortest = min(len(patterns[each]) for each in numbers)
        self._width = min(_WIDEST, shortest - _STRIDE + 1)
        self._mask = np.uint64(int.from_bytes(bytes([_FOLD]) * self._width, "little"))
        # numbers to call differ at their ends, addresses and names at their beginnings
        first = [len(raw) - self._width - _STRIDE + 1 if raw[-1:].isdigit() else 0 for raw in (patterns[each] for each in numbers)]
        cut = b"".join(
            patterns[number][at : at + self._width].ljust(_WIDEST, b"\0")
            for number, begin in zip(numbers, first, strict=True)
            for at in range(begin, begin + _STRIDE)
        )
        windows = np.frombuffer(cut, "<u8") & self._mask
        order = np.argsort(windows, kind="stable")
        self._windows = windows[order]
        self._numbers = np.repeat(np.array(numbers, np.int64), _STRIDE)[order]
        self._offsets = (np.repeat(np.array(first, np.int64), _STRIDE) + np.tile(np.arange(_STRIDE), len(numbers)))[order]
        digits = min(_MOST, max(_FEWEST, len(windows).bit_length() + _SPARE))
        self._shift = np.uint64(64 - digits)
        self._table = np.zeros(1 << digits, np.bool_)
        self._table[self._cells(self._windows)] = True

    def _cells(self, windows: NDArray[np.uint64]) -> NDArray[np.int64]:
        return ((windows * _MIX) >> self._shift).view(np.int64)

    def places(self, padded: bytes) -> Iterator[tuple[int, int]]:
        count = (len(padded) - _WIDEST) // _STRIDE + 1
        all_ = np.ndarray((count,), "<u8", padded, strides=(_STRIDE,))
        for start in range(0, count, _BLOCK):
            windows = all_[start : start + _BLOCK] & self._mask
            here = np.flatnonzero(self._table[self._cells(windows)])
            if here.size:
                yield from self._exact(windows[here], (here + start) * _STRIDE)

    def _exact(self, windows: NDArray[np.uint64], at: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
        begin, end = np.searchsorted(self._windows, windows), np.searchsorted(self._windows, windows, side="right")
        for which in np.flatnonzero(end > begin):
            for each in range(begin[which], end[which]):
                yield int(self._numbers[each]), int(at[which] - self._offsets[each])
