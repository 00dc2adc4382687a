"""The lake folder: canonical events as Parquet, `<table>/event_date=<UTC date>/<segment>-<part>.parquet`.

Here belongs writing a segment's files so that they appear together, and reading what identity resolution needs. Not here: how events
become rows (`core.rows`), the warehouse's view of them.
"""

import contextlib
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from core.columns import columns
from core.events import EVENT_TYPES, ContactEvent, Event, Message
from core.identity import CHANGES, Link, Sighting
from core.rows import transpose
from orchestration.resources.arrow import schema_of

_EMPTY = date(1970, 1, 1)
"""The partition of each table's empty file, which gives the table its columns before its first event."""


class FolderLake:
    """A folder of Parquet files."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; `prepare` makes it."""
        self.folder = folder
        self._staging = folder / ".staging"

    def prepare(self) -> None:
        """Make every table exist, maybe with no row, so that readers find all columns."""
        for event_type in EVENT_TYPES:
            path = self.folder / event_type.table / f"event_date={_EMPTY}" / "schema.parquet"
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                _write(schema_of(event_type).empty_table(), path.with_suffix(".tmp"))
                path.with_suffix(".tmp").rename(path)

    @contextlib.contextmanager
    def replace(self, segment_id: str) -> Iterator["SegmentWriter"]:
        """Write to a folder aside; on a good end rename the files into place, and only then drop what an earlier try left."""
        stem = segment_id[:32]
        aside = self._staging / stem
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        try:
            writer = SegmentWriter(aside, stem)
            yield writer
            earlier = set(self.folder.glob(f"*/event_date=*/{stem}-*.parquet"))
            placed = {self._place(aside, path) for path in sorted(aside.glob("*/event_date=*/*.parquet"))}
            for path in earlier - placed:
                path.unlink()
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _place(self, aside: Path, path: Path) -> Path:
        target = self.folder / path.relative_to(aside)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
        return target

    def sightings(self) -> Iterable[Sighting]:
        """Every point that any event names; a change of number names the old one without being a sign of life of it."""
        import polars as pl  # here: 0.2 s that most commands never need

        frames = [
            self._scan(event_type)
            .filter(~pl.col("kind").is_in(CHANGES) if (event_type, column.field) == (ContactEvent, "contact") else pl.lit(True))
            .select(
                "tenant_id",
                pl.col(column.name).alias("point_id"),
                "occurred_at",
                pl.lit(event_type is Message).alias("is_message"),
            )
            for event_type in EVENT_TYPES
            for column in columns(event_type)
            if column.role == "point"
        ]
        seen = (
            pl.concat(frames)
            .drop_nulls("point_id")
            .group_by("tenant_id", "point_id")
            .agg(pl.col("occurred_at").min().alias("first"), pl.col("occurred_at").filter("is_message").max().alias("last"))
            .sort("tenant_id", "first", "point_id")
        )
        return map(Sighting._make, seen.collect(engine="streaming").iter_rows())

    def links(self) -> Iterable[Link]:
        """Every distinct evidence that two points are one person."""
        import polars as pl  # as above

        evidence = (
            self._scan(ContactEvent)
            .filter(pl.col("other_point_id").is_not_null())
            .select("tenant_id", "kind", "contact_point_id", "other_point_id", "occurred_at")
            .unique()
            .sort("tenant_id", "occurred_at", "contact_point_id", "other_point_id", "kind")
        )
        return map(Link._make, evidence.collect().iter_rows())

    def _scan(self, event_type: type[Event]) -> Any:
        import polars as pl  # as above

        return pl.scan_parquet(
            self.folder / event_type.table / "*" / "*.parquet", hive_partitioning=False, missing_columns="insert"
        )

    def event_dates(self) -> tuple[date, date] | None:
        """The first and the last event date, by the folders' names."""
        days = {date.fromisoformat(path.name.removeprefix("event_date=")) for path in self.folder.glob("*/event_date=*")}
        days.discard(_EMPTY)
        return (min(days), max(days)) if days else None


class SegmentWriter:
    """Files of one segment, in a folder aside. Each call of `write` gives one part, split by event date."""

    def __init__(self, folder: Path, stem: str) -> None:
        """Take the folder aside and the stem of all file names."""
        self._folder = folder
        self._stem = stem
        self._parts: dict[str, int] = defaultdict(int)

    def write(self, event_type: type[Event], rows: Sequence[tuple[Any, ...]]) -> None:
        """Append rows in the order of `core.columns.columns(event_type)`."""
        if not rows:
            return
        position = [column.name for column in columns(event_type)].index("occurred_at")
        days: dict[date, list[tuple[Any, ...]]] = defaultdict(list)
        for row in rows:
            days[row[position].date()].append(row)
        part = self._parts[event_type.table]
        self._parts[event_type.table] += 1
        for day, of_day in days.items():
            table = pa.table(transpose(event_type, of_day), schema=schema_of(event_type))
            folder = self._folder / event_type.table / f"event_date={day}"
            folder.mkdir(parents=True, exist_ok=True)
            _write(table, folder / f"{self._stem}-{part:05d}.parquet")


def _write(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, compression="zstd", compression_level=1, write_statistics=True)
