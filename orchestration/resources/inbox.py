"""The inbox folder: closed NDJSON segments, plain, `.gz` or `.zst`.

Here belongs finding segments and putting them aside. Not here: unpacking them (`blocks`), what a line means (`core.intake`).
"""

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from core.ports import Block, Line, Segment
from orchestration.resources.blocks import blocks_of

SUFFIXES = (".ndjson", ".ndjson.gz", ".ndjson.zst")
_HASHED_BYTES = 1 << 20


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
        found = (path for path in self.folder.iterdir() if path.name.endswith(SUFFIXES) and path.name[0] != "." and path.is_file())
        return sorted(path.name for path in found if not _is_being_written(path))

    def pending(self) -> list[Segment]:
        """Closed segments, by name."""
        return [_segment(self.folder / name) for name in self.names()]

    def lines(self, segment: Segment) -> Iterator[Line]:
        """Lines without their newline; empty ones are passed over but counted. Damage ends the segment with one Line that says so."""
        for block in self.blocks(segment):
            yield from block.lines()

    def blocks(self, segment: Segment) -> Iterator[Block]:
        """The same in blocks of at most `BLOCK_BYTES` and `BLOCK_LINES`, unless a single line is longer."""
        with segment.path.open("rb") as file:
            yield from blocks_of(file, segment.path.name)

    def settle(self, segment: Segment) -> None:
        """Move it to `done/`, under its id, so that two files of one name do not meet."""
        self.done.mkdir(mode=0o700, parents=True, exist_ok=True)
        segment.path.rename(self.done / f"{segment.segment_id[:16]}-{segment.path.name}")


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
        while block := file.read(_HASHED_BYTES):
            digest.update(block)
        size = file.tell()
    return Segment(digest.hexdigest(), path, size)
