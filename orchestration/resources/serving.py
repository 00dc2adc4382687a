"""Publishing: the marts that operations read, copied from the warehouse into Postgres schema `serving`.

Here belongs the copy and its swap. Not here: who reads it; what the marts say (`dbt_project`).
"""

import json
from collections.abc import Collection, Mapping
from datetime import datetime

import psycopg
import pyarrow as pa
import pyarrow.csv as pa_csv
from psycopg import sql

from core.ports import Clock
from orchestration.resources.state import State, protect_table
from orchestration.resources.warehouse import Warehouse

_TYPES = {"string": "text", "large_string": "text", "bool": "boolean", "int32": "bigint", "int64": "bigint", "double": "double precision"}


class PostgresPublisher:
    """Copies marts and swaps them in together, so a reader sees either all old or all new rows."""

    def __init__(self, state: State, warehouse: Warehouse, clock: Clock) -> None:
        """Take the two ends and the clock that dates a publication."""
        self._state = state
        self._warehouse = warehouse
        self._clock = clock

    def publish(self, marts: Collection[str], as_of: datetime) -> Mapping[str, int]:
        """Copy these marts in one transaction; returns rows by mart."""
        tables = self._warehouse.read(marts)
        with self._state.psycopg() as connection:
            for mart, table in tables.items():
                _copy(connection, f"{mart}__new", table)
            for mart in tables:
                connection.execute(sql.SQL("drop table if exists serving.{}").format(sql.Identifier(mart)))
                rename = sql.SQL("alter table serving.{} rename to {}")
                connection.execute(rename.format(sql.Identifier(f"{mart}__new"), sql.Identifier(mart)))
                protect_table(connection, "serving", mart)
            rows = {mart: table.num_rows for mart, table in tables.items()}
            connection.execute(
                "insert into ops.publications (as_of, published_at, tables) values (%s, %s, %s)",
                (as_of, self._clock.now(), json.dumps(rows)),
            )
        return rows


def _copy(connection: psycopg.Connection, name: str, table: pa.Table) -> None:
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(field.name), sql.SQL(_postgres_type(field.type))) for field in table.schema
    )
    connection.execute(sql.SQL("drop table if exists serving.{}").format(sql.Identifier(name)))
    connection.execute(sql.SQL("create table serving.{} ({})").format(sql.Identifier(name), columns))
    statement = sql.SQL("copy serving.{} from stdin with (format csv)").format(sql.Identifier(name))
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for batch in table.to_batches(max_chunksize=50_000):
            sink = pa.BufferOutputStream()
            pa_csv.write_csv(batch, sink, pa_csv.WriteOptions(include_header=False, quoting_style="needed"))
            copy.write(sink.getvalue())


def _postgres_type(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "timestamptz"
    if pa.types.is_date(kind):
        return "date"
    if pa.types.is_decimal(kind):
        return "numeric"
    return _TYPES[str(kind)]
