"""The inbox folder: closed NDJSON segments, plain, `.gz` or `.zst`.

Here belongs finding segments, unpacking them and putting them aside. Not here: what a line means (`core.intake`).
"""

import errno
import fcntl
import hashlib
import io
import os
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import zstandard

from core.events import Reject
from core.holding import Removed
from core.ports import Line, Segment

SUFFIXES = (".ndjson", ".ndjson.gz", ".ndjson.zst")
_BLOCK = 1 << 20
_ID_DIGITS = 16
KEEP = timedelta(days=30)
_GZIP = 16 + zlib.MAX_WBITS  # zlib's way to say: with gzip's header and checksum
_PART = 1 << 14
_ZSTD_STEP = 1 << 10  # 1 kB unpacks to at most 32 MB (blocks of 4 bytes that stand for 128 kB each), 1 MB to 32 GB
_DAMAGE = (EOFError, zlib.error, zstandard.ZstdError)
MAX_LINE_BYTES = 64 << 20  # a body of the largest accepted size grows to at most 6 times when its text is escaped


class FolderInbox:
    """Files that anybody drops into a folder. A name that starts with a dot, or has another ending, is still being written."""

    def __init__(self, folder: Path, keep: timedelta = KEEP) -> None:
        """Take the folder; it is made when first needed. `keep`: how long a segment stays in `done/`."""
        self._keep = keep
        self.folder = folder
        self.done = folder / "done"
        self.held = folder / "held"

    def names(self) -> list[str]:
        """Names of closed segments, without reading them."""
        if not self.folder.is_dir():
            return []
        found = (path for path in self.folder.iterdir() if path.name.endswith(SUFFIXES) and path.name[0] != "." and path.is_file())
        return sorted(path.name for path in found if not _is_being_written(path))

    def pending(self) -> list[Segment]:
        """Closed segments, by name."""
        return [_segment(self.folder / name) for name in self.names()]

    def lines(self, segment: Segment) -> Iterator[Line]:
        """Lines without their newline; empty ones are passed over but counted. Damage ends the segment with one Line that says so."""
        number = 0
        with segment.path.open("rb") as file, _unpacked(file, segment.path.name) as stream:
            while True:
                number += 1
                try:
                    raw = stream.readline(MAX_LINE_BYTES)
                except _DAMAGE as error:
                    yield Line(number, b"", Reject("bad_archive", "$", f"the archive is damaged or cut off here: {error}"))
                    return
                if not raw:
                    return
                if len(raw) == MAX_LINE_BYTES and not raw.endswith(b"\n"):
                    _skip_line(stream)
                    yield Line(number, raw[:1024], Reject("too_large", "$", f"a line of more than {MAX_LINE_BYTES:,} bytes"))
                elif raw.strip():
                    yield Line(number, raw.rstrip(b"\r\n"))

    def settle(self, segment: Segment) -> None:
        """Move it to `done/`, under its id, so that two files of one name do not meet."""
        _move(segment, self.done)

    def hold(self, segment: Segment) -> None:
        """Move it to `held/`, under its id."""
        _move(segment, self.held)

    def put_back(self, segment_id: str) -> None:
        """From `held/` back to where it is pending, its id in its name: the old one may be another's. No error where it is not there."""
        for path in sorted(self.held.glob(f"{segment_id[:_ID_DIGITS]}-*")):
            path.rename(self.folder / path.name)

    def expire(self, as_of: datetime, taken_in: Callable[[Collection[str]], Mapping[str, tuple[str, datetime]]]) -> Removed:
        """Remove from `done/` what was taken in `keep` ago or earlier, by the ledger and by its bytes; anything else is left."""
        paths = sorted(self.done.iterdir()) if self.done.is_dir() else []
        known = taken_in({path.name[:_ID_DIGITS] for path in paths})
        removed = size = strange = 0
        for path in paths:
            segment_id, at = known.get(path.name[:_ID_DIGITS], ("", as_of))
            if segment_id and at > as_of - self._keep:
                continue
            found = _segment(path)  # a name proves nothing: what was put here by hand may be all that there is of it
            if found.segment_id != segment_id:
                strange += 1
                continue
            path.unlink()
            removed, size = removed + 1, size + found.size_bytes
        return Removed(removed, size, strange)

    def split(self, segment: Segment, is_apart: Callable[[Line], bool]) -> tuple[Segment, Segment] | None:
        """Two pending segments in its place, the lines that are to be apart and the rest, by names that follow from its id.

        None, and nothing changes, where one of them would be empty or the segment is damaged. Killed on the way, it is still there and is
        split the same way again.
        """
        names = [f"{part}-{segment.segment_id[:16]}.ndjson" for part in ("apart", "rest")]
        drafts = [self.folder / f".{name}" for name in names]
        counts = [0, 0]
        with drafts[0].open("wb") as apart, drafts[1].open("wb") as rest:
            for line in self.lines(segment):
                if line.broken is not None:
                    counts = [0, 0]
                    break
                part = 0 if is_apart(line) else 1
                (apart, rest)[part].write(line.raw + b"\n")
                counts[part] += 1
            for file in (apart, rest):
                file.flush()
                os.fsync(file.fileno())
        if not all(counts):
            for draft in drafts:
                draft.unlink()
            return None
        for draft, name in zip(drafts, names, strict=True):
            draft.rename(self.folder / name)
        segment.path.unlink()
        return _segment(self.folder / names[0]), _segment(self.folder / names[1])


def _move(segment: Segment, folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    segment.path.rename(folder / _aside(segment.segment_id, segment.path.name))


def _aside(segment_id: str, name: str) -> str:
    start = f"{segment_id[:_ID_DIGITS]}-"
    return name if name.startswith(start) else start + name


def _is_being_written(path: Path) -> bool:
    """Whether anybody has the file open to write: a plain `cp` shows its name before its end.

    A read lease is granted only on a file that nobody has open for writing (Linux; for its owner or root). Elsewhere the name alone tells.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        with path.open("rb") as file:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except FileNotFoundError:  # taken in, or taken away, since the folder was read
        return True
    except OSError as error:
        if error.errno in {errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOLCK, errno.EOPNOTSUPP} and os.access(path, os.R_OK):
            return False  # somebody else's file, or a file system without leases
        raise
    return False


def _segment(path: Path) -> Segment:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
        size = file.tell()
    return Segment(digest.hexdigest(), path, size)


def _unpacked(file: io.BufferedReader, name: str) -> io.BufferedIOBase:
    if name.endswith(".gz"):
        return io.BufferedReader(_Unpacked(_gzip_parts(file)), _BLOCK)  # type: ignore[type-var]  # typeshed wants a file's mode and name
    if name.endswith(".zst"):
        return io.BufferedReader(_Unpacked(_zstd_parts(file)), _BLOCK)  # type: ignore[type-var]  # as above
    return file


def _gzip_parts(file: io.BufferedReader) -> Iterator[bytes]:
    """What a gzip file holds, in small parts: the standard reader loses up to a block of good lines in front of the damage."""
    blocks = filter(None, _blocks(file))
    packed = next(blocks, b"")
    while packed:
        member = zlib.decompressobj(_GZIP)
        while not member.eof:
            yield member.decompress(packed, _PART)
            packed = member.unconsumed_tail
            if not packed and not member.eof:
                packed = next(blocks, b"")
                if not packed:
                    yield from _rest(member)
                    raise EOFError("the gzip stream has no end")
        packed = member.unused_data.lstrip(b"\0")  # members may be padded
        while not packed and (block := next(blocks, b"")):
            packed = block.lstrip(b"\0")


def _blocks(file: io.BufferedReader) -> Iterator[bytes]:
    """The file in blocks, gzip's last 8 bytes apart: a wrong checksum takes what was unpacked in the same call with it."""
    block = file.read(_BLOCK)
    while following := file.read(_BLOCK):
        yield block
        block = following
    yield block[:-8]
    yield block[-8:]


def _rest(member: "zlib._Decompress") -> Iterator[bytes]:
    while part := member.decompress(b"", _PART):
        yield part


def _zstd_parts(file: io.BufferedReader) -> Iterator[bytes]:
    """What a zstd file holds. The library's own reader takes a cut-off frame for an end."""
    packed = file.read(_ZSTD_STEP)
    while packed:
        frame = zstandard.ZstdDecompressor().decompressobj()
        while not frame.eof:
            yield frame.decompress(packed)
            if not frame.eof:
                packed = file.read(_ZSTD_STEP)
                if not packed:
                    raise EOFError("the last zstd frame has no end")
        packed = frame.unused_data or file.read(_ZSTD_STEP)  # a file may hold several frames


class _Unpacked(io.RawIOBase):
    """Parts as a stream; what came before an error is read before the error is raised."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # io wants any writable buffer; a BufferedReader gives this
        while not self._ready:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._ready = memoryview(part)
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size


def _skip_line(stream: io.BufferedIOBase) -> None:
    while (part := stream.readline(_BLOCK)) and not part.endswith(b"\n"):
        pass
