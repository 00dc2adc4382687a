"""A warehouse for tests: rows of the contract in, built marts out, to be asked in DuckDB's SQL whichever engine built them.

Here belongs writing lake and reference rows as the platform does (Parquet, views) and running dbt over them. Not here: what the rows say, the
other engines (`tests.dbt.engines`).
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from core.columns import columns
from core.events import EVENT_TYPES
from core.reference import REFERENCE_TYPES
from core.signals import MessageSignal
from tests.dbt import engines, worker
from tests.dbt.engines import WITHOUT_UNIT_TESTS

_ARROW = {
    "text": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "time": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "binary": pa.binary(),
}
_STRUCTS = {("lake", each.table): each for each in EVENT_TYPES} | {
    ("reference", each.table): each for each in (*REFERENCE_TYPES, MessageSignal)
}
Rows = Mapping[str, Iterable[Any]]


def build(folder: Path, rows: Rows, as_of: datetime, *arguments: str, known_at: datetime | None = None) -> duckdb.DuckDBPyConnection:
    """Write the rows, run `dbt build`, and open the result for reading.

    Args:
        folder: where everything is written; a second build there finds the first one's tables.
        rows: by table name, dicts by column name (missing columns are null) or reference Structs.
        as_of: the moment of the build.
        known_at: only what was received by then counts, if given.
        arguments: more for `dbt build`; without unit tests by default.
    """
    rows = dict(rows) | {"run": [{"as_of": as_of, "known_at": known_at}]}
    if other := engines.chosen():
        return other.build(folder, tables(rows), *arguments)
    warehouse = folder / "warehouse.duckdb"
    write(folder, warehouse, rows)
    worker.invoke(warehouse, "build", *(arguments or WITHOUT_UNIT_TESTS))
    connection = duckdb.connect(str(warehouse), read_only=True)
    connection.execute("set TimeZone = 'UTC'")
    return connection


def rows(built: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    return built.execute(query).fetchall()


def write(folder: Path, warehouse: Path, rows: Rows) -> None:
    """Every table of the contract as Parquet, with a view over it; those without rows are empty."""
    with duckdb.connect(str(warehouse)) as connection:
        for (schema, table), rows_of_it in tables(rows).items():
            path = folder / schema / f"{table}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(rows_of_it, path)
            connection.execute(f"create schema if not exists {schema}")
            connection.execute(f"create or replace view {schema}.{table} as select * from read_parquet('{path}')")


def tables(rows: Rows) -> dict[tuple[str, str], pa.Table]:
    """Every table of the contract, by schema and name."""
    unknown = set(rows) - {table for _, table in _STRUCTS}
    if unknown:
        message = f"no such tables: {unknown}"
        raise KeyError(message)
    return {(schema, table): _arrow(struct, rows.get(table, ())) for (schema, table), struct in _STRUCTS.items()}


def _arrow(struct: type[msgspec.Struct], rows: Iterable[Any]) -> pa.Table:
    dicts = [msgspec.structs.asdict(row) if isinstance(row, msgspec.Struct) else row for row in rows]
    kept = columns(struct)
    names = {column.name for column in kept}
    for row in dicts:
        if not row.keys() <= names:
            message = f"{struct.__name__} has no columns {row.keys() - names}"
            raise KeyError(message)
    return pa.table({column.name: pa.array([row.get(column.name) for row in dicts], _ARROW[column.type]) for column in kept})


def lake_row(table: str, tenant_id: str, event_id: str, occurred_at: datetime, **fields: Any) -> dict[str, Any]:
    """One row of the lake, with what ingestion would add."""
    common = {
        "tenant_id": tenant_id,
        "received_at": occurred_at,
        "schema_version": 1,
        "segment_id": "segment",
        "body_hash": f"body of {event_id}",
        "source": "platform",
        "account_id": "account",
        "event_id": event_id,
        "occurred_at": occurred_at,
    }
    defaults: dict[str, dict[str, Any]] = {
        "ai_turns": {
            "risk": "none",
            "verdict": "continue",
            "asked_for_human": False,
            "next_action": "ask",
        }
    }
    return common | defaults.get(table, {}) | fields


def at(text: str) -> datetime:
    """`"2026-03-01 10:00"`, UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
