"""Segments as files: what is a closed one, and every line in front of whatever damage, once."""

import gzip
import os
import random
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from core.ports import Line
from orchestration.resources.inbox import FolderInbox

RNG = random.Random(5)
LINES = [f"{n} {RNG.randbytes(RNG.randrange(20, 300)).hex()}".encode() for n in range(6_000)]
"""1.9 MB that does not pack well: several blocks of every kind, on both sides."""

DATA = b"".join(line + b"\n" for line in LINES)


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=1).compress(data)


PACK: dict[str, Callable[[bytes], bytes]] = {".ndjson": bytes, ".ndjson.gz": lambda data: gzip.compress(data, 1), ".ndjson.zst": zstd}


def lines(folder: Path, suffix: str, content: bytes) -> list[Line]:
    """All lines of a segment with this content."""
    path = folder / f"a{suffix}"
    path.write_bytes(content)
    inbox = FolderInbox(folder)
    (segment,) = inbox.pending()
    found = list(inbox.lines(segment))
    inbox.settle(segment)
    assert inbox.pending() == []
    return found


def good(found: list[Line]) -> list[bytes]:
    assert all(each.broken is None for each in found)
    return [each.raw for each in found]


@pytest.mark.parametrize("suffix", PACK)
def test_lines_are_the_same_however_the_segment_is_packed(tmp_path: Path, suffix: str) -> None:
    pack = PACK[suffix]
    assert good(lines(tmp_path, suffix, pack(DATA))) == LINES
    assert good(lines(tmp_path, suffix, pack(DATA[:-1]))) == LINES  # without the last newline
    assert good(lines(tmp_path, suffix, pack(DATA.replace(b"\n", b"\r\n")))) == LINES
    assert good(lines(tmp_path, suffix, pack(DATA[:999_999]) + pack(DATA[999_999:]))) == LINES  # two members or frames
    spaced = lines(tmp_path, suffix, pack(b"\n  \n\r\nx\n\n"))
    assert [(each.number, each.raw) for each in spaced] == [(4, b"x")]
    for nothing in (b"", pack(b""), pack(b"\n\n \r\n")):
        assert lines(tmp_path, suffix, nothing) == []


def test_padding_after_a_gzip_member_is_no_damage(tmp_path: Path) -> None:
    assert good(lines(tmp_path, ".ndjson.gz", gzip.compress(DATA) + bytes(3 << 20))) == LINES


def damaged(found: list[Line], complete: int) -> None:
    """All complete lines, then one that says why the rest is missing, where the next line would be."""
    assert [each.raw for each in found[:-1]] == LINES[:complete]
    assert all(each.broken is None for each in found[:-1])
    last = found[-1]
    assert last.broken is not None
    assert (last.number, last.raw, last.broken.reason) == (complete + 1, b"", "bad_archive")


@pytest.mark.parametrize("share", [0.001, 0.3, 0.7, 0.999])
def test_a_cut_off_gzip_gives_every_whole_line_in_front_of_the_cut(tmp_path: Path, share: float) -> None:
    packed = gzip.compress(DATA, 1)
    cut = packed[: int(len(packed) * share)]
    damaged(lines(tmp_path, ".ndjson.gz", cut), zlib.decompressobj(31).decompress(cut).count(b"\n"))


@pytest.mark.parametrize("share", [0.001, 0.3, 0.7, 0.999])
def test_a_cut_off_zstd_gives_every_whole_line_in_front_of_the_cut(tmp_path: Path, share: float) -> None:
    packed = zstd(DATA)
    cut = packed[: int(len(packed) * share)]
    readable = zstandard.ZstdDecompressor().stream_reader(cut).read()  # it takes a cut for an end
    damaged(lines(tmp_path, ".ndjson.zst", cut), readable.count(b"\n"))


def test_damage_that_shows_only_at_the_end_costs_no_line(tmp_path: Path) -> None:
    packed = gzip.compress(DATA, 1)
    damaged(lines(tmp_path, ".ndjson.gz", packed[:-5]), len(LINES))  # the trailer is not whole
    damaged(lines(tmp_path, ".ndjson.gz", packed[:-6] + b"\0" * 6), len(LINES))  # the checksum is another
    damaged(lines(tmp_path, ".ndjson.gz", packed + b"not gzip"), len(LINES))
    damaged(lines(tmp_path, ".ndjson.zst", zstd(DATA) + b"not zstd"), len(LINES))


@pytest.mark.parametrize("suffix", [".ndjson.gz", ".ndjson.zst"])
def test_a_corrupt_header_is_one_line_that_says_so(tmp_path: Path, suffix: str) -> None:
    for wrong in (b"\0" + PACK[suffix](DATA)[1:], DATA, b"x"):
        damaged(lines(tmp_path, suffix, wrong), 0)


def test_a_small_archive_cannot_fill_the_memory(tmp_path: Path) -> None:
    import resource

    bomb = zstd(bytes(300 << 20))  # 300 MB in 10 kB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = lines(tmp_path, ".ndjson.zst", bomb)
    assert [each.broken and each.broken.reason for each in found] == ["too_large"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 260 << 10


def test_what_is_still_being_written_or_is_no_segment_is_left_alone(tmp_path: Path) -> None:
    for name in (".a.ndjson", "a.ndjson.part", "a.ndjson.gz.tmp", "a.json", "ndjson", ".ndjson"):
        (tmp_path / name).write_bytes(DATA)
    (tmp_path / "folder.ndjson").mkdir()
    (tmp_path / "b.ndjson").write_bytes(b"x\n")
    inbox = FolderInbox(tmp_path)
    assert inbox.names() == [each.path.name for each in inbox.pending()] == ["b.ndjson"]
    assert FolderInbox(tmp_path / "missing").pending() == []


def test_a_file_that_somebody_is_still_writing_is_left_alone(tmp_path: Path) -> None:
    """What `cp` does: the name is there before the end."""
    inbox = FolderInbox(tmp_path)
    with (tmp_path / "a.ndjson").open("wb") as copying:
        copying.write(b"{}\n")
        copying.flush()
        assert inbox.names() == []
        assert inbox.pending() == []
    assert inbox.names() == ["a.ndjson"]


def test_segments_of_one_name_do_not_meet_when_they_are_put_aside(tmp_path: Path) -> None:
    inbox = FolderInbox(tmp_path)
    for content in (b"one\n", b"two\n", b"one\n"):
        (tmp_path / "a.ndjson").write_bytes(content)
        inbox.settle(inbox.pending()[0])
    assert sorted(path.read_bytes() for path in inbox.done.iterdir()) == [b"one\n", b"two\n"]


def test_a_name_that_is_not_utf_8_is_a_name(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.ndjson"))
    path.write_bytes(b"x\n")
    inbox = FolderInbox(tmp_path)
    assert good(list(inbox.lines(inbox.pending()[0]))) == [b"x"]
