"""Files of NDJSON, plain, `.gz` or `.zst`, as blocks of whole lines.

Here belongs unpacking, whatever the damage, and cutting, by what the file holds and nothing else: a rerun must cut at the same places. Not
here: which files (`inbox`), what a line means (`core.intake`).
"""

import io
import zlib
from collections.abc import Iterator

import zstandard

from core.events import Reject
from core.ports import Block, Line

BLOCK_BYTES = 8 << 20
"""Size of a block: 11,000 bodies of 500 bytes, 0.3 s of work. Half of it makes twice the files, twice of it takes 40 MB more a process."""

BLOCK_LINES = 20_000
"""Lines of a block, where they are short: what is taken in takes memory by the line."""

MAX_LINE_BYTES = 64 << 20
"""With its newline. A body of the largest accepted size grows to at most 6 times when its text is escaped."""

_READ_BYTES = 1 << 20
_GZIP = 16 + zlib.MAX_WBITS  # zlib's way to say: with gzip's header and checksum
_PART = 1 << 14
_ZSTD_STEP = 1 << 10  # 1 kB unpacks to at most 32 MB (blocks of 4 bytes that stand for 128 kB each), 1 MB to 32 GB
_DAMAGE = (EOFError, zlib.error, zstandard.ZstdError)
_SHOWN_BYTES = 1024


def blocks_of(file: io.BufferedReader, name: str, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """The file in blocks of at most `block_bytes` and `BLOCK_LINES`; a longer line is one of its own. Damage is a line that says so."""
    parts = _parts(file, name)
    cutter = _Cutter(block_bytes)
    while True:
        try:
            part = next(parts, None)
        except _DAMAGE as error:
            yield from cutter.end(f"the archive is damaged or cut off here: {error}")
            return
        if part is None:
            yield from cutter.end()
            return
        yield from cutter.add(part)


class _Cutter:
    """Parts of any size into blocks of whole lines."""

    def __init__(self, block_bytes: int) -> None:
        self._block_bytes = block_bytes
        self._number = 1  # of the first line that is held
        self._held: list[bytes] = []
        self._size = 0
        self._open = 0  # where in what is held the line begins that has no end yet
        self._is_passing = False  # over the rest of a line that is too long

    def add(self, part: bytes) -> Iterator[Block]:
        if self._is_passing:
            _, newline, part = part.partition(b"\n")
            self._is_passing = not newline
        newline_at = part.rfind(b"\n")
        if newline_at >= 0:
            self._open = self._size + newline_at + 1
        self._held.append(part)
        self._size += len(part)
        if self._size >= self._block_bytes and self._open:
            yield from self._cut(self._block_bytes)
        if self._size - self._open >= MAX_LINE_BYTES:
            yield from self._cut(1)
            yield self._too_long(b"".join(self._held)[:_SHOWN_BYTES])
            self._held, self._size, self._is_passing = [], 0, True

    def end(self, damage: str | None = None) -> Iterator[Block]:
        """What is left; of a line that has no end because of `damage`, nothing."""
        if damage is None:
            self._held.append(b"\n")
            self._size += 1
            self._open = self._size
        yield from self._cut(1)
        if damage is not None:
            yield Block(self._number, b"", Line(self._number, b"", Reject("bad_archive", "$", damage)))

    def _cut(self, least: int) -> Iterator[Block]:
        """Blocks of the whole lines that are held, while they are of `least` bytes."""
        data, start = b"".join(self._held), 0
        while self._open - start > 0 and len(data) - start >= least:
            end = data.rfind(b"\n", start, start + self._block_bytes) + 1 or data.index(b"\n", start) + 1
            if end - start > MAX_LINE_BYTES:
                yield self._too_long(data[start : start + _SHOWN_BYTES])
            else:
                lines = data.count(b"\n", start, end)
                if lines > BLOCK_LINES:
                    end, lines = _behind_lines(data, start), BLOCK_LINES
                yield Block(self._number, data[start:end])
                self._number += lines
            start = end
        self._held, self._size, self._open = [data[start:]], len(data) - start, self._open - start

    def _too_long(self, shown: bytes) -> Block:
        reject = Reject("too_large", "$", f"a line of more than {MAX_LINE_BYTES:,} bytes")
        self._number += 1
        return Block(self._number - 1, b"", Line(self._number - 1, shown, reject))


def _behind_lines(data: bytes, start: int) -> int:
    for _ in range(BLOCK_LINES):
        start = data.index(b"\n", start) + 1
    return start


def _parts(file: io.BufferedReader, name: str) -> Iterator[bytes]:
    if name.endswith(".gz"):
        return _gzip_parts(file)
    if name.endswith(".zst"):
        return _zstd_parts(file)
    return iter(lambda: file.read(_READ_BYTES), b"")


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
    block = file.read(_READ_BYTES)
    while following := file.read(_READ_BYTES):
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
