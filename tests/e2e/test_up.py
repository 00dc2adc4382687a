"""`flexoraa up` as a person runs it: UI, daemon, collector and PostgreSQL come together, a killed collector comes back, and all end together."""

import contextlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import psutil

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def answers(url: str, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url, timeout=10).status_code == 200:
                return True
        time.sleep(0.2)
    return False


def collector_of(process: psutil.Process) -> psutil.Process:
    return next(each for each in process.children(recursive=True) if "collect" in each.cmdline())


def test_all_come_up_together_a_killed_collector_comes_back_and_all_end_together() -> None:
    port, hooks_port = free_port(), free_port()
    health = f"http://127.0.0.1:{hooks_port}/health"
    with tempfile.TemporaryDirectory(prefix="flexoraa-test-") as folder:
        home = Path(folder) / "home"
        command = [
            sys.executable,
            "-m",
            "orchestration.cli",
            "up",
            "--port",
            str(port),
            "--hooks-port",
            str(hooks_port),
            "--home",
            str(home),
        ]
        with (Path(folder) / "log").open("w+") as log, subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log) as process:
            up = psutil.Process(process.pid)
            try:
                assert answers(health, 60), (Path(folder) / "log").read_text()
                first = collector_of(up)
                time.sleep(max(0.0, 6 - (time.time() - first.create_time())))  # one that dies young is not started again
                first.kill()
                assert answers(f"http://127.0.0.1:{port}/server_info", 60)
                assert answers(health, 30)
                assert collector_of(up).pid != first.pid
                family = up.children(recursive=True)
            finally:
                process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        _, alive = psutil.wait_procs(family, timeout=5)
        assert alive == []
