"""Dagster's own home: its storage in the one Postgres, its logs in the installation's folder.

Here belongs what Dagster must be told of its instance. Not here: definitions.
"""

import os
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import yaml

from orchestration.resources.settings import Settings

URL_VARIABLE = "DAGSTER_POSTGRES_URL"
# Dagster commits every event by itself; losing the last ones to a power cut costs a log line, waiting for the disk at each costs seconds.
_OPTIONS = "-csearch_path=dagster -csynchronous_commit=off"

LOCKED = "flexoraa/locked"
"""The tag of jobs that hold the run lock."""

CONFIGURATION = {
    "storage": {
        "custom": {
            "module": "orchestration.resources.dagster_storage",
            "class": "PooledPostgresStorage",
            "config": {"postgres_url": {"env": URL_VARIABLE}},
        }
    },
    "telemetry": {"enabled": False},
    "nux": {"enabled": False},
    "run_monitoring": {"enabled": True},
    "freshness": {"enabled": True},
    # a queued run is looked for every second, not every five
    "run_coordinator": {
        "module": "dagster._core.run_coordinator",
        "class": "QueuedRunCoordinator",
        "config": {"dequeue_interval_seconds": 1},
    },
    # of those that hold the run lock one works and one waits for it with its libraries loaded; so a delivery never waits for either
    "concurrency": {"runs": {"max_concurrent_runs": 3, "tag_concurrency_limits": [{"key": LOCKED, "limit": 2}]}},
    # one after the other, twenty sensors wait for whichever is launching a run (2 s, and 30 s on a busy machine)
    "sensors": {"use_threads": True, "num_workers": 4},
    "retention": {"sensor": {"purge_after_days": {"skipped": 7, "success": 30}}},
}


def prepare_dagster(settings: Settings, libpq_url: str) -> None:
    """Write `dagster.yaml` and set the variables by which Dagster, in this process and its children, finds this installation."""
    settings.dagster.mkdir(parents=True, exist_ok=True)
    path = settings.dagster / "dagster.yaml"
    text = yaml.safe_dump(CONFIGURATION, sort_keys=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
    os.environ["DAGSTER_HOME"] = str(settings.dagster)
    os.environ[URL_VARIABLE] = _in_schema(libpq_url)
    os.environ["FLEXORAA_HOME"] = str(settings.home)


def _in_schema(libpq_url: str) -> str:
    parts = urlsplit(libpq_url)
    query = dict(parse_qsl(parts.query)) | {"options": _OPTIONS}
    # by its name: SQLAlchemy 2.1 would take psycopg 3, in which the NOTIFY of dagster-postgres is a syntax error
    return urlunsplit(parts._replace(scheme="postgresql+psycopg2", query=urlencode(query, quote_via=quote)))
