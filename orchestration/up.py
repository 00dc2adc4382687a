"""`flexoraa up`: PostgreSQL, the Dagster UI and its daemon, together, until interrupted.

Here belongs starting and stopping them. Not here: what they run.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import typer

from orchestration.resources.dagster_home import prepare_dagster
from orchestration.resources.dbt import ensure_manifest
from orchestration.resources.settings import Settings, SettingsError
from orchestration.resources.state import open_state

ROOT = Path(__file__).resolve().parent.parent
_STOP_SECONDS = 30.0
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def serve(settings: Settings, port: int) -> int:
    """Hold the state and run `dagster dev` on loopback until asked to stop; returns 0 then, else its exit code."""
    _refuse_busy(port)
    ensure_manifest()
    with open_state(settings) as state:
        prepare_dagster(settings, state.libpq_url)
        typer.echo(f"Dagster UI: http://127.0.0.1:{port} · inbox: {settings.inbox} · stop with Ctrl-C", err=True)
        command = [str(Path(sys.executable).parent / "dagster"), "dev", "-w", str(ROOT / "workspace.yaml"), "-h", "127.0.0.1"]
        stops: list[int] = []
        # Handlers first: a shell starts what it puts in the background with SIGINT ignored, and children inherit that unless we handle it.
        for each in _STOPS:
            signal.signal(each, lambda number, _frame: stops.append(number))
        # a session of its own: the terminal's Ctrl-C would reach it too, and a second one breaks off its clean-up
        with subprocess.Popen([*command, "-p", str(port)], cwd=ROOT, start_new_session=True) as process:
            code = _wait(process, stops)
            _end_group(process.pid)
    return 0 if stops else code


def _wait(process: subprocess.Popen[bytes], stops: list[int]) -> int:
    """Wait until it ends; once asked to stop, ask it the way that it cleans up after, and asked again, or after a while, kill it."""
    asked_at: float | None = None
    while process.poll() is None:
        if stops and asked_at is None:
            process.send_signal(signal.SIGINT)
            asked_at = time.monotonic()
        if asked_at is not None and (len(stops) > 1 or time.monotonic() > asked_at + _STOP_SECONDS):
            os.killpg(process.pid, signal.SIGKILL)
        time.sleep(0.1)
    return process.returncode


def _end_group(group: int) -> None:
    """End what `dagster dev` leaves behind: its code server would wait for a heartbeat another 45 s, and hold the database."""
    for number, seconds in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 10.0)):
        if not _members(group):
            return
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


def _refuse_busy(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            message = f"port {port} of 127.0.0.1 is in use: stop what listens there, or give another with --port"
            raise SettingsError(message) from error
