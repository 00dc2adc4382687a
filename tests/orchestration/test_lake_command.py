"""`flexoraa lake`: what it prints, that it waits for a run, and how it refuses."""

import fcntl
import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from core.events import SCHEMA_VERSION, Message
from orchestration import cli
from orchestration.resources.arrow import schema_of
from orchestration.resources.lake import FolderLake
from orchestration.resources.lake_files import LakeFiles
from tests.orchestration.lakes import by_polars, live, on_disk, small_files

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run `flexoraa lake …` on the home in this process; its exit code, output and errors."""

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["flexoraa", "lake", *arguments, "--home", str(tmp_path)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        written = capsys.readouterr()
        return int(stopped.value.code or 0), written.out, written.err

    return command


@pytest.fixture
def lake(tmp_path: Path) -> FolderLake:
    made = FolderLake(tmp_path / "lake")
    made.prepare()
    return made


def rows(out: str) -> dict[str, dict[str, Any]]:
    return {row["table"]: row for row in json.loads(out)}


def test_list_counts_what_is_there_before_and_after_a_compaction(run: Run, lake: FolderLake) -> None:
    truth = small_files(lake, range(10))
    code, out, _ = run("list", "--json")
    before = rows(out)
    files = [file for file in lake.files.live("messages") if file.day.year > 1970]
    sizes = [file.size_bytes for file in files]
    assert code == 0
    assert before.keys() == {"messages", "service_events"}
    assert before["messages"] == {
        "table": "messages", "files": len(files), "merged_files": 0, "dates": 3, "rows": truth.total() // 2, "bytes": sum(sizes),
        "smallest_bytes": min(sizes), "largest_bytes": max(sizes), "schema_versions": {str(SCHEMA_VERSION): len(files)}, "files_to_remove": 0,
    }  # fmt: skip
    code, out, _ = run("compact", "--json")
    done = json.loads(out)
    assert (code, done["merges"], done["rows"]) == (0, 6, truth.total())
    assert done["bytes_before"] == sum(row["bytes"] for row in before.values())
    after = rows(run("list", "--json")[1])
    assert [(row["files"], row["merged_files"], row["files_to_remove"]) for row in after.values()] == [(3, 3, 0)] * 2
    assert sum(row["bytes"] for row in after.values()) == done["bytes_after"] < done["bytes_before"]
    assert by_polars(lake.folder) == truth


def test_for_people_it_is_a_table_and_a_sentence(run: Run, lake: FolderLake) -> None:
    small_files(lake, range(8), days=1)
    out = run("list")[1]
    assert "schema_versions" in out
    assert f"{SCHEMA_VERSION} (8)" in out
    with LakeFiles(lake.folder).reading():
        code, out, _ = run("compact", "--quiet")
    assert (code, out.splitlines()[0].split(";")[0]) == (0, "16 files became 2 with the same 192 rows")
    assert out.splitlines()[1] == "the old ones are still being read: the next compaction removes them"
    assert rows(run("list", "--json")[1])["messages"]["files_to_remove"] == 8
    assert run("compact")[1].startswith("0 files became 0")
    assert on_disk(lake.folder) == live(lake.folder)


def test_it_waits_for_a_run_and_says_so(run: Run, lake: FolderLake, tmp_path: Path) -> None:
    small_files(lake, range(8), days=1)
    with (tmp_path / "run.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        threading.Timer(0.5, fcntl.flock, (held, fcntl.LOCK_UN)).start()
        code, out, err = run("compact")
    assert (code, err) == (0, "waiting for the run that is on its way\n")
    assert out.startswith("16 files became 2")


def test_the_size_of_merged_files_is_a_setting(run: Run, lake: FolderLake, monkeypatch: pytest.MonkeyPatch) -> None:
    for size in ("0", "1025", "1.5", "big"):
        monkeypatch.setenv("FLEXORAA_LAKE_FILE_MB", size)
        code, out, err = run("compact")
        assert (code, out) == (2, "")
        assert err == f"flexoraa: FLEXORAA_LAKE_FILE_MB must be a whole number of megabytes from 1 to 1024, not {size!r}\n"
    monkeypatch.setenv("FLEXORAA_LAKE_FILE_MB", "1")
    small_files(lake, range(8), days=1, rows=12_000)
    assert json.loads(run("compact", "--json")[1])["merges"] > 2  # a megabyte does not hold all of a date's


def test_without_a_lake_it_says_so_and_makes_nothing(run: Run, tmp_path: Path) -> None:
    assert run("list")[:2] == (0, f"{tmp_path / 'lake'}: no event has been taken in yet\n")
    assert run("list", "--json")[:2] == (0, "[]\n")
    assert run("compact") == (1, "", f"flexoraa: {tmp_path / 'lake'}: no event has been taken in yet\n")
    assert list(tmp_path.iterdir()) == []
    assert run("compact", "--min-files", "1")[0] == 2


def test_a_file_of_a_newer_version_is_one_sentence_and_exit_code_1(run: Run, lake: FolderLake) -> None:
    small_files(lake, range(3))
    path = lake.files.live("messages")[-1].path
    schema = schema_of(Message)
    newer = schema.with_metadata({**schema.metadata, b"flexoraa.schema_version": b"99", b"flexoraa.writer": b"flexoraa 9.9"})
    pq.write_table(pq.read_table(path).cast(newer), path)
    before, files = on_disk(lake.folder), len(lake.files.live("messages"))
    code, out, err = run("compact", "--min-files", "2")
    assert (code, out) == (1, "")
    assert err.startswith(f"flexoraa: {path} (schema version 99, written by flexoraa 9.9) cannot be read here: this version knows schema")
    assert on_disk(lake.folder) >= before
    assert rows(run("list", "--json")[1])["messages"]["schema_versions"] == {str(SCHEMA_VERSION): files - 2, "99": 1}
