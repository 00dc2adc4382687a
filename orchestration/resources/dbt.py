"""dbt in this process, and a manifest that is never older than the project.

Here belongs how dbt is started: in the process that already imported it, for a second one costs 4 s of imports and dagster-dbt's own
handle to the adapter 3 s more (measured around 6 s of work). Not here: what is selected (`assets.warehouse`), what models say.
"""

import fcntl
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from assets.project import MANIFEST, PROJECT

_PARTS = ("models", "macros", "seeds", "snapshots", "tests")


class DbtError(Exception):
    """dbt cannot read the project, or could not build all of it; the message holds dbt's own words."""


class DbtRunner:
    """The port `core.ports.Dbt`: one invocation at a time, events as they happen."""

    def __init__(self, target: Path, logs: Path) -> None:
        """`target` keeps dbt's parsed project and compiled SQL, `logs` its log."""
        self._target = target
        self._logs = logs

    def build(self, arguments: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Run `dbt build` with these arguments; yields dbt's structured events, as in its JSON log.

        Raises:
            DbtError: after the last event, where a node failed.
        """
        events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        outcome: list[Any] = []
        worker = threading.Thread(target=self._invoke, args=(arguments, events, outcome), name="dbt")
        worker.start()
        errors = []
        while (event := events.get()) is not None:
            if event["info"]["level"] == "error":
                errors.append(event["info"]["msg"])
            yield event
        worker.join()
        (result,) = outcome
        if not getattr(result, "success", False):
            words = errors or [str(getattr(result, "exception", None) or result)]
            raise DbtError("dbt build failed:\n" + "\n".join(words))

    def _invoke(self, arguments: Sequence[str], events: "queue.Queue[dict[str, Any] | None]", outcome: list[Any]) -> None:
        from dbt.cli.main import dbtRunner  # here: 4 s
        from dbt_common.events.base_types import EventMsg
        from google.protobuf.json_format import MessageToDict

        def put(message: EventMsg) -> None:
            if message.info.level not in {"debug", "test"} or message.info.name in _RESULTS:
                events.put(MessageToDict(message, preserving_proto_field_name=True))

        command = ["--quiet", "--no-use-colors", "--log-path", str(self._logs), "--log-level-file", "info", "build", *arguments]
        command += [*_places(self._target)]
        try:
            outcome.append(dbtRunner(callbacks=[put]).invoke(command))
        except BaseException as error:  # a thread must not die in silence: the caller raises it
            outcome.append(error)
            raise
        finally:
            _close_duckdb()
            events.put(None)


def _close_duckdb() -> None:
    """Let go of the file: dbt-duckdb keeps it open until its process ends, which here is ours, and we want to read it next."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    environment = DuckDBConnectionManager._ENV  # noqa: SLF001 — `env()` raises where nothing was opened
    if environment is not None:
        environment.close()
        DuckDBConnectionManager.close_all_connections()


_RESULTS = frozenset({"LogSeedResult", "LogModelResult", "LogSnapshotResult", "LogTestResult"})


def _places(target: Path) -> list[str]:
    return ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target-path", str(target)]


def ensure_manifest() -> None:
    """Run `dbt parse` where the manifest is missing or older than a file of the project. Safe among processes.

    Raises:
        DbtError: the project does not parse.
    """
    if _is_current():
        return
    MANIFEST.parent.mkdir(exist_ok=True)
    with (MANIFEST.parent / "parse.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_current():
            return
        program = str(Path(sys.executable).parent / "dbt")  # of this Python's environment, whatever PATH says
        command = [program, "--quiet", "--log-path", str(MANIFEST.parent), "parse", *_places(MANIFEST.parent)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 — our own program and paths
        if done.returncode != 0:
            raise DbtError(f"dbt cannot read the project:\n{done.stdout.strip()}\n{done.stderr.strip()}")
        MANIFEST.touch()


def _is_current() -> bool:
    if not MANIFEST.exists():
        return False
    made = MANIFEST.stat().st_mtime
    files = [PROJECT / "dbt_project.yml", PROJECT / "profiles.yml", *(path for part in _PARTS for path in (PROJECT / part).rglob("*"))]
    return all(path.stat().st_mtime <= made for path in files if path.exists())
