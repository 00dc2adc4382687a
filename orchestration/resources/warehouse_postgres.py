"""The warehouse in Postgres: a database of its own beside the state's, filled by COPY, built by dbt-postgres.

Here belongs that database and reading from it. A database apart, because a query there cannot reach vault or outbox at all, because its
texts sort by code point whatever the server's locale is (as on the other engines), and because backups of the state then do not hold what
can be built again. Not here: loading (`postgres_load`), what dbt is told (`dbt_profile`).
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import pyarrow as pa
from psycopg import sql

from orchestration.resources.copying import copy_in, copy_out
from orchestration.resources.postgres_load import load
from orchestration.resources.sources import sources
from orchestration.resources.state import SERVICE_ROLE
from orchestration.resources.warehouse import EngineWarehouse, WarehouseError

_LOCK = 5_146_007_024  # the advisory lock of whoever makes or fills the warehouse; any number that nobody else of this server uses
_CONTRACT_TYPES = {"timestamp with time zone": "timestamptz"}
_ARROW: dict[str, pa.DataType] = {
    "text": pa.string(),
    "bigint": pa.int64(),
    "integer": pa.int32(),
    "double precision": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
}
_COLUMNS = (
    "select c.relname, a.attname, format_type(a.atttypid, a.atttypmod) from pg_attribute as a join pg_class as c on c.oid = a.attrelid "
    "where c.relnamespace = to_regnamespace('marts') and c.relkind in ('r', 'v') and a.attnum > 0 and not a.attisdropped "
    "order by c.relname, a.attnum"
)


def warehouse_url(state_url: str) -> str:
    """The address of the warehouse of the state at that address: the same server, `<database>_warehouse`.

    >>> warehouse_url("postgresql://u:p@h:5433/flexoraa?sslmode=require")
    'postgresql://u:p@h:5433/flexoraa_warehouse?sslmode=require'
    """
    parts = urlsplit(state_url)
    return urlunsplit(parts._replace(path="/" + quote(warehouse_database(state_url), safe="")))


def warehouse_database(state_url: str) -> str:
    """The database's name."""
    return f"{psycopg.conninfo.conninfo_to_dict(state_url).get('dbname') or 'postgres'}_warehouse"


class PostgresWarehouse(EngineWarehouse):
    """Schemas lake, reference, staging, intermediate and marts in the warehouse's database."""

    def __init__(self, state_url: str, lake: Path, reference: Path) -> None:
        """Take the state's address and the folders; nothing is opened yet."""
        super().__init__(lake, reference)
        self._state_url = state_url
        self._url = warehouse_url(state_url)

    def prepare(self) -> None:
        """Make the database if need be, and load what is new in lake and reference, in one transaction."""
        self._make_database()
        with self._lake.reading(), self._open() as connection:
            connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
            for schema in ("lake", "reference", "touched", "anew"):
                connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
            load(connection, sources(self._lake.folder, self._reference))

    def _last_build(self) -> str | None:
        with contextlib.suppress(WarehouseError):  # no database yet, or one of before there were increments
            return next((row[0] for row in self._ask("select build_id from reference.last_build")), None)
        return None

    def _keep_build(self, build_id: str | None) -> None:
        self._make_database()
        with self._open() as connection:
            connection.execute("create schema if not exists reference; drop table if exists reference.last_build")
            connection.execute("create table reference.last_build (build_id text)")
            connection.execute("insert into reference.last_build values (%s)", (build_id,))

    def _ask(self, statement: str) -> Sequence[tuple[Any, ...]]:
        with self._open() as connection:
            return connection.execute(statement.encode()).fetchall()

    def follow(self) -> bool:
        """Nothing to let go of: the rows were copied."""
        return True

    def read(self, marts: Iterable[str]) -> Mapping[str, pa.Table]:
        """Whole marts as Arrow tables, all from one moment."""
        found = {}
        with self._open() as connection:
            connection.execute("set transaction isolation level repeatable read, read only")
            types = _types(connection)
            for mart in marts:
                if mart not in types:
                    raise WarehouseError(f"there is no table marts.{mart} yet: run `flexoraa run` first")
                schema = pa.schema([(name, _arrow_type(mart, name, kind)) for name, kind in types[mart].items()])
                found[mart] = copy_out(connection, sql.SQL("select * from marts.{}").format(sql.Identifier(mart)), schema)
        return found

    def put(self, tables: Mapping[str, pa.Table]) -> None:
        """Put whole marts in place of the last ones, in one transaction."""
        kinds = {str(arrow): kind for kind, arrow in _ARROW.items()}
        with self._open() as connection:
            for mart, table in tables.items():
                name = sql.SQL("marts.{}").format(sql.Identifier(mart))
                columns = [sql.SQL("{} {}").format(sql.Identifier(each.name), sql.SQL(kinds[str(each.type)])) for each in table.schema]
                connection.execute(sql.SQL("drop table if exists {}").format(name))
                connection.execute(sql.SQL("create table {} ({})").format(name, sql.SQL(", ").join(columns)))
                copy_in(connection, name, table.to_batches())

    def query(self, statement: str) -> pa.Table:
        """As `EngineWarehouse.query`: one statement by the extended protocol, which takes no second one, in a read-only transaction."""
        with self._open() as connection:
            connection.execute("set transaction read only")
            cursor = connection.execute(statement.encode(), prepare=True)
            if cursor.description is None:
                raise WarehouseError("that is no query: only reading is possible here")
            return _table([column.name for column in cursor.description], cursor.fetchall())

    def names(self, schema: str = "marts") -> list[str]:
        """Tables of a schema."""
        select = 'select table_name from information_schema.tables where table_schema = %s order by table_name collate "C"'
        with self._open() as connection:
            return [name for (name,) in connection.execute(select, (schema,)).fetchall()]

    def columns(self) -> dict[str, dict[str, str]]:
        """Types of the columns of every mart, in the words of dbt's contracts."""
        with self._open() as connection:
            types = _types(connection)
        return {mart: {name: _CONTRACT_TYPES.get(kind, kind) for name, kind in kinds.items()} for mart, kinds in types.items()}

    def row_counts(self) -> dict[str, int]:
        """Rows of every mart."""
        names = self.names()
        with self._open() as connection:
            return {
                name: connection.execute(sql.SQL("select count(*) from marts.{}").format(sql.Identifier(name))).fetchall()[0][0]
                for name in names
            }

    def _make_database(self) -> None:
        name = sql.Identifier(warehouse_database(self._state_url))
        with psycopg.connect(self._state_url, autocommit=True) as owner:
            owner.execute("select pg_advisory_lock(%s)", (_LOCK,))  # let go of with the connection
            found = owner.execute("select from pg_database where datname = %s", (warehouse_database(self._state_url),)).fetchone()
            if found is None:
                create = f"create database {{}} template template0 encoding 'UTF8' {_locale(owner)} owner {SERVICE_ROLE}"
                try:
                    owner.execute(sql.SQL(create).format(name))
                except psycopg.errors.InsufficientPrivilege as error:
                    by_hand = sql.SQL(create).format(name).as_string(owner)
                    message = (
                        f"the login of DATABASE_URL may not create the warehouse's database ({error.diag.message_primary}): "
                        f"`alter role … createdb`, or as somebody who may: {by_hand}"
                    )
                    raise WarehouseError(message) from error
        with self._open() as connection:
            connection.execute(sql.SQL("revoke all on database {} from public").format(name))  # a tenant's login reads `serving` only
            row = connection.execute("select 'B' < 'a' and 'a_b' < 'aab' and 'Z' < '_'").fetchone()
            if row is None or not row[0]:
                message = (
                    f"the database {warehouse_database(self._state_url)} does not sort texts by code point, as the other engines do: "
                    "drop it, and the next run makes it anew"
                )
                raise WarehouseError(message)

    @contextlib.contextmanager
    def _open(self) -> Iterator[psycopg.Connection]:
        """One transaction as the platform's role."""
        try:
            with psycopg.connect(self._url) as connection:
                # derived data: a lost last transaction is loaded again; the other two as in `state`
                connection.execute(f"set role {SERVICE_ROLE}; set timezone to 'UTC'; set synchronous_commit to off")
                connection.commit()
                yield connection
        except psycopg.OperationalError as error:
            if "does not exist" in str(error):
                raise WarehouseError("there is no warehouse yet: run `flexoraa run` first") from error
            raise WarehouseError(str(error)) from error
        except psycopg.Error as error:
            raise WarehouseError(str(error)) from error


def _locale(connection: psycopg.Connection) -> str:
    """Texts by code point: the builtin provider knows upper and lower case of all scripts besides, from PostgreSQL 17 on."""
    if connection.info.server_version >= 170000:
        return "locale_provider builtin builtin_locale 'C.UTF-8' locale 'C'"
    return "locale 'C'"


def _types(connection: psycopg.Connection) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in connection.execute(_COLUMNS).fetchall():
        found.setdefault(table, {})[column] = kind
    return found


def _arrow_type(mart: str, column: str, kind: str) -> pa.DataType:
    if kind not in _ARROW:
        raise WarehouseError(f"marts.{mart}.{column} is of type {kind}, which is not published: cast it in its model")
    return _ARROW[kind]


def _table(names: list[str], rows: list[tuple[Any, ...]]) -> pa.Table:
    """Rows of any query; what Arrow has no type for, such as an interval, as text."""
    arrays = []
    for place in range(len(names)):
        values = [row[place] for row in rows]
        try:
            arrays.append(pa.array(values))
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
            kinds = {type(value) for value in values if value is not None}
            numbers = kinds <= {Decimal, int, float}
            arrays.append(pa.array([None if value is None else (float(value) if numbers else str(value)) for value in values]))
    return pa.Table.from_arrays(arrays, names=names)
