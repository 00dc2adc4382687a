"""The inbox folder: closed NDJSON segments, plain, `.gz` or `.zst`.

Here belongs finding segments and putting them aside. Not here: unpacking them (`blocks`), what a line means (`core.intake`).
"""

import contextlib
import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from core.holding import Removed
from core.ports import Block, Line, Segment
from orchestration.resources.blocks import BLOCK_BYTES, blocks_of

SUFFIXES = (".ndjson", ".ndjson.gz", ".ndjson.zst")
_HASHED_BYTES = 1 << 20
_ID_DIGITS = 16
KEEP = timedelta(days=30)
_BEING_WRITTEN = "being written"


class FolderInbox:
    """Files that anybody drops into a folder. A name that starts with a dot, or has another ending, is still being written."""

    def __init__(self, folder: Path, keep: timedelta = KEEP, block_bytes: int = BLOCK_BYTES) -> None:
        """Take the folder; it is made when first needed.

        Args:
            folder: where segments are dropped.
            keep: how long a segment stays in `done/`.
            block_bytes: size of blocks; a rerun must not change it.
        """
        self.folder = folder
        self._keep = keep
        self._block_bytes = block_bytes
        self.done = folder / "done"
        self.held = folder / "held"
        self._passed_over: dict[str, str] = {}

    def names(self) -> list[str]:
        """Names of closed segments that can be read, without reading them."""
        return sorted(name for name, why_not in self._look().items() if why_not is None)

    def pending(self) -> list[Segment]:
        """Closed segments that can be read, by name; what is passed over is known afterwards."""
        self._passed_over = {}
        found = []
        for name, why_not in sorted(self._look().items()):
            if why_not is not None:
                self._passed_over[name] = why_not
                continue
            try:
                found.append(_segment(self.folder / name))
            except OSError as error:
                self.pass_over(name, error)
        return found

    def passed_over(self) -> dict[str, str]:
        """Names that look like segments and could not be read since `pending` was called last, each with the reason."""
        return dict(self._passed_over)

    def pass_over(self, name: str, error: OSError) -> None:
        """Note that it could not be read."""
        self._passed_over[name] = "it was gone before it was read" if isinstance(error, FileNotFoundError) else _words(error)

    def _look(self) -> dict[str, str | None]:
        """Every name of a closed segment, and why it cannot be read, where that shows already."""
        if not self.folder.is_dir():
            return {}
        found: dict[str, str | None] = {}
        for path in self.folder.iterdir():
            if path.name.endswith(SUFFIXES) and path.name[0] != ".":
                why_not = _why_not(path)
                if why_not != _BEING_WRITTEN:
                    found[path.name] = why_not
        return found

    def lines(self, segment: Segment) -> Iterator[Line]:
        """Lines without their newline; empty ones are passed over but counted. Damage ends the segment with one Line that says so."""
        for block in self.blocks(segment):
            yield from block.lines()

    def blocks(self, segment: Segment) -> Iterator[Block]:
        """The same in blocks, as `blocks_of` cuts them."""
        with segment.path.open("rb") as file:
            yield from blocks_of(file, segment.path.name, self._block_bytes)

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
    with contextlib.suppress(FileNotFoundError):  # somebody took it away: what was to be done with it is done
        segment.path.rename(folder / _aside(segment.segment_id, segment.path.name))


def _aside(segment_id: str, name: str) -> str:
    start = f"{segment_id[:_ID_DIGITS]}-"
    return name if name.startswith(start) else start + name


def _why_not(path: Path) -> str | None:
    """Why a closed segment cannot be read, where that shows without reading it; `_BEING_WRITTEN` is no fault."""
    try:
        if not path.is_file():
            if path.is_symlink() and not path.exists():
                return "a link to a file that does not exist"
            return "a folder, or something else that is no file"
        return _BEING_WRITTEN if _is_being_written(path) else None
    except FileNotFoundError:  # taken in, or taken away, since the folder was read
        return _BEING_WRITTEN
    except OSError as error:
        return _words(error)


def _words(error: OSError) -> str:
    """What the system says, and what to do."""
    words = error.strerror or str(error)
    return f"{words}: make it readable for whoever runs flexoraa" if isinstance(error, PermissionError) else words


def _is_being_written(path: Path) -> bool:
    """Whether anybody has the file open to write: a plain `cp` shows its name before its end.

    A read lease is granted only on a file that nobody has open for writing (Linux; for its owner or root). Elsewhere the name alone tells.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    with path.open("rb") as file:
        try:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except BlockingIOError:
            return True
        except OSError as error:  # somebody else's file, or a file system without leases
            if error.errno not in {errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOLCK, errno.EOPNOTSUPP}:
                raise
    return False


def _segment(path: Path) -> Segment:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_HASHED_BYTES):
            digest.update(block)
        size = file.tell()
    return Segment(digest.hexdigest(), path, size)
