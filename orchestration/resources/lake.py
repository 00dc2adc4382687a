"""The lake folder: canonical events as Parquet, `<table>/event_date=<UTC date>/<segment>-<part>.parquet`.

Here belongs writing a segment's files so that they appear together, and reading what identity resolution needs. Not here: how events
become rows (`core.rows`), which files count (`lake_files`), the warehouse's view of them (`lake_views`).
"""

import contextlib
import shutil
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.columns import columns
from core.events import EVENT_TYPES, Appointment, ContactEvent, Event, Message
from core.identity_holders import CHANGES, Link, Sighting
from core.identity_ports import SealedName
from core.ports import Merge
from orchestration.resources.arrow import schema_of, table_of
from orchestration.resources.compaction import compact, scan, take_in_again
from orchestration.resources.durable import make_durable
from orchestration.resources.lake_files import LakeFiles
from orchestration.resources.lake_schema import readable
from orchestration.resources.settings import Settings

_EMPTY = date(1970, 1, 1)
"""The partition of each table's empty file, which gives the table its columns before its first event."""

_ARROW_ROWS = 1_000
"""Rows of one tenant that become Arrow by themselves, where most columns hold one value; fewer are joined with the next tenant's."""

_DICTIONARY_ROWS = 1_000
_UNIQUE = {column.name for each in EVENT_TYPES for column in columns(each) if column.role in {"ref", "personal", "sealed"}} | {"body_hash"}
_STEM = 32  # of a segment's id, in the names of its files
_DAY_MICROS = 86_400_000_000


class FolderLake:
    """A folder of Parquet files."""

    def __init__(self, folder: Path, file_bytes: int = Settings.lake_file_mb << 20, known_at: datetime | None = None) -> None:
        """Take the folder, which `prepare` makes, the size of merged files, and the moment of receipt up to which events count, if any."""
        self._known_at = known_at
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
        stale: dict[Path, type[Event]] = {}
        for event_type in EVENT_TYPES:
            path = self.folder / event_type.table / f"event_date={_EMPTY}" / "schema.parquet"
            if not path.exists() or not pq.read_schema(path).equals(schema_of(event_type), check_metadata=True):
                stale[path] = event_type
        for path, event_type in stale.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(table_of(event_type, {}), path.with_suffix(".tmp"))
        make_durable([path.with_suffix(".tmp") for path in stale])
        for path in stale:
            path.with_suffix(".tmp").rename(path)
        make_durable({folder for path in stale for folder in (path.parent, path.parent.parent, self.folder)})

    def compact(self, min_files: int) -> Iterator[Merge]:
        """Merge the small files of each date that has at least so many."""
        return compact(self.files, self._file_bytes, min_files)

    def sweep(self) -> int | None:
        """Remove files that no longer count; how many, or None while somebody reads the lake."""
        return self.files.sweep()

    @contextlib.contextmanager
    def replace(self, segment_id: str) -> Iterator["PartWriter"]:
        """All of a small segment in one part: staged, written and, on a good end, published."""
        shutil.rmtree(self._aside(segment_id), ignore_errors=True)
        self.stage(segment_id)
        try:
            writer = self.part(segment_id, 0)
            yield writer
            self.publish({segment_id: writer.close()})
        finally:
            shutil.rmtree(self._aside(segment_id), ignore_errors=True)

    def stage(self, segment_id: str) -> None:
        """A folder aside for the segment."""
        self._aside(segment_id).mkdir(parents=True)

    def part(self, segment_id: str, part: int) -> "PartWriter":
        """The files of one part of a segment, aside."""
        return PartWriter(self._aside(segment_id), f"{segment_id[:_STEM]}-{part:05d}")

    def publish(self, staged: Mapping[str, Collection[str]]) -> None:
        """Make files and the folders that name them durable, and drop what an earlier try of these segments left."""
        names = {segment_id: {each: Path(*each.split("~")) for each in each_of} for segment_id, each_of in staged.items()}
        folders = {self.folder / target.parent for targets in names.values() for target in targets.values()}
        made = {parent for folder in folders if not folder.exists() for parent in (folder.parent, self.folder)}
        earlier = self._earlier(staged)
        for folder in folders:  # all of them before the first file moves: that is what a full disk refuses
            folder.mkdir(parents=True, exist_ok=True)
        make_durable([self._aside(segment_id) / name for segment_id, targets in names.items() for name in targets])
        for segment_id, targets in names.items():
            self._put(segment_id, targets, earlier[segment_id[:_STEM]])
        make_durable(folders | made)
        for segment_id in staged:
            self._aside(segment_id).rmdir()

    def _put(self, segment_id: str, targets: Mapping[str, Path], earlier: set[Path]) -> None:
        def put() -> None:
            for name, target in targets.items():
                (self._aside(segment_id) / name).rename(self.folder / target)
            for path in earlier.difference(self.folder / target for target in targets.values()):
                path.unlink()

        if self.files.was_merged(segment_id[:_STEM]):
            take_in_again(self.files, segment_id, list(targets.values()), put)
        else:
            put()

    def _earlier(self, segment_ids: Collection[str]) -> dict[str, set[Path]]:
        """Files of these segments that are in the lake already, by stem: one look at the folders for all of them."""
        found: dict[str, set[Path]] = {each[:_STEM]: set() for each in segment_ids}
        for path in self.folder.glob("*/event_date=*/*.parquet"):
            stem = path.name.rpartition("-")[0]
            if stem in found:
                found[stem].add(path)
        return found

    def discard(self) -> None:
        """Drop what was written aside and not published."""
        shutil.rmtree(self._staging, ignore_errors=True)

    def _aside(self, segment_id: str) -> Path:
        return self._staging / segment_id[:_STEM]

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
        import polars as pl  # as above

        rows = scan(event_type, [file.path for file in readable(event_type, self.files.live(event_type.table))])
        return rows if self._known_at is None else rows.filter(pl.col("received_at") <= self._known_at)

    def event_dates(self) -> tuple[date, date] | None:
        """The first and the last event date, by the folders' names."""
        days = {date.fromisoformat(path.name.removeprefix("event_date=")) for path in self.folder.glob("*/event_date=*")}
        days.discard(_EMPTY)
        return (min(days), max(days)) if days else None


class PartWriter:
    """Files of one part of a segment: one a table and day of `occurred_at`."""

    def __init__(self, folder: Path, stem: str) -> None:
        """Take the folder aside and the stem of all file names."""
        self._folder = folder
        self._stem = stem
        self._tables: dict[type[Event], list[pa.Table]] = defaultdict(list)
        self._open: dict[type[Event], dict[str, list[Any]]] = {}

    def add(self, event_type: type[Event], values: Mapping[str, Sequence[Any]]) -> None:
        """Keep columns, soon as Arrow: a tenth of what the same takes as Python values."""
        kept = self._open.setdefault(event_type, defaultdict(list))
        for name, column in values.items():
            kept[name].extend(column)
        if len(kept["tenant_id"]) >= _ARROW_ROWS:
            self._pack(event_type)

    def _pack(self, event_type: type[Event]) -> None:
        table = table_of(event_type, self._open.pop(event_type))
        if table.num_rows:
            self._tables[event_type].append(table)

    def close(self) -> list[str]:
        """Write the files; returns their names in the folder."""
        names = []
        for event_type in list(self._open):
            self._pack(event_type)
        for event_type in sorted(self._tables, key=lambda each: each.table):
            for day, table in _by_day(pa.concat_tables(self._tables.pop(event_type))):
                # flat: a folder a day to make and remove cost as much as the file
                names.append(f"{event_type.table}~event_date={day}~{self._stem}.parquet")
                _write(table, self._folder / names[-1])
        return names


def _by_day(table: pa.Table) -> Iterator[tuple[date, pa.Table]]:
    """The rows of each UTC day of `occurred_at`, in their order."""
    table = table.combine_chunks()
    # by its buffer, for `to_numpy` imports pandas: 1.6 s of CPU
    (moments,) = table["occurred_at"].chunks
    days = np.frombuffer(moments.buffers()[1], np.int64, len(moments), moments.offset * 8) // _DAY_MICROS
    if (days[1:] < days[:-1]).any():
        order = days.argsort(kind="stable")
        table, days = table.take(pa.array(order)), days[order]
    starts = [0, *((days[1:] != days[:-1]).nonzero()[0] + 1).tolist()]
    for start, end in zip(starts, [*starts[1:], len(days)], strict=True):
        yield date.fromordinal(_EMPTY.toordinal() + int(days[start])), table.slice(start, end - start)


def _write(table: pa.Table, path: Path) -> None:
    # Of few rows, dictionaries are larger than what they save: 1.6 ms a file instead of 2.2 ms (measured, 60 rows).
    # Of ids and ciphertext, which do not come twice, they take a third of the time and save nothing.
    repeated = [name for name in table.column_names if name not in _UNIQUE] if table.num_rows > _DICTIONARY_ROWS else False
    with pa.OSFile(str(path), "wb") as sink:
        pq.write_table(table, sink, compression="zstd", compression_level=1, write_statistics=True, use_dictionary=repeated)
