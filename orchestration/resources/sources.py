"""What a warehouse is built from: the tables of lake and reference, and the files that hold the rows of each.

Here belongs that list, for the engines that load or link files. Not here: how files get there (`lake`, `reference`).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from core.events import EVENT_TYPES
from core.reference import BUILD_TYPES, REFERENCE_TYPES
from core.signals import MessageSignal
from orchestration.resources.lake_files import LakeFiles
from orchestration.resources.lake_schema import readable
from orchestration.resources.signal_files import live_signals


class Source(NamedTuple):
    """A table, and the files that hold its rows."""

    schema: str
    table: str
    struct: type[Struct]
    folder: Path
    files: Sequence[Path]

    @property
    def name(self) -> str:
        """With its schema."""
        return f"{self.schema}.{self.table}"


def sources(lake: Path, reference: Path) -> Iterator[Source]:
    """Every table of both folders, with the files that count now.

    Raises:
        LakeError: a file cannot be read by this version, or is gone.
    """
    for event in EVENT_TYPES:
        files = readable(event, LakeFiles(lake).live(event.table))
        yield Source("lake", event.table, event, lake, [file.path for file in files])
    for row in (*REFERENCE_TYPES, *BUILD_TYPES):
        table: str = row.table  # type: ignore[attr-defined]  # every type of those tuples has one
        path = reference / f"{table}.parquet"
        if row not in BUILD_TYPES or path.exists():
            yield Source("reference", table, row, reference, [path])
    yield Source("reference", MessageSignal.table, MessageSignal, reference, live_signals(reference))
