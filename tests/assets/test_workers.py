"""Segments in blocks and over processes: however they are cut up and whoever works on them, the same files; and who fails says so."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

from core.ports import Line
from orchestration.resources.inbox import FolderInbox
from orchestration.resources.workers import EACH_BYTES, Outside, ProcessWorkers, WorkerError
from tests.assets.rooms import ROOT, Room, Traffic

T = TypeVar("T")
BLOCK_BYTES = 20_000
"""The traffic in 15 blocks and more."""


def workers(room: Room, count: int, each_bytes: int = 1) -> ProcessWorkers:
    platform = room.platform
    outside = Outside(room.lake.folder, platform.state.libpq_url, platform.settings.master_key())
    return ProcessWorkers(room.lake, platform.vault, outside, count, each_bytes)


def children() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if "orchestration.resources.intake_worker" in each.cmdline()]


def test_one_process_or_three_write_the_same_files(room: Room, traffic: Traffic) -> None:
    room.inbox = FolderInbox(room.inbox.folder, block_bytes=BLOCK_BYTES)
    room.drop_all(traffic.lines, 2)
    taken, _ = room.take()
    files, counts, held = room.files(), room.platform.ledger.counts(), room.held()
    assert len({name.rpartition("-")[2] for name in files}) > 10  # as many blocks
    room.put_back()
    again, _ = room.take(workers(room, 3))
    assert (room.files(), room.platform.ledger.counts(), room.held()) == (files, counts, held)
    assert {each.segment.segment_id: each[1:] for each in again} == {each.segment.segment_id: each[1:] for each in taken}
    assert room.check()
    assert children() == []


def test_small_work_starts_nobody(room: Room, traffic: Traffic) -> None:
    room.drop("a.ndjson", traffic.lines[:20])
    seen = []

    class Watching:
        def over(self, name: str, items: Iterable[T], total: int | None = None) -> Iterator[T]:
            for each in items:
                seen.append(children())
                yield each

    room.take(workers(room, 2, EACH_BYTES), Watching())
    assert seen == [[]]


def test_blocks_hold_every_line_once_with_its_number_whatever_their_size(tmp_path: Path) -> None:
    data = b"".join(b"%d\n" % n * (n % 3) + b"\n" * (n % 2) for n in range(3_000)) + b"no newline"
    (tmp_path / "a.ndjson").write_bytes(data)
    wanted = [Line(number, raw) for number, raw in enumerate(data.split(b"\n"), start=1) if raw]
    for size in (1, 2, 7, 1_000, len(data) - 1, len(data), 1 << 24):
        inbox = FolderInbox(tmp_path, block_bytes=size)
        (segment,) = inbox.pending()
        assert list(inbox.lines(segment)) == wanted
        blocks = list(inbox.blocks(segment))
        assert all(len(each.data) <= max(size, 12) for each in blocks)
        assert b"".join(each.data for each in blocks) == data + b"\n"


def test_what_the_ledger_knows_is_on_disk_with_the_folders_that_name_it(
    room: Room, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told by the calls of the real functions: which files and folders were waited for, and what had become of them then."""
    waited: dict[int, Path] = {}
    fsync, known = os.fsync, room.platform.ledger.record
    checked = []

    def watched_fsync(descriptor: int) -> None:
        fsync(descriptor)
        waited[os.fstat(descriptor).st_ino] = Path(f"/proc/self/fd/{descriptor}").resolve()

    def watched_record(*arguments: Any) -> None:
        files = room.paths()
        assert files
        for path in {*files, *(each.parent for each in files), *(each.parent.parent for each in files), room.lake.folder}:
            assert path.stat().st_ino in waited, path
        names = {each.parent for each in files}
        order = list(waited.values())
        assert all(order.index(folder) > max(n for n, each in enumerate(order) if ".staging" in each.parts) for folder in names)
        checked.append(len(files))
        known(*arguments)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(room.platform.ledger, "record", watched_record)
    room.drop_all(traffic.lines, 2)
    room.take()
    assert len(checked) == 2


class Doing:
    """Progress during which something happens: before the first segment is read, or once workers are at it."""

    def __init__(self, act: Callable[[], Any], *, is_beside: bool = False) -> None:
        self._act, self._is_beside = act, is_beside

    def over(self, name: str, items: Iterable[T], total: int | None = None) -> Iterator[T]:
        if self._is_beside:
            threading.Thread(target=self._act).start()
        else:
            self._act()
        yield from items


def kill_a_worker() -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for each in children():
            with contextlib.suppress(psutil.NoSuchProcess):
                each.send_signal(signal.SIGKILL)
                return
        time.sleep(0.01)


def test_a_worker_that_dies_ends_the_run_with_nothing_visible_and_the_next_run_puts_it_right(room: Room, traffic: Traffic) -> None:
    room.inbox = FolderInbox(room.inbox.folder, block_bytes=BLOCK_BYTES)
    room.drop_all(traffic.lines, 1)
    with pytest.raises(WorkerError, match="died with exit code -9: what was not published is taken in again"):
        room.take(workers(room, 2), Doing(kill_a_worker, is_beside=True))
    assert (room.files(), room.platform.ledger.counts(), children()) == ({}, {}, [])
    room.take()
    assert room.check()


def test_what_a_worker_cannot_write_is_told_as_the_system_told_it(room: Room, traffic: Traffic) -> None:
    room.inbox = FolderInbox(room.inbox.folder, block_bytes=BLOCK_BYTES)
    room.drop_all(traffic.lines, 1)
    with pytest.raises(FileNotFoundError) as told:
        room.take(workers(room, 2), Doing(lambda: take_away(room.lake.folder / ".staging"), is_beside=True))
    assert ".staging" in str(told.value)
    assert room.platform.ledger.counts() == {}
    room.take()
    assert room.check()


def take_away(folder: Path) -> None:
    while not folder.exists():
        time.sleep(0.001)
    folder.rename(folder.with_name(".away"))


def test_one_file_that_cannot_be_read_stops_no_other(room: Room, traffic: Traffic) -> None:
    room.drop("a.ndjson", traffic.lines[:50])
    room.drop("gone.ndjson", traffic.lines[50:99])
    room.drop("gone-too.ndjson", traffic.lines[50:99])  # the same segment: what was not taken in is no repeat
    (room.inbox.folder / "folder.ndjson").mkdir()
    (room.inbox.folder / "link.ndjson").symlink_to("nowhere")
    os.mkfifo(room.inbox.folder / "pipe.ndjson")
    taken, repeated = room.take(progress=Doing(lambda: (room.inbox.folder / "gone-too.ndjson").unlink(missing_ok=True)))
    assert [each.segment.path.name for each in taken] == ["a.ndjson", "gone.ndjson"]
    assert repeated == 0
    assert room.inbox.passed_over() == {
        "folder.ndjson": "a folder, or something else that is no file",
        "gone-too.ndjson": "it was gone before it was read",
        "link.ndjson": "a link to a file that does not exist",
        "pipe.ndjson": "a folder, or something else that is no file",
    }
    assert room.inbox.names() == []
    assert room.check()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a process of somebody who may not read a file")
def test_a_file_without_the_right_to_read_it_is_passed_over_and_said() -> None:
    look = (
        "import sys; from pathlib import Path; from orchestration.resources.inbox import FolderInbox; inbox = FolderInbox(Path(sys.argv[1])); "
        "print(([each.path.name for each in inbox.pending()], inbox.names(), inbox.passed_over()))"
    )
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        for name, mode in (("mine.ndjson", 0o600), ("open.ndjson", 0o644)):
            (Path(place) / name).write_bytes(b"{}\n")
            (Path(place) / name).chmod(mode)
        # the modules are read while the process is still root's: the interpreter may lie where nobody else may look
        command = [sys.executable, "-c", f"import os; import orchestration.resources.inbox; os.setuid(65534); {look}", place]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    words = "Permission denied: make it readable for whoever runs flexoraa"
    assert (done.stdout.strip(), done.stderr) == (repr((["open.ndjson"], ["open.ndjson"], {"mine.ndjson": words})), "")
