"""The inbox folder: closed NDJSON segments, plain, `.gz` or `.zst`.

Here belongs finding segments and putting them aside. Not here: unpacking them (`blocks`), what a line means (`core.intake`).
"""

import contextlib
import errno
import fcntl
import hashlib
from collections.abc import Iterator
from pathlib import Path

from core.ports import Block, Line, Segment
from orchestration.resources.blocks import BLOCK_BYTES, blocks_of

SUFFIXES = (".ndjson", ".ndjson.gz", ".ndjson.zst")
_HASHED_BYTES = 1 << 20
_BEING_WRITTEN = "being written"


class FolderInbox:
    """Files that anybody drops into a folder. A name that starts with a dot, or has another ending, is still being written."""

    def __init__(self, folder: Path, block_bytes: int = BLOCK_BYTES) -> None:
        """Take the folder; it is made when first needed. The size of blocks is part of what a rerun must not change."""
        self.folder = folder
        self._block_bytes = block_bytes
        self.done = folder / "done"
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
        self.done.mkdir(mode=0o700, parents=True, exist_ok=True)
        prefix = f"{segment.segment_id[:16]}-"  # once, though somebody may have put it back from there
        with contextlib.suppress(FileNotFoundError):  # somebody took it away: what it held is taken in
            segment.path.rename(self.done / f"{prefix}{segment.path.name.removeprefix(prefix)}")


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
