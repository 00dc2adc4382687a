"""dbt as a program, and a manifest that is never older than the project.

Here belongs how dbt is started: ahead of time, in one worker process a run. dagster-dbt's own resource starts dbt when it is needed and
makes a second handle to the adapter, which cost 7 s more around 6 s of work here. Not here: what is selected (`assets.warehouse`).
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from assets.project import MANIFEST, PROJECT
from orchestration.resources.settings import Settings

_PARSED = "partial_parse.msgpack"
_PARTS = ("models", "macros", "seeds", "snapshots", "tests")


class DbtError(Exception):
    """dbt cannot read the project, or could not build all of it; the message holds dbt's own words."""


class DbtRunner:
    """The port `core.warehouse_ports.Dbt`: one invocation at a time, events as they happen, all in one worker process."""

    def __init__(self, target: Path, logs: Path, environment: Mapping[str, str], reports: Path | None = None) -> None:
        """`target` keeps dbt's parsed project and compiled SQL, `logs` its log, `environment` is what its profile reads.

        Pages for people go to `reports`, or else stay in `target`.
        """
        self._target = target
        self._reports = reports or target
        self._logs = logs
        self._environment = environment
        self._worker: subprocess.Popen[str] | None = None

    def warm(self) -> None:
        """Start the worker, which imports dbt (4 s) while this process does other things."""
        if self._worker is None or self._worker.poll() is not None:
            self._logs.mkdir(parents=True, exist_ok=True)
            self._target.mkdir(parents=True, exist_ok=True)
            inherit_parse(self._target)
            with (self._logs / "dbt_worker.log").open("a") as log:
                self._worker = subprocess.Popen(
                    [sys.executable, "-P", "-m", "orchestration.resources.dbt_worker"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    cwd=self._target.parent,  # places in the profile are relative to it, see `inherit_parse`
                    env={**os.environ, **self._environment},
                )

    def close(self) -> None:
        """End the worker."""
        if self._worker is not None:
            if self._worker.stdin is not None:
                self._worker.stdin.close()
            self._worker.wait()
            if self._worker.stdout is not None:
                self._worker.stdout.close()
            self._worker = None

    def build(self, arguments: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Run `dbt build` with these arguments; yields dbt's structured events, as in its JSON log.

        Raises:
            DbtError: after the last event, where a node failed.
        """
        return self.invoke("build", arguments)

    def document(self) -> Path:
        """Run `dbt docs generate`; the page is one file that needs no server.

        Raises:
            DbtError: as `build`.
        """
        for _ in self.invoke("docs", ["generate", "--static", "--no-compile"]):
            pass
        page = self._reports / "dbt_docs.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._target / "static_index.html", page)
        return page

    def invoke(self, command_name: str, arguments: Sequence[str]) -> Iterator[dict[str, Any]]:
        """As `build`, for any of dbt's commands."""
        self.warm()
        worker = self._worker
        if worker is None or worker.stdin is None or worker.stdout is None:
            raise DbtError("the dbt worker has no pipes")
        command = ["--quiet", "--no-use-colors", "--log-path", str(self._logs), "--log-level-file", "info", command_name, *arguments]
        worker.stdin.write(json.dumps([*command, *places(self._target)]) + "\n")
        worker.stdin.flush()
        errors: list[str] = []
        for line in worker.stdout:
            event = json.loads(line)
            if "done" in event:
                if event["done"] is not None:
                    raise DbtError(f"dbt {command_name} failed:\n" + "\n".join(errors or [event["done"]]))
                return
            if event["info"]["level"] == "error":
                errors.append(event["info"]["msg"])
            try:
                yield event
            except GeneratorExit:  # nobody listens any more: what the worker still says must not meet the next question
                self.close()
                raise
        raise DbtError(f"the dbt worker died with exit code {worker.wait()}; see {self._logs / 'dbt_worker.log'}")


def duckdb_variables(settings: Settings | None = None) -> dict[str, str]:
    """What the profile reads of DuckDB, its places from the installation's own folder; without settings, those of whoever sets nothing."""
    settings = settings or Settings.load(Path(), {})
    return {
        "FLEXORAA_DBT_WAREHOUSE": settings.warehouse.name,
        "FLEXORAA_DBT_DUCKDB_SPILL": settings.duckdb_spill.name,
        "FLEXORAA_DBT_DUCKDB_MEMORY": settings.duckdb_memory,
        "FLEXORAA_DBT_DUCKDB_THREADS": str(settings.duckdb_threads),
    }


def inherit_parse(target: Path) -> None:
    """Begin with the project as parsed for the manifest: 4.4 s of processor time less in an installation's first run.

    dbt reads everything anew where the connection is another one than when it parsed. So the profile names DuckDB's file relative to the
    installation, and all installations have the same connection; with another engine, or other memory, dbt throws the copy away.
    """
    parsed = MANIFEST.parent / _PARSED
    if parsed.exists() and not (target / _PARSED).exists():
        shutil.copyfile(parsed, target / _PARSED)


def places(target: Path) -> list[str]:
    """Options by which dbt finds the project and writes to `target`."""
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
        command = [program, "--quiet", "--log-path", str(MANIFEST.parent), "parse", *places(MANIFEST.parent)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **duckdb_variables()})
        if done.returncode != 0:
            raise DbtError(f"dbt cannot read the project:\n{done.stdout.strip()}\n{done.stderr.strip()}")
        MANIFEST.touch()


def _is_current() -> bool:
    if not MANIFEST.exists():
        return False
    made = MANIFEST.stat().st_mtime
    files = [PROJECT / "dbt_project.yml", PROJECT / "profiles.yml", *(path for part in _PARTS for path in (PROJECT / part).rglob("*"))]
    return all(path.stat().st_mtime <= made for path in files if path.exists())
