"""The lock that makes writers of one installation follow each other.

Here belongs that lock, for Dagster's runs (`lazy`) and for commands. Not here: who waits for what.
"""

import contextlib
import fcntl
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def hold_run_lock(home: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold `run.lock`, waiting for it where somebody else does (`on_wait` is called then); the kernel lets go of it with the process."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "run.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
