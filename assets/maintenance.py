"""Keeping the lake readable: many small files into few larger ones, with the same rows.

Here belongs the order of its steps. It is no asset: it changes what files there are and not what exists. Not here: how files are merged
(`orchestration.resources.compaction`), when (`orchestration.automation`).
"""

from msgspec import Struct

from core.ports import Lake, Merge, Progress
from core.warehouse_ports import Warehouse

MIN_FILES = 8
"""Small files of a date from which merging is worth it: a late event or two a day must not write a large file anew each time."""


class Compaction(Struct, kw_only=True):
    """What it came to. `files_removed` is None while somebody reads: then the next one removes them."""

    merges: int
    files_before: int
    files_after: int
    rows: int
    bytes_before: int
    bytes_after: int
    files_removed: int | None


def compact(lake: Lake, warehouse: Warehouse, progress: Progress, min_files: int = MIN_FILES) -> Compaction:
    """Merge, show the warehouse the merged files, and only then remove what they were made of. The caller holds the run lock."""
    merges: list[Merge] = list(progress.over("merged files", lake.compact(min_files)))
    return Compaction(
        merges=len(merges),
        files_before=sum(each.files for each in merges),
        files_after=len(merges),
        rows=sum(each.rows for each in merges),
        bytes_before=sum(each.bytes_before for each in merges),
        bytes_after=sum(each.bytes_after for each in merges),
        files_removed=lake.sweep() if warehouse.follow() else None,
    )
