"""The one PostgreSQL that holds state: connections with the platform's role, migrations, row-level security for new tables.

Here belongs how to reach the state. Not here: the server's life (`postgres`), any table's meaning (the adapters beside this
file).
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import psycopg as driver

from orchestration.migrations import FOLDER, head
from orchestration.resources.postgres import EmbeddedPostgres
from orchestration.resources.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.pool import ConnectionPoolEntry

SERVICE_ROLE = "flexoraa_service"
_FRESH_SECONDS = 1.0
_MIGRATION_LOCK = 5_146_007_021  # any number, as long as nobody else of this database uses it as an advisory lock
# Row-level security does not bind a superuser or an owner that bypasses it, so no ordinary connection keeps the role it logged
# in with.
_ENTER = f"set role {SERVICE_ROLE}; set timezone to 'UTC'"


class State:
    """Connections to one database. Call `migrate` before anything else; `dispose` at the end."""

    def __init__(self, libpq_url: str) -> None:
        """`libpq_url` begins with postgresql://; nothing is opened yet."""
        self._url = libpq_url
        self._kept: driver.Connection | None = None
        self._kept_at = 0.0
        self._lock = threading.Lock()

    @property
    def libpq_url(self) -> str:
        """For Dagster's storage and psql; logs in as the owner, without the platform's role."""
        return self._url

    @cached_property
    def engine(self) -> "Engine":
        """SQLAlchemy, as `flexoraa_service`."""
        import sqlalchemy  # here: 0.5 s that a worker of the intake, which starts with every run, does not need

        engine = sqlalchemy.create_engine(_sqlalchemy_url(self._url))
        sqlalchemy.event.listen(engine, "connect", _enter)
        sqlalchemy.event.listen(engine, "checkin", _rest)
        sqlalchemy.event.listen(engine, "checkout", _wake)
        return engine

    @contextmanager
    def begin(self) -> Iterator["Connection"]:
        """A transaction as `flexoraa_service`: committed when the block ends well."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def kept(self) -> Iterator[driver.Connection]:
        """As `psycopg`, of one connection that stays open for the next: for what is asked often, since to open one takes 6 ms."""
        with self._lock:
            is_fresh = time.monotonic() - self._kept_at < _FRESH_SECONDS
            if self._kept is None or self._kept.closed or not (is_fresh or _answers(self._kept)):
                self._kept = driver.connect(self._url)
                _enter(self._kept, None)
            with self._kept.transaction():
                yield self._kept
            self._kept_at = time.monotonic()

    @contextmanager
    def psycopg(self) -> Iterator[driver.Connection]:
        """A raw connection as `flexoraa_service`, for COPY: one transaction, committed when the block ends well, then closed."""
        with driver.connect(self._url) as connection:
            _enter(connection, None)
            yield connection

    @contextmanager
    def owner(self) -> Iterator[driver.Connection]:
        """A raw transaction as whoever logs in, who may make roles; only for `tenant apply` and backups."""
        with driver.connect(self._url) as connection:
            yield connection

    def migrate(self) -> bool:
        """Bring the schema to the newest step; says whether there was anything to do. Several processes may call it at once."""
        with self.owner() as connection:
            if _version(connection) == head():
                return False
        import sqlalchemy  # as above
        from alembic.command import upgrade
        from alembic.config import Config

        engine = sqlalchemy.create_engine(_sqlalchemy_url(self._url), poolclass=sqlalchemy.NullPool)
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("select pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
            connection.execute(sqlalchemy.text("create schema if not exists ops"))
            config = Config()
            config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
            config.attributes["connection"] = connection
            upgrade(config, "head")
        return True

    def dispose(self) -> None:
        """Close what is open."""
        with self._lock:
            if self._kept is not None:
                self._kept.close()
                self._kept = None
        if "engine" in self.__dict__:
            self.engine.dispose()


def protect_table(connection: driver.Connection, schema: str, table: str) -> None:
    """Put a table with a `tenant_id` under row-level security: all rows for the platform, a tenant's own for a tenant.

    For tables made at run time (schema `serving`). Call it in the transaction that makes the table, before anybody can see it.
    """
    connection.execute("select ops.protect_table(%s, %s)", (schema, table))


@contextmanager
def open_state(settings: Settings) -> Iterator[State]:
    """The state of an installation, at the newest step; the embedded server is held for as long as the block lasts.

    Raises:
        PostgresError: the embedded server does not come up.
    """
    settings.make_folders()
    if settings.database_url is not None:
        yield from _open(settings.database_url)
        return
    with EmbeddedPostgres(settings.home) as server:
        yield from _open(server.libpq_url())


def _open(url: str) -> Iterator[State]:
    state = State(url)
    state.migrate()
    try:
        yield state
    finally:
        state.dispose()


def _sqlalchemy_url(libpq_url: str) -> str:
    return libpq_url.replace("postgresql://", "postgresql+psycopg://", 1)


def _enter(connection: Any, _record: Any) -> None:
    connection.execute(_ENTER)
    connection.commit()  # else the next rollback would take the role back


def _answers(connection: driver.Connection) -> bool:
    """The embedded server may have been stopped and started between two uses."""
    try:
        connection.execute("select 1")
        connection.rollback()
    except driver.OperationalError:
        connection.close()
        return False
    return True


def _rest(_connection: driver.Connection | None, record: "ConnectionPoolEntry") -> None:
    """A pooled connection is not used any more."""
    record.info["rests_since"] = time.monotonic()


def _wake(connection: driver.Connection, record: "ConnectionPoolEntry", _proxy: object) -> None:
    """A pooled connection is used again, if it answers; asked before every use (`pool_pre_ping`), that was 5 % of a delivery's time."""
    from sqlalchemy.exc import DisconnectionError  # here: as above

    if time.monotonic() - record.info.get("rests_since", time.monotonic()) >= _FRESH_SECONDS and not _answers(connection):
        raise DisconnectionError  # the pool opens another and asks again


def _version(connection: driver.Connection) -> str | None:
    exists = connection.execute("select to_regclass('ops.alembic_version')").fetchone()
    if exists is None or exists[0] is None:
        return None
    row = connection.execute("select version_num from ops.alembic_version").fetchone()
    return None if row is None else str(row[0])
