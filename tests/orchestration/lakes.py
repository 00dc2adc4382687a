"""Lakes for tests: segments of made-up rows, what is true of them, and three readers that have to agree with it."""

import shutil
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import duckdb

from core.columns import columns
from core.events import Event, Message, ServiceEvent
from orchestration.resources.compaction import scan
from orchestration.resources.lake import FolderLake
from orchestration.resources.lake_files import LakeFiles
from orchestration.resources.lake_views import lake_query
from orchestration.resources.warehouse import Warehouse

AT = datetime(2026, 3, 1, tzinfo=UTC)
TABLES: tuple[type[Event], ...] = (Message, ServiceEvent)
Told = Counter[tuple[str, str, str]]
"""How often (table, segment, event) is in a lake."""


def segment_id(name: object) -> str:
    """A segment's id, of any name for it."""
    return sha256(str(name).encode()).hexdigest()


def row(event_type: type[Event], **values: Any) -> tuple[Any, ...]:
    """One row; what is not given is some value of its type, or null where it may be."""
    some = {"text": "x", "int": 1, "float": 0.5, "bool": True, "time": AT, "date": AT.date(), "binary": b"x"}
    return tuple(values.get(each.name, None if each.nullable else some[each.type]) for each in columns(event_type))


def values_of(event_type: type[Event], rows: Iterable[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Rows as columns by name."""
    names = [column.name for column in columns(event_type)]
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)) if rows else {name: [] for name in names}


def content(name: object, days: int = 3, rows: int = 12) -> dict[type[Event], list[tuple[Any, ...]]]:
    """Rows of a segment: the same for the same name."""
    chance = Random(str(name))
    made: dict[type[Event], list[tuple[Any, ...]]] = {}
    for event_type in TABLES:
        made[event_type] = [
            row(
                event_type,
                tenant_id=f"t{chance.randrange(3)}",
                segment_id=segment_id(name),
                event_id=f"{name}-{number}",
                body_hash=f"{chance.random()}",
                occurred_at=AT + timedelta(seconds=chance.randrange(days * 86_400)),
            )
            for number in range(rows)
        ]
    return made


def take_in(lake: FolderLake, name: object, days: int = 3, rows: int = 12) -> Told:
    """A segment into the lake, as ingestion does it; returns what is true of it."""
    told: Told = Counter()
    with lake.replace(segment_id(name)) as writer:
        for event_type, made in content(name, days, rows).items():
            writer.add(event_type, values_of(event_type, made))
            told.update((event_type.table, segment_id(name), f"{name}-{number}") for number in range(len(made)))
    return told


def by_polars(folder: Path) -> Told:
    """What a scan by polars finds."""
    files = LakeFiles(folder)
    told: Told = Counter()
    with files.reading():
        for event_type in TABLES:
            frame = scan(event_type, [file.path for file in files.live(event_type.table)]).select("segment_id", "event_id").collect()
            told.update((event_type.table, *each) for each in frame.iter_rows())
    return told


def by_duckdb(folder: Path) -> Told:
    """What DuckDB finds by itself."""
    files = LakeFiles(folder)
    told: Told = Counter()
    with files.reading(), duckdb.connect() as connection:
        for event_type in TABLES:
            query = f"select segment_id, event_id from ({lake_query(files, event_type)})"
            told.update((event_type.table, *each) for each in connection.execute(query).fetchall())
    return told


def by_views(warehouse: Warehouse) -> Told:
    """What the views of the warehouse show."""
    told: Told = Counter()
    for event_type in TABLES:
        found = warehouse.query(f"select segment_id, event_id from lake.{event_type.table}")
        told.update((event_type.table, *each.values()) for each in found.to_pylist())
    return told


def small_files(lake: FolderLake, names: Iterable[object], days: int = 3, rows: int = 12) -> Told:
    """Segments of a few rows each."""
    return sum((take_in(lake, name, days, rows) for name in names), Counter())


def on_disk(folder: Path) -> set[str]:
    """Every file of the lake that is Parquet, or is being made."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix in {".parquet", ".tmp"}}


def live(folder: Path) -> set[str]:
    """Every file that counts."""
    files = LakeFiles(folder)
    return {str(file.path.relative_to(folder)) for table in folder.iterdir() if table.is_dir() for file in files.live(table.name)}


def emptied(folder: Path) -> Path:
    """A folder with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
