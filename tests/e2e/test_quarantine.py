"""Put right and replayed, the marts are those of a right start; a held segment is told by the run, its exit code and the status."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest

from orchestration.resources.settings import Settings
from orchestration.resources.state import open_state
from tests.assets.quarantine_world import LINES, NO_ROWS, SECRETS, Fixes, change, message, whatsapp
from tests.e2e.conftest import END_AT, Ran, fingerprints, flexoraa


def run(home: Path, lines: list[bytes], fixes: Fixes) -> Ran:
    """Apply, drop and run."""
    tenants = home.parent / "tenants.yaml"
    tenants.write_text(fixes.yaml())
    assert flexoraa("tenant", "apply", tenants, "--home", home, **SECRETS).code == 0
    if lines:
        (home / "inbox" / "a.ndjson").write_bytes(b"".join(each + b"\n" for each in lines))
    return flexoraa("run", "--as-of", END_AT, "--home", home)


@pytest.mark.large
def test_the_marts_after_a_replay_are_those_of_a_right_start() -> None:
    with tempfile.TemporaryDirectory(prefix="flexoraa-e2e-") as folder:
        home = Path(folder) / "home"
        first = run(home, LINES, Fixes()).json()
        wanted = fingerprints(home)
        assert wanted["fct_messages"].rows > 5
        with open_state(Settings.load(home, {})) as state, state.begin() as connection:
            connection.exec_driver_sql(NO_ROWS)  # the vault stays: surrogates are random, and must be the same to be compared
        shutil.rmtree(home / "lake")
        shutil.rmtree(home / "inbox")
        (home / "warehouse.duckdb").unlink()
        wrong = run(home, LINES, Fixes(is_connected=False, is_secret_true=False))
        assert wrong.code == 3
        assert fingerprints(home)["fct_messages"] != wanted["fct_messages"]
        right = run(home, [], Fixes())  # nothing replayed yet: nothing changes
        assert right.json()["conservation"] == wrong.json()["conservation"]
        replayed = flexoraa("quarantine", "replay", "--all", "--json", "--home", home)
        assert (replayed.code, replayed.json()["taken"]["messages"] > 5) == (3, True)
        last = flexoraa("run", "--as-of", END_AT, "--home", home)
        assert (last.code, last.json()["errors"]) == (0, [])
        assert last.json()["conservation"] == first["conservation"]
        assert fingerprints(home) == wanted


@pytest.mark.large
def test_a_held_segment_is_told_by_run_and_status() -> None:
    with tempfile.TemporaryDirectory(prefix="flexoraa-e2e-") as folder:
        home = Path(folder) / "home"
        broken = [whatsapp(1, change("fern-1", [message(str(each), 1, "TIMESTAMP")])) for each in range(20)]
        ran = run(home, broken, Fixes())
        summary = ran.json()
        assert (ran.code, summary["status"], summary["segments"], summary["rejected_in_this_run"]) == (3, "attention", 0, {})
        (segment,) = summary["held_segments"]
        assert segment["verdicts"] == [
            {"tenant_id": "fern", "source": "whatsapp", "received": 20, "rejected": 20, "reasons": {"bad_time": 20}}
        ]
        assert summary["checks_failed"] == ["lake/messages: circuit_breaker"]
        assert json.loads(flexoraa("status", "--json", "--home", home).out)["held_segments"][0]["segment_id"] == segment["segment_id"]
        assert flexoraa("quarantine", "release", segment["segment_id"], "--home", home).code == 0
        after = flexoraa("run", "--as-of", END_AT, "--home", home).json()
        assert (after["held_segments"], after["quarantine"], after["checks_failed"]) == ([], {"held": 20}, [])
