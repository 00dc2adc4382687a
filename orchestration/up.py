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
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import typer

from orchestration.report_server import HOST, build, serving
from orchestration.resources.dagster_home import prepare_dagster
from orchestration.resources.lineage import ensure_lineage
from orchestration.resources.settings import Settings, SettingsError
from orchestration.resources.state import open_state

ROOT = Path(__file__).resolve().parent.parent
_STOP_SECONDS = 30.0
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_POLL_SECONDS = 0.2
_ROTATE_SECONDS = "5"
"""How long a webhook may wait for its segment to be closed: half of the collector's default, since here sensors take it in at once. A day
of uninterrupted traffic then makes 17,000 segments, which the daily compaction merges."""

_TELL_SECONDS = 2.0
"""After so long without an answer people ask themselves what is going on."""

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
    with _waiting("dbt reads the project, because a file of it has changed: about 20 s"):
        ensure_lineage()
    with contextlib.ExitStack() as stack:
        with _waiting("PostgreSQL starts, or another process of this home is starting it or changing its schema"):
            state = stack.enter_context(open_state(settings))
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
        collect = [sys.executable, "-m", "orchestration.cli", "collect", "--home", str(settings.home), "--rotate-seconds", _ROTATE_SECONDS]
        dev = [str(Path(sys.executable).parent / "dagster"), "dev", "-w", str(ROOT / "workspace.yaml"), "-h", HOST, "-p", str(port)]
        doors = {"the UI": (HOST, port), "the collector": (host, hooks_port)}
        stack.enter_context(serving(settings.reports, reports_port))
        return _Both([*collect, "--host", host, "--port", str(hooks_port)], dev, doors).run()


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

    def __init__(self, collect: Sequence[str], dev: Sequence[str], doors: dict[str, tuple[str, int]]) -> None:
        """Take what to run, and where each is to answer."""
        self._collect, self._dev = collect, dev
        self._awaited = dict(doors)
        self._is_told = False
        self._stops = 0

    def run(self) -> int:
        """Until asked to stop (0), or until one of them cannot go on (its exit code, or 1)."""
        # Handlers first: a shell starts what it puts in the background with SIGINT ignored, and children inherit that unless we handle it.
        for each in _STOPS:
            signal.signal(each, self._stop)
        collector, started = _start(self._collect), time.monotonic()
        dagster, begun = _start(self._dev), time.monotonic()
        code = 0
        while not self._stops:
            time.sleep(_POLL_SECONDS)
            self._tell_who_answers(time.monotonic() - begun)
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

    def _tell_who_answers(self, seconds: float) -> None:
        """Once for each of the two; and once, after some seconds, that Dagster takes its time."""
        for name, door in list(self._awaited.items()):
            if _answers(door):
                del self._awaited[name]
                typer.echo(f"{name} answers after {seconds:.0f} s", err=True)
        if self._awaited and not self._is_told and seconds > _TELL_SECONDS:
            self._is_told = True
            typer.echo(f"waiting for {' and '.join(self._awaited)}: Dagster loads the code location, 20 s on two free cores", err=True)

    def _end(self, collector: "subprocess.Popen[bytes]", dagster: "subprocess.Popen[bytes]") -> None:
        """Let both clean up; a second request to stop, or a clean-up that takes too long, kills them."""
        if self._stops:
            typer.echo(
                f"stopping: the collector closes its segment, Dagster its servers, {_STOP_SECONDS:.0f} s at most; again to stop at once",
                err=True,
            )
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


@contextlib.contextmanager
def _waiting(why: str) -> Iterator[None]:
    """Say why, if the block takes longer than one waits without asking."""
    told = threading.Timer(_TELL_SECONDS, typer.echo, (f"waiting: {why}",), {"err": True})
    told.daemon = True
    told.start()
    try:
        yield
    finally:
        told.cancel()


def _answers(door: tuple[str, int]) -> bool:
    try:
        socket.create_connection(door, timeout=1).close()
    except OSError:
        return False
    return True


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
