"""Progress on the terminal, on standard error, only where a person looks.

Here belongs the bar. Not here: logs, results.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from typing import IO, TypeVar

T = TypeVar("T")


class TerminalProgress:
    """A rich bar, or nothing where standard error is no terminal or quiet is wanted."""

    def __init__(self, *, quiet: bool = False) -> None:
        """`quiet` shows nothing."""
        self._terminal = None if quiet or not sys.stderr.isatty() else _copy_of_stderr()

    def over(self, name: str, items: Iterable[T], total: int | None = None) -> Iterator[T]:
        """The items, one by one; `total` where they cannot be counted."""
        if self._terminal is None:
            yield from items
            return
        from rich.console import Console  # here: a tenth of a second that scripts never need
        from rich.progress import track

        yield from track(items, description=name, total=total, console=Console(file=self._terminal), transient=True)


def _copy_of_stderr() -> IO[str]:
    """Standard error as it is now: while a step runs, Dagster sends the descriptor itself to a file."""
    return os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8")
