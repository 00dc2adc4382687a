"""The inbox folder: closed NDJSON segments, plain, `.gz` or `.zst`.

Here belongs finding segments, unpacking them and putting them aside. Not here: what a line means (`core.intake`).
"""

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

import zstandard

from core.events import Reject
from core.ports import Line, Segment

SUFFIXES = (".ndjson", ".ndjson.gz", ".ndjson.zst")
_BLOCK = 1 << 20
_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError)
MAX_LINE_BYTES = 64 << 20  # a body of the largest accepted size grows to at most 6 times when its text is escaped


class FolderInbox:
    """Files that anybody drops into a folder. A name that starts with a dot, or has another ending, is still being written."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; it is made when first needed."""
        self.folder = folder
        self.done = folder / "done"

    def names(self) -> list[str]:
        """Names of closed segments, without reading them."""
        if not self.folder.is_dir():
            return []
        return sorted(
            path.name for path in self.folder.iterdir() if path.is_file() and path.name.endswith(SUFFIXES) and path.name[0] != "."
        )

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
        self.done.mkdir(parents=True, exist_ok=True)
        segment.path.rename(self.done / f"{segment.segment_id[:16]}-{segment.path.name}")


def _segment(path: Path) -> Segment:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
        size = file.tell()
    return Segment(digest.hexdigest(), path, size)


def _unpacked(file: io.BufferedReader, name: str) -> io.BufferedIOBase:
    if name.endswith(".gz"):
        return io.BufferedReader(gzip.GzipFile(fileobj=file), _BLOCK)
    if name.endswith(".zst"):
        return io.BufferedReader(_Zst(file), _BLOCK)  # type: ignore[type-var]  # typeshed wants a file's mode and name; the reader does not
    return file


class _Zst(io.RawIOBase):
    """A zstd stream that reports a cut-off frame, which the library's own reader takes for an end."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self._inner = zstandard.ZstdDecompressor().decompressobj()
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # io wants any writable buffer; a BufferedReader gives this
        while not self._ready:
            if self._inner.eof:
                rest = self._inner.unused_data or self._file.read(_BLOCK)
                if not rest:
                    return 0
                self._inner = zstandard.ZstdDecompressor().decompressobj()  # a file may hold several frames
                self._ready = self._inner.decompress(rest)
                continue
            block = self._file.read(_BLOCK)
            if not block:
                raise EOFError("the last zstd frame has no end")
            self._ready = self._inner.decompress(block)
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size


def _skip_line(stream: io.BufferedIOBase) -> None:
    while (part := stream.readline(_BLOCK)) and not part.endswith(b"\n"):
        pass
