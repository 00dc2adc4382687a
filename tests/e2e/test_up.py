"""`flexoraa up` for real: UI and collector answer, a dropped segment is taken in by itself, a killed collector comes back, nothing stays behind.

Here belongs the one slow test of everything that runs by itself: the daemon, the code server, a run's own process, the collector.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import httpx
import psutil
import psycopg
import pytest

from orchestration.resources.platform import open_platform
from orchestration.resources.settings import Settings
from orchestration.simulator import simulate
from orchestration.tenant_command import apply_tenants

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
QUERY = """{
  workspaceOrError { __typename ... on Workspace { locationEntries { name loadStatus locationOrLoadError { __typename } } } }
  sensorsOrError(repositorySelector: {repositoryName: "__repository__", repositoryLocationName: "flexoraa"}) {
    ... on Sensors { results { name sensorState { status } } } }
}"""
RUNS = """{ runsOrError(filter: {pipelineName: "everything"}) { ... on Runs { results { status tags { key value } } } } }"""


@pytest.fixture
def home() -> Iterator[Path]:
    """Below the temporary folder, for short socket paths."""
    with tempfile.TemporaryDirectory(prefix="flexoraa-up-") as folder:
        yield Path(folder) / "home"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: str, seconds: float, look: Callable[[], T | None]) -> T:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(httpx.HTTPError, psycopg.OperationalError):
            if found := look():
                return found
        time.sleep(0.5)
    pytest.fail(f"after {seconds:.0f} s: not {what}")


def ours(home: Path) -> dict[int, str]:
    """Every living process that knows this home, by its environment or its arguments, save this test."""
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = [*process.cmdline(), *process.environ().values()]
            if process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE and any(str(home) in word for word in words):
                found[process.pid] = " ".join(process.cmdline())
    return found


def collector_of(up: psutil.Process) -> psutil.Process:
    return next(each for each in up.children(recursive=True) if "collect" in each.cmdline())


def wait_for_health(hooks_port: int) -> None:
    wait_for("a collector", 120, lambda: httpx.get(f"http://127.0.0.1:{hooks_port}/health", timeout=10).status_code == 200)


def kill_and_wait(up: psutil.Process, hooks_port: int) -> None:
    """Kill the collector once it is old enough to be started again (one that dies young is not), and see another one answer."""
    wait_for_health(hooks_port)
    first = collector_of(up)
    time.sleep(max(0.0, 6 - (time.time() - first.create_time())))
    first.kill()
    first.wait(30)
    wait_for_health(hooks_port)
    assert collector_of(up).pid != first.pid


def test_up_takes_in_what_is_dropped_restarts_its_collector_and_leaves_nothing_behind(home: Path, tmp_path: Path) -> None:
    simulate(tmp_path, tenants=1, leads=4, days=7, seed=3, end_at=datetime(2026, 11, 20, 12, tzinfo=UTC), receiver_url=None)
    settings = Settings.load(home, {})
    apply_tenants(settings, tmp_path / "tenants.yaml")
    port, hooks_port, reports_port, log = free_port(), free_port(), free_port(), tmp_path / "up.log"
    url = f"http://127.0.0.1:{port}/graphql"
    command = [sys.executable, "-m", "orchestration.cli", "up", "--home", str(home), "--port", str(port)]
    command += ["--hooks-port", str(hooks_port), "--reports-port", str(reports_port)]
    # as a shell starts what it puts in the background: with SIGINT ignored, which children inherit
    ignoring = ["bash", "-c", 'trap "" INT; exec "$@"', "up", *command]
    with log.open("wb") as output, subprocess.Popen(ignoring, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT) as up:
        try:
            kill_and_wait(psutil.Process(up.pid), hooks_port)
            reports = f"http://127.0.0.1:{reports_port}"
            before = httpx.get(f"{reports}/leads.html").text
            assert 'data-as-of=""' in before and "Not yet." in before  # before any run: pages that say what to do
            _drop_and_wait(settings, url, tmp_path)
            page = httpx.get(f"{reports}/leads.html").text
            assert 'data-as-of=""' not in page
            assert f'href="http://127.0.0.1:{port}/assets/marts/dim_leads"' in page
            assert httpx.get(f"{reports}/data/").status_code == 404
            assert httpx.get(reports, headers={"Host": "rebound.example"}).status_code == 403
            workers = ours(home)
            assert len(workers) >= 6, workers  # up, collector, postgres, dagster dev, its code server, web server and daemon
            up.send_signal(signal.SIGINT)
            assert up.wait(60) == 0
            assert ours(home) == {}
            for words in ("the collector answers after", "the UI answers after", "stopping: the collector closes its segment"):
                assert words in log.read_text()
        except BaseException:
            print(log.read_text()[-6000:])
            raise
        finally:
            for pid in [*ours(home), up.pid] if up.poll() is None else ours(home):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _drop_and_wait(settings: Settings, url: str, traffic: Path) -> None:
    def loaded() -> dict | None:  # type: ignore[type-arg]
        data = httpx.post(url, json={"query": QUERY}, timeout=20).json().get("data") or {}
        entries = data.get("workspaceOrError", {}).get("locationEntries") or []
        return data if entries and entries[0]["loadStatus"] == "LOADED" else None

    data = wait_for("a loaded code location", 240, loaded)
    assert data["workspaceOrError"]["locationEntries"][0]["locationOrLoadError"]["__typename"] == "RepositoryLocation", data
    sensors = {each["name"]: each["sensorState"]["status"] for each in data["sensorsOrError"]["results"]}
    assert sensors["inbox_segments"] == "RUNNING"

    segment = max((traffic / "inbox").iterdir(), key=lambda path: path.stat().st_size)
    shutil.copy(segment, settings.inbox / f".{segment.name}")
    (settings.inbox / f".{segment.name}").rename(settings.inbox / segment.name)  # whole at once

    def run_ended() -> str | None:
        runs = httpx.post(url, json={"query": RUNS}, timeout=20).json()["data"]["runsOrError"]["results"]
        ended = [each["status"] for each in runs if any(tag["key"] == "flexoraa/inbox" for tag in each["tags"])]
        return next((status for status in ended if status in {"SUCCESS", "FAILURE", "CANCELED"}), None)

    assert wait_for("the run that the inbox sensor asks for", 240, run_ended) == "SUCCESS"
    assert [path.name for path in settings.inbox.iterdir()] == ["done"]
    with open_platform(settings) as platform:  # beside it: a warehouse that an idle process held could not be read
        assert platform.warehouse.row_counts()["dim_leads"] > 0
        counts = platform.warehouse.conservation(platform.ledger.counts())
    assert sum(each["received"] for each in counts.values()) > 10
