"""`flexoraa lake`: what files the lake has, and merging small ones.

Here belongs opening what these need (no database) and printing. Not here: any work.
"""

import json
from collections import Counter

import msgspec
import pyarrow as pa
import typer

from assets import maintenance
from core.events import EVENT_TYPES
from core.ports import Progress
from orchestration.resources.clients import alone
from orchestration.resources.engines import warehouse_of
from orchestration.resources.lake import FolderLake
from orchestration.resources.lake_files import LakeError, LakeFiles
from orchestration.resources.lake_schema import footer
from orchestration.resources.settings import Settings
from orchestration.tables import print_table


def print_lake(settings: Settings, *, as_json: bool) -> None:
    """One row a table that has files; files of merged rows, and those that wait for their removal, are counted apart."""
    files = LakeFiles(settings.lake)
    with files.reading():
        rows = [row for event_type in EVENT_TYPES if (row := _table(files, event_type.table))]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    elif rows:
        print_table(pa.Table.from_pylist([row | {"schema_versions": _words(row["schema_versions"])} for row in rows]), "table")
    else:
        typer.echo(_nothing(settings))


def _nothing(settings: Settings) -> str:
    return f"{settings.lake}: no event has been taken in yet"


def _table(files: LakeFiles, table: str) -> dict:  # type: ignore[type-arg]  # JSON
    held = [(file, said) for file in files.live(table) if (said := footer(file)).rows]
    if not held:
        return {}
    sizes = [file.size_bytes for file, _ in held]
    return {
        "table": table,
        "files": len(held),
        "merged_files": sum(file.is_merged for file, _ in held),
        "dates": len({file.day for file, _ in held}),
        "rows": sum(said.rows for _, said in held),
        "bytes": sum(sizes),
        "smallest_bytes": min(sizes),
        "largest_bytes": max(sizes),
        "schema_versions": {str(version): count for version, count in sorted(Counter(said.version for _, said in held).items())},
        "files_to_remove": files.waiting(table),
    }


def _words(versions: dict[str, int]) -> str:
    return ", ".join(f"{version} ({count})" for version, count in versions.items())


def compact(settings: Settings, min_files: int, progress: Progress, *, as_json: bool) -> None:
    """Merge under the run lock, and say what came of it.

    Raises:
        LakeError: there is no lake, or it holds what cannot be read.
    """
    if not settings.lake.is_dir():
        raise LakeError(_nothing(settings))
    lake = FolderLake(settings.lake, settings.lake_file_mb << 20)
    warehouse = warehouse_of(settings, "")  # what is asked of it here needs no connection
    with alone(settings.home):
        done = maintenance.compact(lake, warehouse, progress, min_files)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(done), indent=2).decode())
        return
    saved = f"{done.bytes_before / 1e6:,.1f} MB are {done.bytes_after / 1e6:,.1f} MB"
    typer.echo(f"{done.files_before} files became {done.files_after} with the same {done.rows:,} rows; {saved}")
    if done.files_removed is None:
        typer.echo("the old ones are still being read: the next compaction removes them")
