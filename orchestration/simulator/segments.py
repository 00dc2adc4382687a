"""Closed inbox segments from webhooks in any order, in bounded memory.

Lines are kept by the time slice in which they arrive and go to a spool folder when too many wait; each slice is sorted
alone and cut into segments, plain, gzip and zstd in turn. Not here: what the lines hold.
"""

import gzip
import shutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import zstandard

_WAITING = 64 << 20  # bytes in memory before all goes to the spool: about 60,000 webhooks
_STAMP = 21  # width of "<microseconds> " in front of a waiting line
_SHUFFLE_WINDOW = 40


@dataclass(frozen=True, slots=True)
class Place:
    """Where segments go, and under which names; `spool` is a folder of its own, removed at the end.

    Segments of an earlier time with the same prefix are removed first. `shuffled_share` of them have their lines out of order.
    """

    inbox: Path
    spool: Path
    prefix: str
    shuffled_share: float = 0.0


class Segments:
    """Takes lines, and writes the segments when all are in."""

    def __init__(self, place: Place, rng: Random, start: datetime, lines_each: int, time_slice: timedelta) -> None:
        """Write about `lines_each` lines a segment; nothing may be received before `start`; one `time_slice` must fit in memory."""
        self._slice = time_slice
        self._place, self._rng, self._start, self._lines_each = place, rng, start, lines_each
        self._waiting: dict[int, list[bytes]] = defaultdict(list)
        self._size = 0
        self.count = 0
        self.lines = 0
        shutil.rmtree(place.spool, ignore_errors=True)
        place.inbox.mkdir(parents=True, exist_ok=True)
        for path in place.inbox.glob(f"{place.prefix}*"):  # of an earlier simulation: its truth is about to be replaced too
            path.unlink()

    def add(self, received_at: datetime, line: bytes) -> None:
        """Take one line, without its newline."""
        micros = (received_at - self._start) // timedelta(microseconds=1)
        self._waiting[(received_at - self._start) // self._slice].append(b"%020d " % micros + line)
        self._size += len(line)
        self.lines += 1
        if self._size > _WAITING:
            self._spill()

    def _spill(self) -> None:
        self._place.spool.mkdir(parents=True, exist_ok=True)
        for key, lines in self._waiting.items():
            with (self._place.spool / str(key)).open("ab") as file:
                file.writelines(line + b"\n" for line in lines)
        self._waiting.clear()
        self._size = 0

    def close(self) -> None:
        """Write all segments."""
        buffer: list[bytes] = []
        for lines in self._slices():
            buffer += (line[_STAMP:] for line in sorted(lines))
            while len(buffer) >= self._lines_each:
                self._write(buffer[: self._lines_each])
                del buffer[: self._lines_each]
        if buffer:
            self._write(buffer)
        shutil.rmtree(self._place.spool, ignore_errors=True)

    def _slices(self) -> Iterator[list[bytes]]:
        spilled = {int(path.name) for path in self._place.spool.iterdir()} if self._place.spool.exists() else set()
        for key in sorted(spilled | set(self._waiting)):
            path = self._place.spool / str(key)
            kept = path.read_bytes().split(b"\n")[:-1] if key in spilled else []
            yield kept + self._waiting.pop(key, [])

    def _write(self, lines: list[bytes]) -> None:
        if self._rng.random() < self._place.shuffled_share:
            for low in range(0, len(lines), _SHUFFLE_WINDOW):
                window = lines[low : low + _SHUFFLE_WINDOW]
                self._rng.shuffle(window)
                lines[low : low + _SHUFFLE_WINDOW] = window
        self.write_one(lines, (".ndjson", ".ndjson.gz", ".ndjson.zst")[self.count % 3])

    def write_one(self, lines: list[bytes], suffix: str) -> None:
        """Write one segment of exactly these lines. It gets its name when it is whole: a reader may be watching."""
        self.count += 1
        data = b"".join(line + b"\n" for line in lines)
        if suffix.endswith(".gz"):
            data = gzip.compress(data, 6, mtime=0)
        elif suffix.endswith(".zst"):
            data = zstandard.ZstdCompressor(level=3).compress(data)
        path = self._place.inbox / f"{self._place.prefix}{self.count:06d}{suffix}"
        hidden = path.with_name(f".{path.name}")
        hidden.write_bytes(data)
        hidden.rename(path)
