"""The embedded server's life: shared, counted, killed, hidden."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from orchestration.resources.postgres import EmbeddedPostgres
from orchestration.resources.settings import Settings
from orchestration.resources.state import State, open_state

CLIENT = """
import sys
from pathlib import Path
from orchestration.resources.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.acquire()
print("ready", flush=True)
sys.stdin.read()
server.release()
"""


@pytest.fixture
def own_home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="flexoraa-test-") as folder:
        yield Path(folder) / "home"


def postmaster(home: Path) -> psutil.Process | None:
    """The live server of a home, looked for without the code under test."""
    for process in psutil.process_iter(["name", "cmdline", "status"]):
        line = process.info["cmdline"] or []
        if process.info["name"] == "postgres" and str(home / "state" / "postgres") in " ".join(line) and "-D" in line:
            return process
    return None


def client(home: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CLIENT, str(home)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.communicate("", timeout=60)
    assert process.returncode == 0


def answers(home: Path) -> bool:
    with psycopg.connect(EmbeddedPostgres(home).libpq_url(), connect_timeout=5) as connection:
        row = connection.execute("select 1").fetchone()
    return row == (1,)


def test_the_last_one_out_stops_it(own_home: Path) -> None:
    first, second = EmbeddedPostgres(own_home), EmbeddedPostgres(own_home)
    first.acquire()
    second.acquire()
    first.release()
    first.release()  # a second release of the same hold changes nothing
    assert answers(own_home)
    second.release()
    assert postmaster(own_home) is None
    with first:
        assert answers(own_home)
    assert postmaster(own_home) is None


def test_several_processes_that_start_at_once_share_one_server(own_home: Path) -> None:
    clients = [client(own_home) for _ in range(4)]
    for process in clients:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    assert answers(own_home)
    threads = [threading.Thread(target=end, args=(process,)) for process in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert postmaster(own_home) is None
    assert not list((own_home / "state").glob("postgres.new-*"))


def test_a_killed_client_does_not_keep_it_running(own_home: Path) -> None:
    process = client(own_home)
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.communicate()
    assert postmaster(own_home) is not None  # nobody could stop it
    with EmbeddedPostgres(own_home):
        assert len(list((own_home / "state" / "clients").iterdir())) == 1
    assert postmaster(own_home) is None


def test_a_killed_server_starts_again(own_home: Path) -> None:
    with EmbeddedPostgres(own_home) as server:
        with psycopg.connect(server.libpq_url()) as connection:
            connection.execute("create table kept (n int)")
            connection.execute("insert into kept values (42)")
        running = postmaster(own_home)
        assert running is not None
        running.send_signal(signal.SIGKILL)
        while running.is_running() and running.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        with EmbeddedPostgres(own_home), psycopg.connect(server.libpq_url()) as connection:
            assert connection.execute("select n from kept").fetchone() == (42,)
    assert postmaster(own_home) is None


def test_a_pid_file_that_names_a_stranger_is_no_server(own_home: Path) -> None:
    with EmbeddedPostgres(own_home):
        pass
    pid_file = own_home / "state" / "postgres" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{own_home}\n1\n5432\n/nowhere\n\n", encoding="utf-8")
    with EmbeddedPostgres(own_home):
        assert answers(own_home)


def test_nobody_else_gets_in(own_home: Path) -> None:
    own_home.mkdir(mode=0o700)
    with EmbeddedPostgres(own_home) as server:
        for folder in ("postgres", "socket"):
            assert stat.S_IMODE((own_home / "state" / folder).stat().st_mode) == 0o700
        assert not stat.S_IMODE(own_home.stat().st_mode) & 0o066  # x at most, never r or w, for others
        with psycopg.connect(server.libpq_url()) as connection:
            row = connection.execute("select current_setting('listen_addresses'), current_setting('timezone')").fetchone()
            assert row == ("", "UTC")


def test_a_long_path_takes_a_short_socket_folder(own_home: Path) -> None:
    home = own_home / ("long" * 30) / "with space 'and quote"
    with EmbeddedPostgres(home) as server:
        assert answers(home)
        assert stat.S_IMODE(Path(tempfile.gettempdir(), server._socket_dir.name).stat().st_mode) == 0o700
    assert postmaster(home) is None
    for left in server._socket_dir.glob("*"):
        left.unlink()
    server._socket_dir.rmdir()


def test_a_given_database_starts_nothing(state: object, settings: Settings, own_home: Path) -> None:
    url = EmbeddedPostgres(settings.home).libpq_url()
    with open_state(Settings.load(own_home, {"DATABASE_URL": url})) as opened, opened.psycopg() as connection:
        assert connection.execute("select current_user").fetchone() == ("flexoraa_service",)
    assert not (own_home / "state").exists()


def test_a_connection_that_died_while_it_rested_is_replaced(state: State) -> None:
    """As if the server had been stopped and started in between; within a second nobody looks, and who is in the middle is told."""
    own = State(state.libpq_url)  # of one connection: the pool that all tests share has several, and gives them in turn

    def backend() -> int:
        with own.begin() as connection:
            return int(connection.exec_driver_sql("select pg_backend_pid()").scalar_one())

    first = backend()
    assert backend() == first, "the pool keeps it"
    with state.owner() as owner:
        assert owner.execute("select pg_terminate_backend(%s, 10000)", (first,)).fetchone() == (True,)
    time.sleep(1.1)
    assert backend() != first
    own.dispose()
