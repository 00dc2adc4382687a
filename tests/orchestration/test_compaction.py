"""Merging the lake's small files: the same rows before, after and at every moment in between, whoever reads and whoever dies."""

import subprocess
import sys
import time
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.maintenance import compact
from core.columns import columns
from core.events import Message, Unmodelled
from core.quarantine import Choice
from orchestration.resources.compaction import SORT_KEYS, plan
from orchestration.resources.lake import FolderLake
from orchestration.resources.lake_files import LakeError, LakeFile, LakeFiles
from orchestration.resources.lake_rows import FolderLakeRows
from orchestration.resources.progress import TerminalProgress
from orchestration.resources.warehouse import Warehouse
from tests.orchestration.lakes import by_duckdb, by_polars, by_views, live, on_disk, row, segment_id, small_files, take_in, values_of

ROOT = Path(__file__).resolve().parents[2]
QUIET = TerminalProgress(quiet=True)
DAY = date(2026, 3, 1)


class Home:
    """A lake of two tables and three dates, and a warehouse with views of it."""

    def __init__(self, folder: Path, file_bytes: int = 32 << 20) -> None:
        self.folder = folder / "lake"
        self.lake = FolderLake(self.folder, file_bytes)
        self.lake.prepare()
        self.warehouse = Warehouse(folder / "warehouse.duckdb", self.folder, folder / "reference")
        self.warehouse.path.touch()
        self.warehouse.path.unlink()

    def show(self) -> None:
        import duckdb

        with duckdb.connect(str(self.warehouse.path)):
            pass
        assert self.warehouse.follow()

    def compact(self, min_files: int = 2):  # type: ignore[no-untyped-def]
        return compact(self.lake, self.warehouse, QUIET, min_files)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_the_rows_are_the_same_and_the_files_few_and_sorted(home: Home) -> None:
    truth = small_files(home.lake, range(10))
    home.show()
    files = len(live(home.folder))
    done = home.compact()
    assert (done.merges, done.files_after, done.rows) == (6, 6, truth.total())  # two tables of three dates
    assert done.files_before == files - 14  # beside the empty file of each table
    assert done.files_removed == done.files_before
    assert by_polars(home.folder) == by_duckdb(home.folder) == by_views(home.warehouse) == truth
    assert on_disk(home.folder) == live(home.folder)
    for file in home.lake.files.live("messages"):
        rows = pq.read_table(file.path, columns=list(SORT_KEYS)).to_pylist()
        assert rows == sorted(rows, key=lambda each: [each[key] for key in SORT_KEYS])
        assert {each["occurred_at"].date() for each in rows} <= {file.day}
        assert pq.read_schema(file.path).names == [each.name for each in columns(Message)]
    again = home.compact()
    assert (again.merges, again.files_removed) == (0, 0)


def test_conservation_holds_by_segment(home: Home) -> None:
    small_files(home.lake, range(5))
    before = home.warehouse.lake_counts()
    assert {segment for segment, _, _ in before} == {segment_id(name) for name in range(5)}
    home.compact()
    assert home.warehouse.lake_counts() == before
    assert home.warehouse.conservation({}) == {}


@pytest.mark.parametrize("is_swept", [True, False])
def test_a_merged_segment_that_is_taken_in_again_is_there_once(home: Home, *, is_swept: bool) -> None:
    truth = small_files(home.lake, range(6))
    home.show()
    if is_swept:
        assert home.compact().files_removed
    else:
        with LakeFiles(home.folder).reading():
            assert home.compact().files_removed is None
    assert take_in(home.lake, 3) == {each: 1 for each in truth if each[1] == segment_id(3)}
    assert by_polars(home.folder) == by_duckdb(home.folder) == truth
    assert home.warehouse.follow()
    home.compact()
    assert by_polars(home.folder) == by_views(home.warehouse) == truth
    assert on_disk(home.folder) == live(home.folder)


def test_a_merged_segment_that_now_says_something_else_replaces_what_it_said(home: Home) -> None:
    truth = small_files(home.lake, range(4))
    home.compact()
    # the same bytes read by a newer decoder: one row less, and only of the first date
    truth -= Counter({each: 1 for each in truth if each[1] == segment_id(2)})
    truth += take_in(home.lake, 2, days=1, rows=11)
    assert by_polars(home.folder) == by_duckdb(home.folder) == truth
    take_in(home.lake, 2, days=1, rows=0)
    assert segment_id(2) not in {segment for _, segment, _ in by_polars(home.folder)}
    for name in (0, 1, 3):
        take_in(home.lake, name, rows=0)
    assert by_polars(home.folder) == by_duckdb(home.folder) == Counter()
    home.compact()
    assert on_disk(home.folder) == live(home.folder)


def test_fragments_leave_a_merged_file_and_it_keeps_what_it_says_of_itself(home: Home) -> None:
    for name in ("a", "b"):
        with home.lake.replace(segment_id(name)) as writer:
            rows = [
                row(Unmodelled, tenant_id="t", segment_id=segment_id(name), event_id=f"{name}{n}", body_hash=f"{name}{n}") for n in range(3)
            ]
            writer.add(Unmodelled, values_of(Unmodelled, rows))
    home.compact()
    (merged,) = [file for file in home.lake.files.live("unmodelled") if file.is_merged]
    before = pq.read_metadata(merged.path).metadata
    rows_of = FolderLakeRows(home.folder)
    assert rows_of.told([segment_id("a")], ["a1", "b1"]) == {("t", "a1", "unmodelled", "a1"): 1}
    rows_of.drop_unmodelled(segment_id("a"), [("t", "a1"), ("t", "b1")])
    assert sorted(each.event_id for each in rows_of.unmodelled(Choice())) == ["a0", "a2", "b0", "b1", "b2"]
    after = pq.read_metadata(merged.path).metadata
    assert {key: after[key] for key in before if key != b"ARROW:schema"} == {key: before[key] for key in before if key != b"ARROW:schema"}
    assert home.lake.files.live("unmodelled")


def test_what_is_being_read_stays_until_nobody_reads(home: Home) -> None:
    truth = small_files(home.lake, range(4))
    home.show()
    before = live(home.folder)
    with LakeFiles(home.folder).reading():
        assert home.compact().files_removed is None
        assert before <= on_disk(home.folder)
        assert home.lake.files.waiting("messages") > 0
        assert by_polars(home.folder) == truth
    assert home.compact().files_removed == len(before) - 14
    assert on_disk(home.folder) == live(home.folder)


def test_while_somebody_has_the_warehouse_open_its_views_still_find_their_files(home: Home, tmp_path: Path) -> None:
    truth = small_files(home.lake, range(4))
    home.show()
    reader = subprocess.Popen(
        [sys.executable, "-c", f"import duckdb; c = duckdb.connect({str(home.warehouse.path)!r}, read_only=True); print(1, flush=True); input()"
         "; print(c.sql('select count(*) from lake.messages').fetchall()[0][0])"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert reader.stdout and reader.stdout.readline() == "1\n"
    assert home.compact().files_removed is None
    assert reader.communicate("\n", timeout=60)[0] == f"{sum(count for each, count in truth.items() if each[0] == 'messages')}\n"
    assert home.compact().files_removed
    assert by_views(home.warehouse) == truth


def test_a_merged_file_that_is_gone_stops_readers_and_says_which(home: Home) -> None:
    small_files(home.lake, range(4))
    home.compact()
    victim = next(file for file in home.lake.files.live("messages") if file.is_merged)
    victim.path.unlink()
    for read in (lambda: by_polars(home.folder), home.warehouse.lake_counts, home.lake.prepare):
        with pytest.raises(LakeError, match=f"{victim.path} is gone"):
            read()


def test_a_damaged_or_newer_manifest_is_refused(home: Home) -> None:
    path = home.folder / "messages" / "manifest.json"
    for text, word in (("{", "is damaged"), ('{"format": 2}', "has format 2"), ('{"unheard": 1}', "is damaged"), ("", "is damaged")):
        path.write_text(text)
        with pytest.raises(LakeError, match=word):
            home.lake.files.live("messages")


FILES = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 40)), max_size=60)


@settings(max_examples=200, deadline=None)
@given(FILES, st.integers(2, 40), st.integers(2, 8))
def test_a_plan_joins_small_files_of_one_date_up_to_the_size(sizes: list[tuple[int, int]], file_bytes: int, min_files: int) -> None:
    files = [LakeFile(Path(f"{n:03d}"), f"{n:03d}", DAY + timedelta(days), size, 0) for n, (days, size) in enumerate(sizes)]
    groups = plan(files, file_bytes, min_files)
    planned = [file for group in groups for file in group]
    assert len(planned) == len(set(planned))
    small = [file for file in files if file.size_bytes * 2 < file_bytes]
    per_day = Counter(file.day for file in small)
    for group in groups:
        assert len(group) >= 2
        assert len({file.day for file in group}) == 1
        assert sum(file.size_bytes for file in group) <= file_bytes
    assert {file.day for file in planned} == {day for day, count in per_day.items() if count >= min_files}
    for day in {file.day for file in planned}:  # what is left over is one file at most
        assert per_day[day] - sum(file.day == day for file in planned) <= 1
    assert plan(list(reversed(files)), file_bytes, min_files) == groups


def test_large_files_and_dates_with_few_are_left_alone(tmp_path: Path) -> None:
    home = Home(tmp_path, file_bytes=1 << 20)
    small_files(home.lake, range(3), days=1)
    big = home.lake.files.live("messages")
    assert home.compact(min_files=4).merges == 0
    assert home.lake.files.live("messages") == big
    assert home.compact(min_files=3).merges == 2


def test_a_reader_sees_each_row_once_at_every_moment(home: Home) -> None:
    """A process reads without end while another one merges files and takes merged segments in again."""
    truth = small_files(home.lake, range(8), days=2)
    home.show()
    program = (
        "import sys; from pathlib import Path; from tests.orchestration.lakes import *; from orchestration.resources.warehouse import *\n"
        "folder, wanted, n = Path(sys.argv[1]), int(sys.argv[2]), 0\n"
        "print('ready', flush=True)\n"
        "warehouse = Warehouse(folder.parent / 'warehouse.duckdb', folder, folder)\n"
        "while not (folder.parent / 'stop').exists():\n"
        "    for read in (lambda: by_polars(folder), lambda: by_duckdb(folder), lambda: by_views(warehouse)):\n"
        "        try: told = read()\n"
        "        except WarehouseBusyError: continue\n"
        "        assert told.total() == len(told) == wanted, (read, told.total(), len(told))\n"
        "        n += 1\n"
        "print(n)\n"
    )
    command = [sys.executable, "-c", program, str(home.folder), str(truth.total())]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as reader:
        assert reader.stdout and reader.stdout.readline() == "ready\n"
        merges = 0
        until = time.monotonic() + 3
        while time.monotonic() < until and reader.poll() is None:
            merges += home.compact().merges
            for name in range(8):
                take_in(home.lake, name, days=2)
        (home.folder.parent / "stop").touch()
        out, err = reader.communicate(timeout=60)
    assert reader.returncode == 0, err
    assert merges >= 4
    assert int(out) >= 10
    assert by_polars(home.folder) == truth


CHILD = """
import os, signal, sys, threading
from pathlib import Path
import polars, duckdb, pyarrow.parquet
from assets.maintenance import compact
from orchestration.resources.lake import FolderLake
from orchestration.resources.lake_rows import FolderLakeRows
from orchestration.resources.progress import TerminalProgress
from orchestration.resources.warehouse import Warehouse
from tests.orchestration.lakes import take_in

folder = Path(sys.argv[1])
STEPS = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "fcntl.flock", "open")

def work(what, step, seconds):
    left = [step]
    def count(event, arguments):
        # each step that changes the folder, and what lies between: a kill comes before it
        if event in STEPS and (event == "fcntl.flock" or (event == "open" and arguments[1] in ("wb", "a")) or event.startswith("os.")):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(count)
    if seconds:
        threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL)).start()
    lake = FolderLake(folder / "lake")
    if what == "compact":
        compact(lake, Warehouse(folder / "warehouse.duckdb", lake.folder, folder), TerminalProgress(quiet=True), 2)
    else:
        take_in(lake, int(what), int(sys.argv[2]))
    os._exit(0)

for line in sys.stdin:
    what, step, seconds = line.split()
    child = os.fork()
    if child == 0:
        work(what, int(step), float(seconds))
    status = os.waitpid(child, 0)[1]
    print("killed" if os.WIFSIGNALED(status) else "done" if status == 0 else f"failed {status}", flush=True)
"""


class Mortal:
    """A process that starts the same work in a fresh child each time, and says how that ended."""

    def __init__(self, folder: Path, days: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(folder), str(days)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, what: object, step: int = 0, seconds: float = 0.0) -> str:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{what} {step} {seconds}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        self._process.communicate(timeout=60)


def check_seeds(folder: Path, seeds: range) -> None:
    """For each seed: a few new segments, then a compaction or a segment once more, killed; whatever the moment, the rows are the same."""
    home, mortal = Home(folder), Mortal(folder, days=2)
    truth = small_files(home.lake, range(4), days=2)
    home.show()
    ends: Counter[str] = Counter()
    try:
        for seed in seeds:
            chance = Random(seed)
            truth += small_files(home.lake, [seed], days=2)
            what = "compact" if chance.random() < 0.7 else chance.choice([*range(4), *range(seeds.start, seed + 1)])
            end = mortal.ask(what, *((chance.randint(1, 60), 0.0) if seed % 2 else (0, chance.uniform(0.001, 0.12))))
            ends[end] += 1
            assert not end.startswith("failed"), (seed, end)
            assert by_polars(home.folder) == truth, seed
            if seed % 4 == 0:
                assert by_duckdb(home.folder) == truth, seed
                assert home.warehouse.follow()
                assert by_views(home.warehouse) == truth, seed
        assert ends["killed"] > len(seeds) / 3, ends
        assert mortal.ask("compact") == "done"
    finally:
        mortal.close()
    assert by_polars(home.folder) == by_duckdb(home.folder) == by_views(home.warehouse) == truth
    assert on_disk(home.folder) == live(home.folder)
    assert list(home.folder.glob(".staging/*")) == []


def test_whoever_is_killed_at_each_step_leaves_each_row_once(tmp_path: Path) -> None:
    """Not by chance: before the first step that changes the folder, before the second, and so on to the end."""
    home, mortal = Home(tmp_path), Mortal(tmp_path, days=1)
    truth = small_files(home.lake, range(3), days=1)
    try:
        for what in ("compact", "1"):  # then, with what is left of all those deaths, a merged segment once more
            step = 0
            while (end := mortal.ask(what, step := step + 1)) == "killed":
                assert by_polars(home.folder) == truth, (what, step)
            assert end == "done"
            assert step > 8
            assert by_polars(home.folder) == by_duckdb(home.folder) == truth
        mortal.ask("compact")
    finally:
        mortal.close()
    assert by_polars(home.folder) == truth
    assert on_disk(home.folder) == live(home.folder)


def test_whoever_is_killed_at_any_moment_leaves_each_row_once(tmp_path: Path) -> None:
    check_seeds(tmp_path, range(100, 120))


@pytest.mark.large
def test_the_same_for_200_kills(tmp_path: Path) -> None:
    check_seeds(tmp_path, range(1_000, 1_200))
