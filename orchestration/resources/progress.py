"""Progress on the terminal, on standard error, only where a person looks.

Here belongs the bar. Not here: logs, results.
"""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


class TerminalProgress:
    """A rich bar, or nothing where standard error is no terminal or quiet is wanted."""

    def __init__(self, *, quiet: bool = False) -> None:
        """`quiet` shows nothing."""
        self._quiet = quiet or not sys.stderr.isatty()

    def over(self, name: str, items: Iterable[T], total: int | None = None) -> Iterator[T]:
        """The items, one by one; `total` where they cannot be counted."""
        if self._quiet:
            yield from items
            return
        from rich.console import Console  # here: a tenth of a second that scripts never need
        from rich.progress import track

        yield from track(items, description=name, total=total, console=Console(stderr=True), transient=True)
