"""kill -9 at any moment of taking in: the next run counts every line once and leaves the files of a run that nobody disturbed."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from orchestration.resources.inbox import FolderInbox
from orchestration.resources.platform import Platform
from tests.assets.rooms import ROOT, Room, Traffic

BLOCK_BYTES = 60_000
PROCESSES = 2

# Imports once, then a fork for each line of its input: where to take in, by how many processes, and when to kill it. A moment is counted from
# where taking in begins, so that every kill meets it.
NURSERY = """
import os, signal, sys, time
import polars, pyarrow.parquet
from pathlib import Path
from assets.ingest import take_in_all
from orchestration.resources.inbox import FolderInbox
from orchestration.resources.lake import FolderLake
from orchestration.resources.platform import open_platform
from orchestration.resources.settings import Settings
from orchestration.resources.workers import Outside, ProcessWorkers

home, room, block_bytes = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])

def take(processes, ready):
    with open_platform(Settings.load(home, {})) as platform:
        inbox, lake = FolderInbox(room / "inbox", block_bytes=block_bytes), FolderLake(room / "lake")
        outside = Outside(lake.folder, platform.state.libpq_url, platform.settings.master_key())
        workers = ProcessWorkers(lake, platform.vault, outside, processes, each_bytes=1)
        os.write(ready, b"x")
        started = time.monotonic()
        take_in_all(inbox, lake, platform.ledger, platform.vault, platform.progress, workers)
        return time.monotonic() - started

for line in sys.stdin:
    processes, seconds = line.split()
    begun, ready = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(ready, f"{take(int(processes), ready)} ".encode())
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    os.read(begun, 1)
    if float(seconds) >= 0:
        time.sleep(float(seconds))
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(ready)
    print(status, os.read(begun, 100).decode() or "-", flush=True)
    os.close(begun)
"""


class Nursery:
    """A process that takes in the room again and again."""

    def __init__(self, room: Room) -> None:
        command = [sys.executable, "-c", NURSERY, str(room.platform.settings.home), str(room.folder), str(BLOCK_BYTES)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def take(self, processes: int, kill_after: float = -1.0) -> tuple[int, float | None]:
        """How it ended, and after how many seconds where nobody killed it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{processes} {kill_after}\n")
        self._process.stdin.flush()
        code, seconds = self._process.stdout.readline().split()
        return int(code), None if seconds == "-" else float(seconds)

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture
def scene(tmp_path: Path, platform: Platform, traffic: Traffic) -> Iterator[tuple[Room, Nursery]]:
    room = Room(tmp_path, platform)
    room.forget()
    room.inbox = FolderInbox(room.inbox.folder, block_bytes=BLOCK_BYTES)
    room.drop_all([line for line in traffic.lines if len(line) < BLOCK_BYTES][:400], 3)
    nursery = Nursery(room)
    yield room, nursery
    nursery.close()


def outcome(room: Room) -> Any:
    """Files, counts by segment, tenant and source, rejects, and lines."""
    with room.platform.state.begin() as connection:
        lines = connection.exec_driver_sql("select sum(line_count) from ops.segments").scalar_one()
    return room.files(), room.platform.ledger.counts(), room.held(), lines


def as_new(room: Room) -> None:
    room.put_back()
    shutil.rmtree(room.lake.folder)
    room.lake.prepare()


def check_seeds(room: Room, nursery: Nursery, seeds: range) -> None:
    """Kill, run again, compare; every tenth time with processes beside."""
    lasted = {}
    for processes in (1, PROCESSES):
        code, seconds = nursery.take(processes)
        assert code == 0
        assert seconds is not None
        lasted[processes] = seconds
        wanted = outcome(room)
        as_new(room)
    files, counts, held, lines = wanted
    assert lines == 400
    assert sum(count.received for count in counts.values()) == sum(count.accepted for count in counts.values()) + len(held)
    assert files
    kills = 0
    for seed in seeds:
        processes = PROCESSES if seed % 10 == 0 else 1
        code, seconds = nursery.take(processes, Random(seed).uniform(0, lasted[processes]))
        assert code in {-9, 0}
        kills += code == -9
        lasted[processes] = min(lasted[processes], seconds or lasted[processes])  # the machine may have been busier at first
        time.sleep(0.02 if processes > 1 else 0)  # the kernel ends workers with their run; the next run takes longer than this to start
        room.take()
        assert outcome(room) == wanted, f"seed {seed}"
        assert room.inbox.pending() == []
        assert not (room.lake.folder / ".staging").exists()
        as_new(room)
    assert kills >= len(seeds) // 2
    room.take()
    assert room.check()


def test_whenever_taking_in_is_killed_the_next_run_counts_every_line_once(scene: tuple[Room, Nursery]) -> None:
    check_seeds(*scene, range(20))


@pytest.mark.large
@pytest.mark.parametrize("first", range(1_000, 1_200, 50))
def test_the_same_for_200_kills(scene: tuple[Room, Nursery], first: int) -> None:
    check_seeds(*scene, range(first, first + 50))
