"""`flexoraa quarantine` as people and scripts use it: what it prints, what it refuses, with which code it ends, and who read what."""

import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration import cli
from orchestration.resources.platform import Platform, open_platform
from orchestration.resources.settings import Settings
from tests.assets.quarantine_world import LINES, Fixes, Room, change, message, whatsapp

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    """A home directly below the temporary folder: pytest's own folders make socket paths long."""
    with (
        tempfile.TemporaryDirectory(prefix="flexoraa-test-") as folder,
        open_platform(Settings.load(Path(folder) / "home", {})) as opened,
    ):
        yield opened


@pytest.fixture
def room(platform: Platform) -> Room:
    """The home itself, with traffic that was taken in before its connections were right."""
    made = Room(platform.settings.home, platform)
    made.forget()
    for path in [*made.lake.folder.rglob("*.parquet"), *made.inbox.done.glob("*"), *made.inbox.held.glob("*")]:
        path.unlink()
    made.lake.prepare()
    made.apply(Fixes(is_connected=False, is_secret_true=False))
    made.drop("a.ndjson", LINES)
    made.take()
    return made


@pytest.fixture
def quarantine(room: Room, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `flexoraa quarantine` in this process; returns exit code and both outputs."""
    for name in ("FLEXORAA_HOME", "DATABASE_URL", "FLEXORAA_MASTER_KEY"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["flexoraa", "quarantine", *map(str, arguments), "--home", str(room.platform.settings.home)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        written = capsys.readouterr()
        return int(stopped.value.code or 0), written.out, written.err

    return run


def answer(run: Run, *arguments: object) -> Any:
    code, out, err = run(*arguments, "--json")
    assert (code, err) in {(0, ""), (3, "")}
    return json.loads(out)


def test_list_counts_all_and_shows_the_chosen_newest_first(quarantine: Run) -> None:
    found = answer(quarantine, "list", "--limit", 3)
    assert found["counts"]["unknown_account"] == {"held": 22}
    assert len(found["entries"]) == 3
    moments = [each["received_at"] for each in found["entries"]]
    assert moments == sorted(moments, reverse=True)
    only = answer(quarantine, "list", "--reason", "bad_time", "--tenant", "fern", "--since", "2026-11-20T09:04:00Z", "--state", "held")
    assert [each["place"] for each in only["entries"]] == ["line 5, $.entry[0].changes[0].value.messages[1].timestamp"]
    assert answer(quarantine, "list", "--since", "2026-11-20T09:04:00.000001Z", "--reason", "bad_time")["entries"] == []
    code, out, _ = quarantine("list", "--reason", "bad_contact")
    assert (code, "bad_contact" in out, "unknown_account" in out) == (0, True, False)


def test_no_output_but_a_revealed_body_shows_anybody(quarantine: Run, room: Room) -> None:
    shown = quarantine("list")[1] + quarantine("list", "--json")[1] + quarantine("replay", "--all", "--dry-run")[1]
    entry = answer(quarantine, "list", "--reason", "bad_time")["entries"][0]["quarantine_id"]
    shown += quarantine("show", entry)[1]
    assert "bad_time" in shown
    assert not re.search(r"98765|Asha|hello|wamid", shown)
    with room.platform.state.begin() as connection:
        assert connection.exec_driver_sql("select count(*) from ops.quarantine_reads").scalar_one() == 0
    assert answer(quarantine, "show", entry, "--reveal")["body"].encode() == LINES[4]
    with room.platform.state.begin() as connection:
        (read,) = connection.exec_driver_sql("select quarantine_id, tenant_id, reader <> '', read_at is not null from ops.quarantine_reads")
    assert tuple(read) == (entry, "fern", True, True)


def test_replay_ends_with_3_while_something_stays_refused_and_0_once_all_is_in(quarantine: Run, room: Room) -> None:
    room.apply(Fixes())
    told = answer(quarantine, "replay", "--source", "platform", "--reason", "wrong_signature", "--dry-run")
    assert told == {"is_dry_run": True, "segments": 1, "tried": 3, "taken": {"lead_events": 2, "unmodelled": 1}, "still": {}}
    code, out, _ = quarantine("replay", "--source", "platform", "--reason", "wrong_signature")
    assert (code, out.splitlines()[0]) == (
        0, "3 tried in 1 segments; entered the lake: lead_events 2, unmodelled 1; still refused: nothing",
    )  # fmt: skip
    code, out, _ = quarantine("replay", "--all", "--json")
    assert (code, sorted(json.loads(out)["still"])) == (3, ["bad_contact", "bad_line", "bad_time", "wrong_signature"])
    assert answer(quarantine, "list")["counts"]["unknown_account"] == {
        "replayed": 21
    }  # one of them has a broken time besides, and is held for that now
    assert room.check()
    assert answer(quarantine, "replay", "--unmodelled", "--kind", "lead.teleported")["still"] == {"unmodelled": 1}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["replay"], "nothing was chosen"), (["replay", "--all", "--reason", "bad_time"], "which is meant"),
        (["replay", "nowhere-1-1"], "no entry 'nowhere-1-1'"), (["replay", "--kind", "x", "--all"], "--kind goes with --unmodelled"),
        (["replay", "--unmodelled", "--reason", "x"], "--unmodelled speaks of"), (["show", "nowhere"], "no entry 'nowhere'"),
        (["release", "nowhere"], "no held segment"), (["list", "--since", "yesterday"], "ISO 8601"), (["expire", "--as-of", "2026-01-01"], "offset"),
    ],
)  # fmt: skip
def test_what_is_not_there_or_not_clear_is_wrong_use(quarantine: Run, arguments: list[str], word: str) -> None:
    code, out, err = quarantine(*arguments)
    assert (code, out) == (2, "")
    assert word in re.sub(r"\s+", " ", err)


def test_a_held_segment_is_listed_and_released(quarantine: Run, room: Room) -> None:
    room.drop("b.ndjson", [whatsapp(1, change("fern-1", [message(str(each), 1, "TIMESTAMP")])) for each in range(20)])
    room.take()
    (segment,) = answer(quarantine, "list")["held_segments"]
    assert (segment["name"], segment["verdicts"][0]["reasons"]) == ("b.ndjson", {"bad_time": 20})
    assert "b.ndjson is held: fern whatsapp: 20 of 20 (bad_time 20)" in quarantine("list")[1]
    code, out, _ = quarantine("release", segment["segment_id"][:12])
    assert (code, "`flexoraa run` takes it in" in out) == (0, True)
    assert [name[17:] for name in room.inbox.names()] == ["b.ndjson"]
    room.take()
    assert answer(quarantine, "list")["held_segments"] == []


def test_expire_says_what_it_removed(quarantine: Run) -> None:
    found = answer(quarantine, "expire", "--as-of", "2099-01-01T00:00:00Z")
    assert sum(each["entries"] for each in found["quarantine"]) == 30
    assert found["done_segments"]["removed"] == 1
    code, out, _ = quarantine("expire", "--as-of", "2099-01-01T00:00:00Z")
    assert (code, "quarantine: 0 bodies removed" in out) == (0, True)
