"""The lake folder: canonical events as Parquet, `<table>/event_date=<UTC date>/<segment>-<part>.parquet`.

Here belongs writing a segment's files so that they appear together, and reading what identity resolution needs. Not here: how events
become rows (`core.rows`), which files count (`lake_files`), the warehouse's view of them (`lake_views`).
"""

import contextlib
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from core.columns import columns
from core.events import EVENT_TYPES, Appointment, ContactEvent, Event, Message
from core.identity_holders import CHANGES, Link, Sighting
from core.ports import Merge, SealedName
from core.rows import transpose
from orchestration.resources.arrow import schema_of, table_of
from orchestration.resources.compaction import compact, scan, take_in_again
from orchestration.resources.lake_files import LakeFiles
from orchestration.resources.lake_schema import readable
from orchestration.resources.settings import Settings

_EMPTY = date(1970, 1, 1)
"""The partition of each table's empty file, which gives the table its columns before its first event."""

_DICTIONARY_ROWS = 1_000


class FolderLake:
    """A folder of Parquet files."""

    def __init__(self, folder: Path, file_bytes: int = Settings.lake_file_mb << 20) -> None:
        """Take the folder, which `prepare` makes, and the size that merged files are to have."""
        self.folder = folder
        self.files = LakeFiles(folder)
        self._staging = folder / ".staging"
        self._file_bytes = file_bytes

    def prepare(self) -> None:
        """Make every table exist, maybe with no row, so that whoever reads the folder finds today's columns.

        Raises:
            LakeError: a file cannot be read by this version, or is gone; nothing was written then.
        """
        for event_type in EVENT_TYPES:
            readable(event_type, self.files.live(event_type.table))
        for event_type in EVENT_TYPES:
            path = self.folder / event_type.table / f"event_date={_EMPTY}" / "schema.parquet"
            if not path.exists() or not pq.read_schema(path).equals(schema_of(event_type), check_metadata=True):
                path.parent.mkdir(parents=True, exist_ok=True)
                _write(table_of(event_type, {}), path.with_suffix(".tmp"))
                path.with_suffix(".tmp").rename(path)

    def compact(self, min_files: int) -> Iterator[Merge]:
        """Merge the small files of each date that has at least so many."""
        return compact(self.files, self._file_bytes, min_files)

    def sweep(self) -> int | None:
        """Remove files that no longer count; how many, or None while somebody reads the lake."""
        return self.files.sweep()

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
            targets = {path: self.folder / target for path, target in writer.files.items()}
            for folder in {target.parent for target in targets.values()}:  # all of them first: that is what a full disk refuses
                folder.mkdir(parents=True, exist_ok=True)

            def put() -> None:
                for path, target in targets.items():
                    path.rename(target)
                for path in earlier.difference(targets.values()):
                    path.unlink()

            if self.files.was_merged(stem):
                take_in_again(self.files, segment_id, list(writer.files.values()), put)
            else:
                put()
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def sightings(self, as_of: datetime) -> Iterable[Sighting]:
        """Every point that any event names; a change of number names the old one without being a sign of life of it."""
        import polars as pl  # here: 0.2 s that most commands never need

        with self.files.reading():
            told = self._scan(ContactEvent).filter(pl.col("occurred_at") <= as_of)
            changes = told.filter(pl.col("kind").is_in(CHANGES)).select("tenant_id", "contact_point_id", "other_point_id")
            points = [changes.select("tenant_id", pl.col(name).alias("point_id")) for name in ("contact_point_id", "other_point_id")]
            changed = pl.concat(points).unique().with_columns(is_changed=True)
            is_change, is_link = pl.col("kind").is_in(CHANGES), pl.col("kind") == "linked"
            frames = [
                self._scan(event_type)
                .filter(~is_change if (event_type, column.field) == (ContactEvent, "contact") else pl.lit(True))
                .select(
                    "tenant_id",
                    pl.col(column.name).alias("point_id"),
                    "occurred_at",
                    (is_link if event_type is ContactEvent else pl.lit(event_type is Message)).alias("is_sign"),
                )
                for event_type in EVENT_TYPES
                for column in columns(event_type)
                if column.role == "point"
            ]
            seen = (
                pl.concat(frames)
                .filter(pl.col("occurred_at") <= as_of)
                .drop_nulls("point_id")
                .join(changed, on=("tenant_id", "point_id"), how="left")
                .group_by("tenant_id", "point_id")
                .agg(
                    pl.col("occurred_at").min().alias("first"),
                    pl.col("occurred_at").filter(pl.col("is_sign") & pl.col("is_changed").fill_null(False)).unique().sort().alias("signs"),
                )
                .sort("tenant_id", "first", "point_id")
            )
            rows = seen.collect(engine="streaming").iter_rows()
        return (Sighting(tenant, point, first, tuple(signs)) for tenant, point, first, signs in rows)

    def links(self, as_of: datetime) -> Iterable[Link]:
        """Every distinct evidence that two points are one person; a booking through a link of ours names a lead id instead of a point."""
        import polars as pl  # as above

        with self.files.reading():
            told = self._scan(ContactEvent).select("tenant_id", "kind", "contact_point_id", "other_point_id", "occurred_at", "source")
            booked = self._scan(Appointment).select(
                "tenant_id", pl.lit("utm_lead").alias("kind"), "contact_point_id", pl.col("utm_lead_id").alias("other_point_id"),
                "occurred_at", "source",
            )  # fmt: skip
            evidence = (
                pl.concat([told, booked])
                .drop_nulls(["contact_point_id", "other_point_id"])
                .filter(pl.col("occurred_at") <= as_of)
                .unique()
                .sort("tenant_id", "occurred_at", "contact_point_id", "other_point_id", "kind", "source")
            )
            return map(Link._make, evidence.collect().iter_rows())

    def names(self, as_of: datetime) -> Iterable[SealedName]:
        """The last name that was told of each point, sealed; ties by the event's id."""
        import polars as pl  # as above

        with self.files.reading():
            named = (
                self._scan(ContactEvent)
                .filter(pl.col("name_enc").is_not_null() & (pl.col("occurred_at") <= as_of))
                .select("tenant_id", "contact_point_id", "event_id", "name_enc", "occurred_at")
                .sort("occurred_at", "event_id", "name_enc")
                .group_by("tenant_id", "contact_point_id", maintain_order=True)
                .last()
                .sort("tenant_id", "contact_point_id")
            )
            return map(SealedName._make, named.collect().iter_rows())

    def arrivals(self, event_type: type[Event], since: datetime, until: datetime) -> Mapping[str, Sequence[Any]]:
        """What was received in a span, by column; ciphertext is left out."""
        import polars as pl  # as above

        names = [column.name for column in columns(event_type) if column.type != "binary"]
        with self.files.reading():
            told = self._scan(event_type).select(names).filter(pl.col("received_at").is_between(since, until, closed="left"))
            return cast("Mapping[str, Sequence[Any]]", told.collect(engine="streaming").to_dict(as_series=False))

    def received_per_day(self, event_type: type[Event], since: datetime, until: datetime) -> Sequence[int]:
        """Rows received in each 24 hours, the last first, back to the first that has any."""
        import polars as pl  # as above

        with self.files.reading():
            told = self._scan(event_type).select("received_at").filter(pl.col("received_at").is_between(since, until, closed="left"))
            age = (pl.lit(until) - pl.col("received_at") - pl.duration(microseconds=1)).dt.total_days()
            found = dict(told.group_by(age.alias("age")).len().collect(engine="streaming").iter_rows())
        return [found.get(day, 0) for day in range(max(found, default=0) + 1)]

    def _scan(self, event_type: type[Event]) -> Any:
        return scan(event_type, [file.path for file in readable(event_type, self.files.live(event_type.table))])

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
        self.files: dict[Path, Path] = {}
        """Each file, and where in the lake it belongs."""

    def write(self, event_type: type[Event], rows: Sequence[tuple[Any, ...]]) -> None:
        """Append rows in the order of `core.columns.columns(event_type)`."""
        if not rows:
            return
        position = [column.name for column in columns(event_type)].index("occurred_at")
        rows = sorted(rows, key=lambda row: row[position].date())
        days = Counter(row[position].date() for row in rows)
        table = table_of(event_type, transpose(event_type, rows))
        part = self._parts[event_type.table]
        self._parts[event_type.table] += 1
        start = 0
        for day, count in days.items():
            target = Path(event_type.table) / f"event_date={day}" / f"{self._stem}-{part:05d}.parquet"
            path = self._folder / "~".join(target.parts)  # flat: a folder a day to make and remove cost as much as the file
            _write(table.slice(start, count), path)
            self.files[path] = target
            start += count


def _write(table: pa.Table, path: Path) -> None:
    # Of few rows, dictionaries are larger than what they save: 1.6 ms a file instead of 2.2 ms (measured, 60 rows).
    is_large = table.num_rows > _DICTIONARY_ROWS
    with pa.OSFile(str(path), "wb") as sink:
        pq.write_table(table, sink, compression="zstd", compression_level=1, write_statistics=True, use_dictionary=is_large)
