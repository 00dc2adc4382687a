"""Who uses a shared server now: one locked file a client, so that a killed one counts no more.

Here belongs the counting, and the locks. Not here: what is started for the first and stopped after the last (`postgres`).
"""

import fcntl
import os
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exclusive(lock_file: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold `lock_file` alone among all processes, after `on_wait` where it must wait; the kernel lets go of it when the process dies."""
    with lock_file.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Hold the run lock of an installation, so that runs, compactions and replays follow each other; who must wait is told so on stderr."""
    home.mkdir(parents=True, exist_ok=True)
    with exclusive(home / "run.lock", lambda: print("waiting for the run that is on its way", file=sys.stderr, flush=True)):
        yield


class Clients:
    """The clients registered in a folder. Call its methods only under one `exclusive` lock.

    Each client holds an flock on its own file for as long as it lives. That, not a pid and a start time, tells the living from
    the dead: a pid can be reused and a start time moves with the wall clock, but the kernel drops a lock with its process,
    always.
    """

    def __init__(self, folder: Path) -> None:
        """Count in `folder`, which is made when the first client comes."""
        self._folder = folder
        self._held: int | None = None
        self._path: Path | None = None

    def join(self) -> None:
        """Register this process once more than before."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._folder / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"  # the pid is for people who look into the folder
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)  # not inherited by programs that we start
        fcntl.flock(handle, fcntl.LOCK_EX)
        self._held, self._path = handle, path

    def leave(self) -> None:
        """Take back what `join` registered."""
        if self._path is not None and self._held is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._held)
        self._held = self._path = None

    def count(self) -> int:
        """How many live; the files of the dead are removed."""
        return sum(1 for path in self._folder.iterdir() if _is_alive(path)) if self._folder.exists() else 0


def _is_alive(path: Path) -> bool:
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        path.unlink()
    return False
