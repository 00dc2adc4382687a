"""What every engine's warehouse does, and the DuckDB one: lake and reference as views, marts to read.

Here belongs everything that opens the warehouse file from Python; dbt opens it for itself. A file that one process writes cannot be opened
by any other, not even to read (measured), so sensors never come here: they read `serving` in Postgres. Not here: what models say, the other
engines (`warehouse_postgres`, `warehouse_spark`), which one an installation has (`engines`).
"""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from msgspec import Struct

from core.columns import columns
from core.events import EVENT_TYPES, Unmodelled
from core.ports import Count
from core.reference import BUILD_TYPES, REFERENCE_TYPES
from core.signals import MessageSignal
from core.warehouse_ports import Begun
from orchestration.resources.arrow import table_of
from orchestration.resources.fingerprint import Mart, fingerprint
from orchestration.resources.increments import Increments
from orchestration.resources.lake_files import LakeFiles
from orchestration.resources.lake_views import lake_query, quote
from orchestration.resources.signal_files import signals_query

__all__ = ["Batches", "EngineWarehouse", "Mart", "Warehouse", "WarehouseBusyError", "WarehouseError"]

Batches = Iterator[pa.RecordBatch]
_CONTRACT_TYPES = {"VARCHAR": "text", "TIMESTAMP WITH TIME ZONE": "timestamptz", "DOUBLE": "double precision"}


class WarehouseError(Exception):
    """The warehouse cannot be opened or asked; the message says what to do."""


class WarehouseBusyError(WarehouseError):
    """Another process has the warehouse open."""


class EngineWarehouse(ABC):
    """One engine's tables over the folders of lake and reference. What is counted in the lake is read from its files, on any engine."""

    def __init__(self, lake: Path, reference: Path) -> None:
        """Take the folders; nothing is opened yet."""
        self._lake = LakeFiles(lake)
        self._reference = reference
        self._increments = Increments(self._lake, reference)

    @abstractmethod
    def prepare(self) -> None:
        """Show the engine what lake and reference hold now, as tables or views `lake.*` and `reference.*`.

        Raises:
            LakeError: a file of the lake cannot be read by this version, or is gone.
        """

    def begin(self, *, rebuild: bool = False, brief: bool = False, days: Collection[date] = ()) -> Begun:
        """As `prepare`, and decide whether the build that follows continues the last one; `rebuild` makes everything anew.

        Whatever has an event on one of `days` counts as touched, and what `brief` builds left untested unless this is one too.

        Raises:
            LakeError: as `prepare`.
        """
        with self._lake.reading():
            is_anew = rebuild or not self.has_increments
            begun = self._increments.begin(self._last_build(), self._ask, rebuild=is_anew, brief=brief, days=days)
        if begun.why:
            self._keep_build(None)  # from here on its tables are of two builds, until this one ends
        self.prepare()
        return begun

    def end(self, begun: Begun) -> None:
        """All tables are of this build now; to be called once every one of them was built."""
        self._keep_build(begun.build_id)
        self._increments.end(begun)

    has_increments = True
    """Whether models can be continued on this engine."""

    def _last_build(self) -> str | None:
        """The build that all tables are of, by the warehouse's own word."""
        return None

    def _keep_build(self, build_id: str | None) -> None:  # noqa: B027 — an engine without increments keeps nothing
        """Write it down there, in one transaction."""

    def _ask(self, statement: str) -> Sequence[tuple[Any, ...]]:
        """Rows of a query of our own; of an engine without increments none is asked for."""
        raise TypeError(f"{type(self).__name__} has no increments, so it is not asked: {statement}")

    @abstractmethod
    def follow(self) -> bool:
        """Let go of files of the lake that no longer count, if there is a warehouse; False while another process has it open."""

    @abstractmethod
    def read(self, marts: Iterable[str]) -> Mapping[str, pa.Table]:
        """Whole marts as Arrow tables, all from one moment."""

    @abstractmethod
    def put(self, tables: Mapping[str, pa.Table]) -> None:
        """Put whole marts in place of the last ones."""

    def rows(self, mart: str) -> list[dict[str, Any]]:
        """All rows of a mart, names to plain values."""
        found: list[dict[str, Any]] = self.read([mart])[mart].to_pylist()
        return found

    def write(self, marts: Mapping[type[Struct], Sequence[Struct]]) -> None:
        """Put marts that Python makes beside those of dbt, each whole in place of the last; a type says its table and columns."""
        tables = {}
        for struct, rows in marts.items():
            values = {column.name: [getattr(row, column.field) for row in rows] for column in columns(struct)}
            tables[str(struct.table)] = table_of(struct, values)  # type: ignore[attr-defined]  # a ClassVar of every mart's type
        self.put(tables)

    @contextlib.contextmanager
    def asking(self, marts: Collection[str]) -> Iterator[duckdb.DuckDBPyConnection]:
        """Marts and reference in DuckDB's SQL, whatever the engine: the marts named are copied at one moment.

        Raises:
            WarehouseError: there is no warehouse yet.
        """
        tables = self.read(sorted(set(marts) & set(self.names())))
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'; create schema marts; create schema reference")
            for name, table in tables.items():
                connection.register(f"read_{name}", table)
                connection.execute(f'create view marts."{name}" as from "read_{name}"')
            for path in self._reference.glob("*.parquet"):
                connection.execute(f"create view reference.{path.stem} as from read_parquet({quote(path)})")
            yield connection

    @abstractmethod
    def query(self, statement: str) -> pa.Table:
        """The answer to one read-only statement, in the engine's own SQL.

        Raises:
            WarehouseError: the statement is wrong, is not one query, or would write.
        """

    def mapped(self, statement: str, function: Callable[[Batches], Batches], schema: pa.Schema) -> pa.Table:
        """What a function of Arrow batches, of that schema, makes of the answer to a query in SQL of all engines: where the rows lie.

        Raises:
            WarehouseError: as `query`; and on Spark, whatever the function raises.
        """
        return pa.Table.from_batches(function(iter(self.query(statement).to_batches())), schema)

    @abstractmethod
    def names(self, schema: str = "marts") -> list[str]:
        """Tables of a schema."""

    @abstractmethod
    def columns(self) -> dict[str, dict[str, str]]:
        """Types of the columns of every mart, in the words of dbt's contracts."""

    @abstractmethod
    def row_counts(self) -> dict[str, int]:
        """Rows of every mart."""

    def fingerprints(self) -> Mapping[str, Mart]:
        """Ordered checksum of every mart, the same on every engine that holds the same rows."""
        return {name: fingerprint(table) for name, table in self.read(self.names()).items()}

    def lake_counts(self) -> Mapping[tuple[str, str, str], int]:
        """Lake rows by (segment, tenant, source): the other side of the intake's own counts."""
        return {key: accepted for key, (accepted, _) in self._lake_rows().items()}

    def conservation(self, counts: Mapping[tuple[str, str, str], Count]) -> dict[str, dict[str, int]]:
        """By source: received, accepted, duplicate, rejected; an event is a duplicate where the same id came before it.

        What was replayed is counted where the replay took it in, and no longer where it was first received.
        """
        duplicates = {key: repeated for key, (_, repeated) in self._lake_rows().items()}
        by_source: dict[str, dict[str, int]] = {}
        for key, count in counts.items():
            total = by_source.setdefault(count.source or "unknown", dict.fromkeys(("received", "accepted", "duplicate", "rejected"), 0))
            repeated = duplicates.get(key, 0)
            for name, number in zip(
                total, (count.received - count.replayed, count.accepted - repeated, repeated, count.rejected), strict=True
            ):
                total[name] += number
        return dict(sorted(by_source.items()))

    def unmodelled(self) -> dict[tuple[str, str], int]:
        """Events of types that no decoder models yet, each once, by source and the vendor's name of the type."""
        with self._lake.reading(), duckdb.connect() as connection:  # as above
            events = lake_query(self._lake, Unmodelled)
            query = f"select source, kind, count(distinct (tenant_id, event_id)) from ({events}) group by all order by all"
            return {(row[0], row[1]): row[2] for row in connection.execute(query).fetchall()}

    def _lake_rows(self) -> dict[tuple[str, str, str], tuple[int, int]]:
        """Rows, and those of them that repeat an earlier one, by (segment, tenant, source)."""
        with self._lake.reading(), duckdb.connect() as connection:  # not the warehouse: its file may be in use, or not be there yet
            events = " union all ".join(
                f"select tenant_id, source, event_id, received_at, body_hash, segment_id, '{event.table}' as kind "
                f"from ({lake_query(self._lake, event)})"
                for event in EVENT_TYPES
            )
            query = (
                "select segment_id, tenant_id, source, count(*), count(*) filter (where nth > 1) from ("
                "select segment_id, tenant_id, source, row_number() over (partition by tenant_id, kind, event_id "
                f"order by received_at, body_hash, source, segment_id) as nth from ({events})) group by all"
            )
            return {(row[0], row[1], row[2]): (row[3], row[4]) for row in connection.execute(query).fetchall()}


class Warehouse(EngineWarehouse):
    """A DuckDB file over the folders of lake and reference."""

    def __init__(self, path: Path, lake: Path, reference: Path) -> None:
        """Take the places; nothing is opened yet."""
        super().__init__(lake, reference)
        self.path = path

    def prepare(self) -> None:
        """Make the views `lake.*` over the files that count now, and `reference.*` over whatever lies there at the next query.

        Raises:
            LakeError: a file of the lake cannot be read by this version, or is gone.
        """
        with self._open(read_only=False) as connection:
            self._show_lake(connection)
            connection.execute("create schema if not exists reference")
            for row in (*REFERENCE_TYPES, *BUILD_TYPES):
                table: str = row.table  # type: ignore[attr-defined]  # every type of those tuples has one
                path = self._reference / f"{table}.parquet"
                if row not in BUILD_TYPES or path.exists():
                    connection.execute(f"create or replace view reference.{table} as from read_parquet({quote(path)})")
            connection.execute(f"create or replace view reference.{MessageSignal.table} as {signals_query(self._reference)}")

    def _last_build(self) -> str | None:
        with contextlib.suppress(WarehouseError):  # no file yet, or one of before there were increments
            return next((row[0] for row in self._ask("select build_id from reference.last_build")), None)
        return None

    def _keep_build(self, build_id: str | None) -> None:
        with self._open(read_only=False) as connection:
            connection.execute("create schema if not exists reference")
            connection.execute("create or replace table reference.last_build as select ?::text as build_id", [build_id])

    def _ask(self, statement: str) -> Sequence[tuple[Any, ...]]:
        with self._open(read_only=True) as connection:
            return connection.execute(statement).fetchall()

    def follow(self) -> bool:
        """Show the files of the lake that count now, if there is a warehouse; False while another process has it open."""
        if not self.path.exists():
            return True
        try:
            with self._open(read_only=False) as connection:
                self._show_lake(connection)
        except WarehouseBusyError:
            return False
        return True

    def _show_lake(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("create schema if not exists lake")
        with self._lake.reading():
            for event in EVENT_TYPES:
                connection.execute(f"create or replace view lake.{event.table} as {lake_query(self._lake, event)}")

    def read(self, marts: Iterable[str]) -> Mapping[str, pa.Table]:
        """Whole marts as Arrow tables, all from one moment."""
        with self._open(read_only=True) as connection:
            return {mart: connection.sql(f'from marts."{mart}"').to_arrow_table() for mart in marts}

    def put(self, tables: Mapping[str, pa.Table]) -> None:
        """Put whole marts in place of the last ones, in one transaction."""
        with self._open(read_only=False) as connection:
            connection.begin()
            for mart, table in tables.items():
                connection.register("given", table)
                connection.execute(f'create or replace table marts."{mart}" as from given')
                connection.unregister("given")
            connection.commit()

    @contextlib.contextmanager
    def asking(self, marts: Collection[str]) -> Iterator[duckdb.DuckDBPyConnection]:
        """The file itself."""
        with self._lake.reading(), self._open(read_only=True) as connection:
            yield connection

    def query(self, statement: str) -> pa.Table:
        """As `EngineWarehouse.query`; it reads the lake through its views, and no other file."""
        with self._lake.reading(), self._open(read_only=True) as connection:
            connection.execute(f"set allowed_directories = [{quote(self._lake.folder)}, {quote(self._reference)}]")
            connection.execute("set enable_external_access = false")
            parsed = connection.extract_statements(statement)
            if len(parsed) != 1:
                raise WarehouseError(f"{len(parsed)} statements; give exactly one query")
            # told before it runs: COPY and EXPLAIN ANALYZE COPY write files from a read-only connection, also into the lake
            if parsed[0].type != duckdb.StatementType.SELECT:
                raise WarehouseError(f"that is no query but {parsed[0].type.name}: only reading is possible here")
            return connection.sql(statement).to_arrow_table()

    def names(self, schema: str = "marts") -> list[str]:
        """Tables of a schema."""
        with self._open(read_only=True) as connection:
            query = "select table_name from information_schema.tables where table_schema = ? order by 1"
            return [name for (name,) in connection.execute(query, [schema]).fetchall()]

    def columns(self) -> dict[str, dict[str, str]]:
        """Types of the columns of every mart, in the words of dbt's contracts."""
        query = "select table_name, column_name, data_type from information_schema.columns where table_schema = 'marts' order by all"
        found: dict[str, dict[str, str]] = {}
        with self._open(read_only=True) as connection:
            for table, column, kind in connection.execute(query).fetchall():
                found.setdefault(table, {})[column] = _CONTRACT_TYPES.get(kind, kind.lower())
        return found

    def row_counts(self) -> dict[str, int]:
        """Rows of every mart."""
        names = self.names()
        with self._open(read_only=True) as connection:
            return {name: connection.execute(f'select count(*) from marts."{name}"').fetchall()[0][0] for name in names}

    def reading(self) -> contextlib.AbstractContextManager[duckdb.DuckDBPyConnection]:
        """The file itself, for reads in batches."""
        return self._open(read_only=True)

    @contextlib.contextmanager
    def _open(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        if read_only and not self.path.exists():
            raise WarehouseError("there is no warehouse yet: run `flexoraa run` first")
        try:
            connection = duckdb.connect(str(self.path), read_only=read_only)
        except duckdb.IOException as error:
            if "lock" not in str(error):
                raise WarehouseError(str(error)) from error
            message = f"the warehouse is being written by another process; try again when its run has ended ({error})"
            raise WarehouseBusyError(message) from error
        try:
            with connection:
                connection.execute("set TimeZone = 'UTC'")
                yield connection
        except duckdb.Error as error:  # a table that is not there yet, a damaged file of the lake, a full disk
            raise WarehouseError(str(error)) from error
