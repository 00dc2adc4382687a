"""The segment that is being written: appended, made durable, closed by size and by age.

Here belong the files. An open segment has a name with a dot, which the inbox passes over, and is locked by its process; closing is
renaming. The kernel drops the lock with the process, so whoever finds an unlocked one finishes it. Not here: which lines, and when
(`commit`).
"""

import contextlib
import fcntl
import logging
import os
import time
import uuid
from pathlib import Path

from core.ports import Clock

MAX_BYTES = 64 << 20
"""Size from which a segment is closed: 120,000 bodies of 500 bytes, taken in within seconds."""

MAX_SECONDS = 10.0
"""Age from which it is closed: how long a quiet hour's webhook waits before anything can take it in."""

_OPEN, _END = ".collector-", ".ndjson.open"
_BLOCK = 1 << 16
_log = logging.getLogger(__name__)


class SegmentWriter:
    """The open segment of one process. Call it from one thread at a time; every method may block on the disk."""

    def __init__(self, inbox: Path, clock: Clock, max_bytes: int = MAX_BYTES, max_seconds: float = MAX_SECONDS) -> None:
        """Nothing is opened before the first line."""
        self._inbox = inbox
        self._clock = clock
        self._max_bytes = max_bytes
        self.max_seconds = max_seconds
        self._fd: int | None = None
        self._path = inbox
        self._size = 0
        self._opened = 0.0
        self.closed_count = 0

    def append(self, lines: list[bytes]) -> None:
        """Write whole lines, each with its newline, and return when they are on disk.

        Raises:
            OSError: the disk is full or broken. Nothing of these lines is kept; what was appended before is safe, in a segment
                that is closed now, since a file whose fsync failed is not to be relied on again.
        """
        fd = self._open() if self._fd is None else self._fd
        try:
            _write(fd, b"".join(lines))
            os.fdatasync(fd)  # 0.23 ms here, fsync 0.32: the time stamps need not be durable, and the size is with both
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(fd, self._size)
                self.close()
            self._fd = None  # if even that fails, the lock goes with the process, and the next start finishes the file
            raise
        self._size += sum(map(len, lines))
        if self._size >= self._max_bytes:
            self.close()

    def rotate(self) -> None:
        """Close the segment if it is old enough."""
        if self._fd is not None and time.monotonic() - self._opened >= self.max_seconds:
            self.close()

    def check(self) -> None:
        """Raise OSError where a line could not be written now: tried with a file of its own."""
        probe = self._inbox / f".probe-{os.getpid()}"
        try:
            with probe.open("wb", buffering=0) as file:
                file.write(b"\n")
                os.fdatasync(file.fileno())
        finally:
            probe.unlink(missing_ok=True)
        room = os.statvfs(self._inbox)
        if room.f_bavail * room.f_frsize < self._max_bytes:
            raise OSError(f"less than {self._max_bytes >> 20} MB left for {self._inbox}")

    def close(self) -> None:
        """Hand the segment to the inbox, where one is open; an empty one vanishes."""
        if self._fd is None:
            return
        fd, self._fd = self._fd, None
        try:
            _hand_in(self._path, self._size)
            self.closed_count += self._size > 0
        finally:
            os.close(fd)

    def finish_those_of_the_dead(self) -> int:
        """Close what killed processes left; a torn last line, which nobody was told of, is cut. Returns how many were closed."""
        count = 0
        for path in sorted(self._inbox.glob(f"{_OPEN}*{_END}")):
            # r+b never makes the file anew: another process may have finished it just now
            with contextlib.suppress(BlockingIOError, FileNotFoundError), path.open("r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                size = _whole_lines(file.fileno())
                file.truncate(size)
                os.fsync(file.fileno())
                _hand_in(path, size)
                _log.warning("closed %s of a process that died: %d bytes", path.name, size)
                count += 1
        return count

    def _open(self) -> int:
        self._inbox.mkdir(parents=True, exist_ok=True)
        name = f"{self._clock.now():%Y%m%dT%H%M%S.%f}-{os.getpid()}-{uuid.uuid4().hex[:12]}"  # unlike all others, in order of time
        opening = self._inbox / f".opening-{name}"  # nobody may find it as an open segment before it is locked
        fd = os.open(opening, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            self._path = opening.rename(self._inbox / f"{_OPEN}{name}{_END}")
            _sync_folder(self._inbox)  # else a power cut could take the name with all that is in it
        except OSError:
            os.close(fd)
            raise
        self._fd, self._size, self._opened = fd, 0, time.monotonic()
        return fd


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _whole_lines(fd: int) -> int:
    """Bytes up to and with the last newline."""
    end = os.lseek(fd, 0, os.SEEK_END)
    while end:
        start = max(0, end - _BLOCK)
        found = os.pread(fd, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _hand_in(path: Path, size: int) -> None:
    if size:
        path.rename(path.with_name(path.name.removeprefix(".").removesuffix(".open")))
    else:
        path.unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
