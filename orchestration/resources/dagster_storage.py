"""Dagster's storage in Postgres over connections that stay open.

Here belongs that one difference from dagster-postgres, which opens a connection for each statement, up to four for each event: a run of all
assets tells of 900, and its sensor's tick of 400. Its web server does not, and does as below. Not here: what Dagster is told of the instance
(`dagster_home`).
"""

from dagster._config import UserConfigSchema
from dagster._core.storage.config import PostgresStorageConfig, pg_config
from dagster._serdes import ConfigurableClassData
from dagster_postgres.storage import DagsterPostgresStorage
from dagster_postgres.utils import pg_url_from_config

_RECYCLE_SECONDS = 3600
_THREADS = 20
"""Connections at most, one a thread that asks; all but one are closed again after use."""


class PooledPostgresStorage(DagsterPostgresStorage):
    """Runs, events and schedules, each over a pool of its own."""

    def __init__(self, postgres_url: str, should_autocreate_tables: bool = True, inst_data: ConfigurableClassData | None = None) -> None:  # noqa: FBT001, FBT002 — Dagster's signature
        """Take the address."""
        super().__init__(postgres_url, should_autocreate_tables, inst_data)
        for each in (self.run_storage, self.event_log_storage, self.schedule_storage):
            each.optimize_for_webserver(statement_timeout=0, pool_recycle=_RECYCLE_SECONDS, max_overflow=_THREADS)  # 0: no limit

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """As dagster-postgres."""
        return pg_config()

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: PostgresStorageConfig) -> "PooledPostgresStorage":
        """From `dagster.yaml`."""
        return cls(pg_url_from_config(config_value), config_value.get("should_autocreate_tables", True), inst_data)
