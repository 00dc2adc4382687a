"""What dbt is told of an installation: the variables that dbt_project/profiles.yml reads.

Here belongs the way from settings to those variables, for the worker process alone. Not here: starting it (`dbt`), reading the
environment (`settings`).
"""

import os
from collections.abc import Mapping

import msgspec
import psycopg

from orchestration.resources import spark_place
from orchestration.resources.dbt import duckdb_variables
from orchestration.resources.settings import Settings
from orchestration.resources.warehouse_postgres import warehouse_url

# Of the connections of dbt: derived data, short statements, and moments printed in UTC.
_POSTGRES_OPTIONS = "-c TimeZone=UTC -c synchronous_commit=off -c jit=off -c work_mem=64MB"
_PROFILE = {"host": "FLEXORAA_DBT_PG_HOST", "port": "FLEXORAA_DBT_PG_PORT", "user": "FLEXORAA_DBT_PG_USER",
            "dbname": "FLEXORAA_DBT_PG_DATABASE", "password": "DBT_ENV_SECRET_FLEXORAA_PG_PASSWORD"}  # fmt: skip
"""What dbt-postgres must be given in its profile. It masks the value of a variable of that last prefix in all its logs."""

_LIBPQ = {"sslmode": "PGSSLMODE", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY", "sslrootcert": "PGSSLROOTCERT",
          "channel_binding": "PGCHANNELBINDING", "connect_timeout": "PGCONNECT_TIMEOUT",
          "target_session_attrs": "PGTARGETSESSIONATTRS", "hostaddr": "PGHOSTADDR"}  # fmt: skip


def dbt_environment(settings: Settings, state_url: str | None) -> Mapping[str, str]:
    """Variables for the worker. `state_url` is the state's address, which the engine postgres needs."""
    found = {
        "FLEXORAA_DBT_TARGET": settings.engine,
        **duckdb_variables(settings),
    }
    if settings.engine == "postgres" and state_url is not None:
        parts = psycopg.conninfo.conninfo_to_dict(warehouse_url(state_url))
        found |= {name: str(parts[part]) for names in (_PROFILE, _LIBPQ) for part, name in names.items() if parts.get(part) is not None}
        found["PGOPTIONS"] = " ".join(filter(None, (os.environ.get("PGOPTIONS"), _POSTGRES_OPTIONS)))
    if settings.engine == "spark":
        found[spark_place.VARIABLE] = msgspec.json.encode(spark_place.SparkPlace.of(settings)).decode()
    return found
