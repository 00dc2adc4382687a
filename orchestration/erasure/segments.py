"""Raw segments without the lines that speak of a person.

Here belongs rewriting what was taken in (`inbox/done`) or held whole (`inbox/held`). A line goes as a whole, for a signed body cannot be
cut; an empty one stays in its place, so that every other line keeps its number. What the line said of others is in the lake. Not here:
segments that wait, which the run takes in first.
"""

import gzip
import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import zstandard

from core.ports import Line
from orchestration.erasure.places import Place, note
from orchestration.erasure.words import Finder
from orchestration.resources.blocks import blocks_of
from orchestration.resources.durable import make_durable
from orchestration.resources.state import State

_DRAFT = ".erase-"
_DIGITS = 16
_COLLECTED = "collector-"
_LESS = "erased lines of "


class Rewritten(NamedTuple):
    """What became of the segments: files read and changed, their lines that are gone, bytes read."""

    files: int
    changed: int
    lines: int
    bytes: int


def rewrite(folders: Sequence[Path], finder: Finder, owner: tuple[str, str], state: State) -> Rewritten:
    """Every segment of these folders without the lines that the finder finds.

    Args:
        folders: of closed segments that nobody else writes; the caller holds the run lock.
        finder: for whom.
        owner: tenant and request for the log of erased lines (of several requests at once, the first).
        state: where segments and erased lines are noted, before a file changes.

    Killed anywhere, it does the same again: a file that was changed holds nothing to find.
    """
    files = changed = lines = size = 0
    for folder in folders:
        if not folder.is_dir():
            continue
        for leftover in folder.glob(f"{_DRAFT}*"):
            leftover.unlink()
        paths = sorted(each for each in folder.iterdir() if each.is_file() and not each.name.startswith("."))
        files, size = files + len(paths), size + sum(path.stat().st_size for path in paths)
        named = set(finder.hits((path, path.name.encode(errors="replace")) for path in paths))
        found: dict[Path, set[int]] = defaultdict(set)
        for path, number in finder.hits(_texts(paths)):
            found[path].add(number)
        for path in sorted({*found, *named}):
            _put(path, found[path], owner, state, is_renamed=path in named)
            changed, lines = changed + 1, lines + len(found[path])
    return Rewritten(files, changed, lines, size)


def strip(folders: Sequence[Path], known: Mapping[str, Collection[int]], owner: tuple[str, str], state: State) -> int:
    """Every segment of these folders without lines that were erased once; returns how many lines went.

    `known`: line numbers by the SHA-256 that a segment had when it came, or by its name where the collector gave it: such names never
    come twice, and the segment may have been cut short since (a backup copies the one that is being written).
    """
    count = 0
    for path in sorted(each for folder in folders if folder.is_dir() for each in folder.iterdir()):
        if not path.is_file() or path.name.startswith("."):
            continue
        old_id = _sha256(path)
        name = path.name.removeprefix(f"{old_id[:_DIGITS]}-")
        numbers = {*known.get(_first(state, old_id), ()), *(known.get(name, ()) if name.startswith(_COLLECTED) else ())}
        gone = {line.number for lines in _batches(path) for line in lines if line.number in numbers} if numbers else set()
        if gone:
            _put(path, gone, owner, state, is_renamed=False)
            count += len(gone)
    return count


def _first(state: State, segment_id: str) -> str:
    """The id that a segment had when it came."""
    with state.psycopg() as connection:
        row = connection.execute("select detail from ops.segments where segment_id = %s", (segment_id,)).fetchone()
    return str(row[0]).removeprefix(_LESS) if row and str(row[0]).startswith(_LESS) else segment_id


def _texts(paths: Iterable[Path]) -> Iterator[tuple[tuple[Path, int], bytes]]:
    for path in paths:
        for lines in _batches(path):
            yield from (((path, line.number), line.raw) for line in lines)


def _batches(path: Path) -> Iterator[list[Line]]:
    with path.open("rb") as file:
        for block in blocks_of(file, path.name):
            lines = list(block.lines())
            if lines:
                yield lines


def _put(path: Path, gone: set[int], owner: tuple[str, str], state: State, *, is_renamed: bool) -> None:
    old_id = _sha256(path)
    draft = path.with_name(f"{_DRAFT}{old_id[:_DIGITS]}{_ending(path.name)}")
    _write(draft, path, gone)
    new_id = _sha256(draft)
    make_durable([draft])
    name = f"erased{_ending(path.name)}" if is_renamed else path.name.removeprefix(f"{old_id[:_DIGITS]}-")
    _note(state, (old_id, new_id, name), gone, owner, draft.stat().st_size)
    target = path.with_name(f"{new_id[:_DIGITS]}-{name}")
    draft.rename(target)
    if target != path:
        path.unlink()
    make_durable([path.parent])


def _write(draft: Path, path: Path, gone: set[int]) -> None:
    """The same lines under the same numbers, an empty one in the place of each that is gone; what is damaged at the end is left out."""
    with gzip.open(draft, "wb") if path.name.endswith(".gz") else draft.open("wb") as raw:
        file: Any = zstandard.ZstdCompressor().stream_writer(raw, closefd=False) if path.name.endswith(".zst") else raw  # type: ignore[arg-type]
        number = 1
        for lines in _batches(path):
            for line in lines:
                if line.broken is not None:
                    continue
                file.write(b"\n" * (line.number - number))
                file.write((b"" if line.number in gone else line.raw) + b"\n")
                number = line.number + 1
        if file is not raw:
            file.close()


def _note(state: State, ids: tuple[str, str, str], gone: set[int], owner: tuple[str, str], size: int) -> None:
    """That the new bytes are known, and which lines are no more, by the id that the segment had when it came."""
    old_id, new_id, name = ids
    first = _first(state, old_id)
    with state.psycopg() as connection:
        row = connection.execute("select from ops.segments where segment_id = %s", (old_id,)).fetchone()
        if row is not None:  # a held segment is not known, and stays so: what is left of it may still be taken in
            connection.execute(
                "insert into ops.segments (segment_id, path, state, size_bytes, line_count, ingested_at, detail) "
                "select %s, %s, state, %s, 0, ingested_at, %s from ops.segments where segment_id = %s on conflict do nothing",
                (new_id, name, size, f"{_LESS}{first}", old_id),
            )
        connection.execute(
            "update ops.held_segments set segment_id = %s, path = %s, size_bytes = %s where segment_id = %s", (new_id, name, size, old_id)
        )
        note(connection, owner, [Place("inbox", first, str(number), name) for number in sorted(gone)])


def _ending(name: str) -> str:
    return next((each for each in (".ndjson.gz", ".ndjson.zst", ".ndjson") if name.endswith(each)), ".ndjson")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
