"""Publishing: the marts that operations read, copied from the warehouse into Postgres schema `serving`.

Here belongs the copy and how it takes the place of the last one. Not here: who reads it; what the marts say (`dbt_project`).

Only differences are written, in one transaction: a reader sees all old rows or all new ones and waits for nobody, and an unchanged mart
costs a reading. Tables that are swapped by name were tried on paper and left: dropping the old one waits for every open transaction that
has read it (a tenant who leaves one open would hold up all), takes part in deadlocks with readers that join in another order, and shows an
empty table to a reader whose snapshot is older.
"""

import json
from collections.abc import Collection, Mapping
from datetime import datetime

import psycopg
import pyarrow as pa
from psycopg import sql

from core.ports import Clock
from orchestration.resources.copying import copy_in
from orchestration.resources.state import State, protect_table
from orchestration.resources.warehouse import EngineWarehouse, WarehouseError

_LOCK = 5_146_007_023  # the advisory lock of publishers; any number that nobody else of this database uses
_TYPES = {"string": "text", "large_string": "text", "bool": "boolean", "int32": "bigint", "int64": "bigint", "double": "double precision"}
_KEYS = ("action_id", "contact_point_id", "lead_id")
"""Columns by which senders and readers look one row up, always with its tenant: each gets an index where a mart has it."""

_COLUMNS = (
    "select attname, format_type(atttypid, atttypmod) from pg_attribute "
    "where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum"
)
# By the hash of the whole row as text, which tells null from empty text: rows have no key that all marts share.
_REPLACE = (
    "delete from serving.{mart} as old where not exists (select from pg_temp.{mart} as new where md5(new::text) = md5(old::text))",
    "insert into serving.{mart} select * from pg_temp.{mart} as new "
    "where not exists (select from serving.{mart} as old where md5(old::text) = md5(new::text))",
)


class PostgresPublisher:
    """Copies marts and puts them in place together, so a reader sees either all old or all new rows."""

    def __init__(self, state: State, warehouse: EngineWarehouse, clock: Clock) -> None:
        """Take the two ends and the clock that dates a publication."""
        self._state = state
        self._warehouse = warehouse
        self._clock = clock

    def last_as_of(self) -> datetime | None:
        """The latest moment that was ever published."""
        with self._state.psycopg() as connection:
            row = connection.execute("select max(as_of) from ops.publications").fetchone()
        return None if row is None else row[0]

    def publish(self, marts: Collection[str], as_of: datetime) -> Mapping[str, int]:
        """Copy these marts in one transaction; returns rows by mart.

        Raises:
            WarehouseError: a mart has a column of a type that Postgres is not given.
        """
        tables = self._warehouse.read(marts)
        with self._state.psycopg() as connection:
            connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
            for mart, table in tables.items():
                _replace(connection, mart, table)
            rows = {mart: table.num_rows for mart, table in tables.items()}
            connection.execute(
                "insert into ops.publications (as_of, published_at, tables) values (%s, %s, %s)",
                (as_of, self._clock.now(), json.dumps(rows)),
            )
        return rows


def _replace(connection: psycopg.Connection, mart: str, table: pa.Table) -> None:
    wanted = [(field.name, _postgres_type(mart, field)) for field in table.schema]
    if connection.execute(_COLUMNS, (f'serving."{mart}"',)).fetchall() != wanted:
        _create(connection, mart, wanted)
    name = sql.Identifier(mart)
    connection.execute(sql.SQL("create temporary table {name} (like serving.{name}) on commit drop").format(name=name))
    copy_in(connection, sql.SQL("pg_temp.{}").format(name), table.to_batches())
    connection.execute(sql.SQL("analyze pg_temp.{}").format(name))
    for statement in _REPLACE:
        connection.execute(sql.SQL(statement).format(mart=name))


def _create(connection: psycopg.Connection, mart: str, columns: list[tuple[str, str]]) -> None:
    name = sql.Identifier(mart)
    connection.execute(sql.SQL("drop table if exists serving.{}").format(name))
    listed = sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind)) for column, kind in columns)
    connection.execute(sql.SQL("create table serving.{} ({})").format(name, listed))
    for key in _KEYS:
        if any(column == key for column, _ in columns):
            connection.execute(sql.SQL("create index on serving.{} (tenant_id, {})").format(name, sql.Identifier(key)))
    protect_table(connection, "serving", mart)


def _postgres_type(mart: str, field: pa.Field) -> str:
    if pa.types.is_timestamp(field.type):
        return "timestamp with time zone"
    if pa.types.is_date(field.type):
        return "date"
    if pa.types.is_decimal(field.type):
        return "numeric"
    if str(field.type) not in _TYPES:
        raise WarehouseError(f"marts.{mart}.{field.name} is of type {field.type}, which is not published: cast it in its model")
    return _TYPES[str(field.type)]
