"""The other two engines, for the suite that was written against DuckDB: what they built, copied into a DuckDB in memory.

Here belongs an installation of one engine that is built over and over, by the platform's own parts: its loader, its dbt worker, its reader.
One server and one Java machine a session. Not here: rows (`tests.dbt.warehouse`).
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from core.signals import MessageSignal
from orchestration.resources.dbt import DbtRunner
from orchestration.resources.dbt_profile import dbt_environment
from orchestration.resources.engines import require, warehouse_of
from orchestration.resources.fingerprint import Mart
from orchestration.resources.settings import Settings
from orchestration.resources.state import open_state
from orchestration.resources.warehouse import EngineWarehouse
from orchestration.resources.warehouse_postgres import warehouse_url

WITHOUT_UNIT_TESTS = ("--exclude-resource-type", "unit_test")
MODELS_ONLY = (*WITHOUT_UNIT_TESTS, "--exclude-resource-type", "test")
"""Where no test of dbt is asked: they cost as much as the models."""
_CHOSEN: list["Installation"] = []


class Installation:
    """A home of one engine."""

    def __init__(self, settings: Settings, state_url: str, dbt: DbtRunner) -> None:
        self.settings, self.dbt = settings, dbt
        self.warehouse: EngineWarehouse = warehouse_of(settings, state_url)
        self._state_url = state_url
        self._folder: Path | None = None

    def build(self, folder: Path, tables: Mapping[tuple[str, str], pa.Table], *arguments: str) -> duckdb.DuckDBPyConnection:
        """Build these tables of lake and reference; another folder than last time begins with an empty warehouse."""
        if folder != self._folder:
            self._empty()
            self._folder = folder
        for (schema, table), rows in tables.items():
            lake, reference = (
                self.settings.lake / table / "event_date=2026-01-01" / "rows.parquet",
                self.settings.reference / f"{table}.parquet",
            )
            signals = self.settings.reference / "signals" / "event_date=2026-01-01" / "rows.parquet"
            path = lake if schema == "lake" else signals if table == MessageSignal.table else reference
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(rows, path)
        self.warehouse.prepare()
        for _ in self.dbt.build(arguments or WITHOUT_UNIT_TESTS):
            pass
        return self.marts()

    def marts(self) -> duckdb.DuckDBPyConnection:
        """A copy of all marts."""
        connection = duckdb.connect()
        connection.execute("set TimeZone = 'UTC'; create schema marts")
        for name, table in self.warehouse.read(self.warehouse.names()).items():
            connection.register("copied", table)
            connection.execute(f'create table marts."{name}" as from copied')
            connection.unregister("copied")
        return connection

    def fingerprints(self) -> Mapping[str, Mart]:
        """Of all marts."""
        return self.warehouse.fingerprints()

    def unit_tests_passed(self) -> int:
        """How many of dbt's unit tests ran; one that fails raises."""
        done = [event["data"].get("status") for event in self.dbt.invoke("test", ["--select", "test_type:unit"])]
        return done.count("pass")

    def _empty(self) -> None:
        shutil.rmtree(self.settings.lake, ignore_errors=True)
        shutil.rmtree(self.settings.reference / "signals", ignore_errors=True)
        for folder in self.settings.spark_warehouse.glob("*.db"):
            shutil.rmtree(folder)
        if self.settings.engine == "postgres" and self._folder is not None:
            with psycopg.connect(warehouse_url(self._state_url)) as connection:
                for schema in ("lake", "reference", "staging", "intermediate", "marts"):
                    connection.execute(f"drop schema if exists {schema} cascade")


@contextmanager
def installation(engine: str, **variables: str) -> Iterator[Installation]:
    """An installation of an engine in a folder that goes with it."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="flexoraa-dbt-")))
        settings = Settings.load(home / "home", variables, engine=engine)
        require(settings)
        settings.make_folders()
        url = stack.enter_context(open_state(settings)).libpq_url if engine == "postgres" else "postgresql://nowhere/none"
        dbt = stack.enter_context(closing(DbtRunner(settings.dbt_target, settings.logs, dbt_environment(settings, url))))
        yield Installation(settings, url, dbt)


@contextmanager
def choose(engine: str) -> Iterator[None]:
    """For the length of the block, `tests.dbt.warehouse.build` builds there; duckdb is a file in the test's own folder."""
    if engine == "duckdb":
        yield
        return
    with installation(engine) as made:
        _CHOSEN.append(made)
        try:
            yield
        finally:
            _CHOSEN.pop()


def chosen() -> Installation | None:
    """The installation that the suite builds on, if it is not DuckDB."""
    return _CHOSEN[-1] if _CHOSEN else None
