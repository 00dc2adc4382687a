"""`flexoraa up`: PostgreSQL, the Dagster UI and its daemon, together, until interrupted.

Here belongs starting and stopping them. Not here: what they run.
"""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import typer

from orchestration.resources.dagster_home import prepare_dagster
from orchestration.resources.dbt import ensure_manifest
from orchestration.resources.settings import Settings, SettingsError
from orchestration.resources.state import open_state

ROOT = Path(__file__).resolve().parent.parent


def serve(settings: Settings, port: int) -> int:
    """Hold the state and run `dagster dev` on loopback; returns its exit code."""
    _refuse_busy(port)
    ensure_manifest()
    with open_state(settings) as state:
        prepare_dagster(settings, state.libpq_url)
        typer.echo(f"Dagster UI: http://127.0.0.1:{port} · inbox: {settings.inbox} · stop with Ctrl-C", err=True)
        command = [str(Path(sys.executable).parent / "dagster"), "dev", "-w", str(ROOT / "workspace.yaml"), "-h", "127.0.0.1"]
        with subprocess.Popen([*command, "-p", str(port)], cwd=ROOT) as process:
            for stop in (signal.SIGINT, signal.SIGTERM):
                signal.signal(stop, lambda number, _frame: process.send_signal(number))
            return process.wait()


def _refuse_busy(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            message = f"port {port} of 127.0.0.1 is in use: stop what listens there, or give another with --port"
            raise SettingsError(message) from error
