"""`flexoraa up`: PostgreSQL, the collector, the reports, the Dagster UI and its daemon, together, until interrupted.

Here belongs starting and stopping them. Not here: what they run.
"""

import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import typer

from orchestration.report_server import HOST, build, serving
from orchestration.resources.dagster_home import prepare_dagster
from orchestration.resources.dbt import ensure_manifest
from orchestration.resources.settings import Settings, SettingsError
from orchestration.resources.state import open_state

ROOT = Path(__file__).resolve().parent.parent
_STOP_SECONDS = 30.0
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_POLL_SECONDS = 0.2
_RESTART_SECONDS = 5.0
"""A collector that lived shorter than this cannot run here, and starting it again would not help."""


def serve(settings: Settings, port: int, host: str, hooks_port: int, reports_port: int) -> int:
    """Hold the state and run the collector and `dagster dev` until asked to stop; returns 0 then, else the exit code of what ended.

    The UI is on loopback at `port`, the reports at `reports_port`, the collector at `host` and `hooks_port`. A collector that was killed
    is started again.
    """
    refuse_busy(HOST, port, "--port")
    refuse_busy(HOST, reports_port, "--reports-port")
    refuse_busy(host, hooks_port, "--hooks-port")
    ensure_manifest()
    with open_state(settings) as state:
        prepare_dagster(settings, state.libpq_url)
        hooks = f"http://{host}:{hooks_port}/hooks/<source>"
        settings = _with_addresses(settings, port, reports_port)
        if not (settings.reports / "index.html").exists():
            build(settings)  # pages that say what to do
        typer.echo(
            f"Dagster UI: {settings.dagster_url} · reports: {settings.reports_url} · webhooks: {hooks} · inbox: {settings.inbox} · "
            "stop with Ctrl-C",
            err=True,
        )
        collect = [sys.executable, "-m", "orchestration.cli", "collect", "--home", str(settings.home)]
        dev = [str(Path(sys.executable).parent / "dagster"), "dev", "-w", str(ROOT / "workspace.yaml"), "-h", HOST, "-p", str(port)]
        with serving(settings.reports, reports_port):
            return _Both([*collect, "--host", host, "--port", str(hooks_port)], dev).run()


def _with_addresses(settings: Settings, port: int, reports_port: int) -> Settings:
    """Where UI and reports link to each other: as set, else where they listen now; what we start reads it from the environment."""
    for name, value, default in (
        ("FLEXORAA_DAGSTER_URL", f"http://{HOST}:{port}", settings.dagster_url == Settings.dagster_url),
        ("FLEXORAA_REPORTS_URL", f"http://{HOST}:{reports_port}", settings.reports_url == Settings.reports_url),
    ):
        if default:
            os.environ[name] = value
    return Settings.load(settings.home, engine=settings.engine)


class _Both:
    """The collector and `dagster dev`, each in a session of its own.

    The terminal's Ctrl-C would reach them too, and a second one breaks off their clean-up.
    """

    def __init__(self, collect: Sequence[str], dev: Sequence[str]) -> None:
        self._collect, self._dev = collect, dev
        self._stops = 0

    def run(self) -> int:
        """Until asked to stop (0), or until one of them cannot go on (its exit code, or 1)."""
        # Handlers first: a shell starts what it puts in the background with SIGINT ignored, and children inherit that unless we handle it.
        for each in _STOPS:
            signal.signal(each, self._stop)
        collector, started = _start(self._collect), time.monotonic()
        dagster = _start(self._dev)
        code = 0
        while not self._stops:
            time.sleep(_POLL_SECONDS)
            if dagster.poll() is not None:
                code = dagster.returncode or 1
                break
            if collector.poll() is not None and not self._stops:
                if time.monotonic() - started < _RESTART_SECONDS:
                    code = collector.returncode or 1
                    break
                typer.echo(f"the collector ended with {collector.returncode}; starting it again", err=True)
                collector, started = _start(self._collect), time.monotonic()
        self._end(collector, dagster)
        return code

    def _end(self, collector: "subprocess.Popen[bytes]", dagster: "subprocess.Popen[bytes]") -> None:
        """Let both clean up; a second request to stop, or a clean-up that takes too long, kills them."""
        for process, number in ((collector, signal.SIGTERM), (dagster, signal.SIGINT)):  # `dagster dev` cleans up after SIGINT only
            if process.poll() is None:
                process.send_signal(number)
        until = time.monotonic() + _STOP_SECONDS
        while self._stops < 2 and time.monotonic() < until and (collector.poll() is None or dagster.poll() is None):
            time.sleep(_POLL_SECONDS)
        for process in (collector, dagster):
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            _end_group(process.pid)

    def _stop(self, _number: int, _frame: object) -> None:
        self._stops += 1


def _start(command: Sequence[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True)


def _end_group(group: int) -> None:
    """End what `dagster dev` leaves behind: its code server would wait for a heartbeat another 45 s, and hold the database."""
    for number, seconds in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 10.0)):
        if not _members(group):
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)
        until = time.monotonic() + seconds
        while _members(group) and time.monotonic() < until:
            time.sleep(0.05)


def _members(group: int) -> list[int]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def refuse_busy(host: str, port: int, option: str) -> None:
    """Raises SettingsError where somebody listens at that port, or this machine has no such host."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise SettingsError(f"cannot listen on {host}: {error.strerror}") from error
        message = f"port {port} of {host} is in use: stop what listens there, or give another with {option}"
        raise SettingsError(message) from error
