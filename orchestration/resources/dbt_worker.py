"""A process that imports dbt ahead of time, then runs what its standard input asks for.

Here belongs that process: one JSON list of arguments a line in, dbt's structured events as JSON lines out, and after each invocation a line
`{"done": …}`. It ends with its input. A process of its own, because dbt's Python and Dagster's then use a core each, and because DuckDB's
file is free again for readers when it is asked to let go. Not here: who asks (`orchestration.resources.dbt`).
"""

import json
import sys
from collections.abc import Callable
from typing import IO, Any

from dbt.cli.main import dbtRunner
from dbt_common.events.base_types import EventMsg
from google.protobuf.json_format import MessageToDict

_RESULTS = frozenset({"LogSeedResult", "LogModelResult", "LogSnapshotResult", "LogTestResult"})


def main() -> None:
    """Serve until the input ends."""
    out = sys.stdout
    sys.stdout = sys.stderr  # whatever dbt prints for people must not mix with the events

    def put(message: EventMsg) -> None:
        if message.info.level in {"warn", "error"} or message.info.name in _RESULTS:
            _write(out, MessageToDict(message, preserving_proto_field_name=True))

    for line in sys.stdin:
        _write(out, {"done": _invoke(json.loads(line), put)})


def _invoke(arguments: list[str], put: Callable[[EventMsg], None]) -> str | None:
    """None where all went well, else why not."""
    result = dbtRunner(callbacks=[put]).invoke(arguments)
    _close_duckdb()
    if result.success:
        return None
    return str(result.exception or "a node failed")


def _write(out: IO[str], event: dict[str, Any]) -> None:
    out.write(json.dumps(event) + "\n")
    out.flush()


def _close_duckdb() -> None:
    """Let go of the file: dbt-duckdb keeps it open until its process ends, and others want to read it next."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager  # here: only once dbt has an adapter

    environment: Any = DuckDBConnectionManager._ENV
    if environment is not None:
        environment.close()
        DuckDBConnectionManager.close_all_connections()


if __name__ == "__main__":
    main()
