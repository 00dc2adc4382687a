"""Files and folders that a power cut does not take.

Here belongs the waiting for the disk. Not here: what is written, and in which order.
"""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_AT_ONCE = 16


def make_durable(paths: Iterable[Path]) -> None:
    """Return when the content of these files, and the names in these folders, are on disk.

    Several at once, for a journal takes those that wait together in one go.

    Raises:
        OSError: the disk did not take all of it; what is on it is unknown then.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(_sync, paths):
            pass


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
