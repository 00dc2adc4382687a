"""A process that imports dbt ahead of time, then runs what its standard input asks for.

Here belongs that process: one JSON list of arguments a line in, dbt's structured events as JSON lines out, and after each invocation a line
`{"done": …}`. It ends with its input, also in the middle of an invocation: whoever asked is dead or has given up, and the next run must
find the warehouse free. A process of its own, because dbt's Python and Dagster's then use a core each, and because DuckDB's file is free
again for readers when it is asked to let go. Not here: who asks (`orchestration.resources.dbt`).
"""

import contextlib
import gc
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

import msgspec
from dbt.cli.main import dbtRunner
from dbt_common.events.base_types import EventMsg
from google.protobuf.json_format import MessageToDict

from orchestration.resources.lake_files import LakeFiles
from orchestration.resources.spark_place import VARIABLE, SparkPlace

_BUSY = threading.Event()
_RESULTS = frozenset({"LogSeedResult", "LogModelResult", "LogSnapshotResult", "LogTestResult"})


def main() -> None:
    """Serve until the input ends."""
    gc.freeze()  # what dbt's import made stays: not looking through it again saves 6 % of a build's processor time
    gc.set_threshold(100_000, 50, 100)
    # whatever dbt prints for people, or a Java virtual machine on its own, must not mix with the events
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def put(message: EventMsg) -> None:
        if message.info.level in {"warn", "error"} or message.info.name in _RESULTS:
            _write(out, MessageToDict(message, preserving_proto_field_name=True))

    asked: SimpleQueue[str | None] = SimpleQueue()
    threading.Thread(target=_listen, args=(asked,), daemon=True).start()
    with _spark() as spark:
        while (line := asked.get()) is not None:
            with spark():
                done = _invoke(json.loads(line), put)
            _BUSY.clear()  # before the answer, which the next question may follow at once
            _write(out, {"done": done})


def _listen(asked: "SimpleQueue[str | None]") -> None:
    for line in sys.stdin:
        _BUSY.set()
        asked.put(line)
    if _BUSY.is_set():
        os._exit(1)  # no clean-up: a DuckDB file stands a kill at any moment
    asked.put(None)


def _invoke(arguments: list[str], put: Callable[[EventMsg], None]) -> str | None:
    """None where all went well, else why not."""
    result = dbtRunner(callbacks=[put]).invoke(arguments)
    _close_duckdb()
    if result.success:
        return None
    return str(result.exception or "a node failed")


@contextlib.contextmanager
def _spark() -> Iterator[Callable[[], contextlib.AbstractContextManager[None]]]:
    """What surrounds an invocation: nothing, or where the engine is Spark, a session that dbt-spark finds and its catalog kept."""
    if VARIABLE not in os.environ:
        yield contextlib.nullcontext
        return
    from orchestration.resources.spark_session import open_session, show, views  # here: the other engines do without pyspark

    place = msgspec.json.decode(os.environ[VARIABLE], type=SparkPlace)

    @contextlib.contextmanager
    def invocation() -> Iterator[None]:
        with LakeFiles(Path(place.lake)).reading(), place.locked(to_write=True):
            place.clean()
            show(session, place)
            yield
            place.keep_views(views(session))

    with open_session(place) as session:
        yield invocation


def _write(out: IO[str], event: dict[str, Any]) -> None:
    out.write(json.dumps(event) + "\n")
    out.flush()


def _close_duckdb() -> None:
    """Let go of the file: dbt-duckdb keeps it open until its process ends, and others want to read it next."""
    if os.environ.get("FLEXORAA_DBT_TARGET", "duckdb") != "duckdb":
        return
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager  # here: only once dbt has an adapter

    environment: Any = DuckDBConnectionManager._ENV
    if environment is not None:
        environment.close()
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
