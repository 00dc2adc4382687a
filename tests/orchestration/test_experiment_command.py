"""The journal of kills, its actions, and the command: who may do what, exactly once, told to the operating system."""

import json
import threading
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import psycopg
import pytest
from typer.testing import CliRunner

from assets.experiments import watch
from core.experiments import Kill
from orchestration.cli import app
from orchestration.experiment_command import Bench
from orchestration.receiver import Receiver
from orchestration.resources.clock import FixedClock
from orchestration.resources.experiments import ExperimentError, PostgresExperiments
from orchestration.resources.identity import PostgresIdentity
from orchestration.resources.settings import Settings
from orchestration.resources.state import State
from orchestration.resources.tenants import apply_file
from orchestration.resources.vault import Vault
from tests.orchestration.effects import NOW, SECRETS, Scene

EXPERIMENT = """
    people:
      - {{ id: meera, name: Meera, email: m@a.example, role: manager, calendar: office, valid_from: 2026-01-01T00:00:00Z }}
      - {{ id: ravi, name: Ravi, email: r@a.example, role: operator, calendar: office, valid_from: 2026-01-01T00:00:00Z }}
      - {{ id: vera, name: Vera, email: v@a.example, role: viewer, calendar: office, valid_from: 2026-01-01T00:00:00Z }}
    experiments:
      - id: greeting
        primary_metric: replied
        variants: [{{ name: plain, allocation_percent: 50, is_control: true }}, {{ name: personal, allocation_percent: 50 }}]
        valid_from: 2026-11-01T00:00:00Z
"""
HARM = ("harm", "personal is worse on replied", '{"statistic": 3.5}')


@pytest.fixture
def scene(tmp_path: Path, settings: Settings, state: State, vault: Vault) -> Iterator[Scene]:
    """A fresh tenant with an experiment, a callback and three people."""
    with state.begin() as connection:
        connection.exec_driver_sql("delete from ops.delivery_attempts; delete from ops.outbox")
    with Receiver(tmp_path / "record.ndjson") as receiver, httpx.Client() as client:
        made = Scene(f"t{uuid.uuid4().hex[:10]}", tmp_path, tmp_path / "inbox", state, vault, receiver, client)
        path = made.folder / f"{made.tenant}.yaml"
        hook = f"      - {{ id: os, kind: callback, url: '{receiver.url}/callback/{made.tenant}', secret: {{ env: HOOK }}, valid_from: 2026-01-01T00:00:00Z }}\n"
        text = path.read_text().replace("    calendars:", hook + "    calendars:") + EXPERIMENT.format()
        path.write_text(text)
        apply_file(path, state, vault, NOW, SECRETS)
        yield made
        with state.owner() as connection:
            connection.execute("delete from ops.experiment_verdicts")
            connection.execute("delete from ops.reference where section like 'experiment%'")


@pytest.fixture
def bench(scene: Scene) -> Bench:
    return Bench(PostgresExperiments(scene.state, scene.vault), PostgresIdentity(scene.state, scene.vault), NOW)


def told(scene: Scene) -> list[dict]:  # type: ignore[type-arg]
    return [each.json() for each in scene.receiver.requests if each.path == f"/callback/{scene.tenant}"]


def test_a_kill_is_recorded_told_once_and_cuts_the_timeline(scene: Scene, bench: Bench) -> None:
    kill = Kill(scene.tenant, "greeting", *HARM)
    assert [bench.experiments.kill(kill, NOW, "ab_monitor") for _ in range(3)] == [True, False, False]
    for _ in range(3):
        scene.deliver()
    [request] = told(scene)
    assert (request["kind"], request["details"]["reason"], request["details"]["evidence"]) == (
        "kill_experiment",
        HARM[1],
        {"statistic": 3.5},
    )
    assert scene.rows("state, attempts, rule") == [("sent", 1, "experiment_switch")]
    live = [row for row in bench.experiments.configured(NOW).variants if row.tenant_id == scene.tenant and row.valid_to is None]
    assert [(row.variant, row.allocation_ppm, row.is_killed, row.valid_from) for row in live] == [
        ("personal", 0, True, NOW),
        ("plain", 1_000_000, True, NOW),
    ]
    before = NOW - timedelta(microseconds=1)
    assert not any(row.is_killed for row in bench.experiments.configured(before).variants if row.tenant_id == scene.tenant)


def test_of_many_who_kill_at_once_one_does(scene: Scene, bench: Bench) -> None:
    barrier, results = threading.Barrier(6), []

    def run() -> None:
        barrier.wait()
        results.append(bench.experiments.kill(Kill(scene.tenant, "greeting", *HARM), NOW, "ab_monitor"))

    threads = [threading.Thread(target=run) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(results) == [False] * 5 + [True]
    assert len(scene.rows("action_id")) == 1


def test_applying_the_file_anew_ends_no_kill(scene: Scene, bench: Bench) -> None:
    bench.kill("greeting", scene.tenant, "ravi", "wrong price")
    path = scene.folder / f"{scene.tenant}.yaml"
    path.write_text(path.read_text().replace("primary_metric: replied", "primary_metric: answered"))
    apply_file(path, scene.state, scene.vault, NOW, SECRETS)
    assert bench.status(scene.tenant)[0]["status"] == "killed"


def test_only_a_manager_resumes_and_it_is_told_too(scene: Scene, bench: Bench) -> None:
    answer = bench.kill("greeting", scene.tenant, "ravi", "wrong price")
    assert (answer["serve"], answer["is_new"]) == ("control", True)
    with pytest.raises(ExperimentError, match="ravi is operator .* may not resume an experiment: ask one who is admin or manager"):
        bench.resume("greeting", scene.tenant, "ravi", "again")
    with pytest.raises(ExperimentError, match="vera is viewer"):
        bench.kill("greeting", scene.tenant, "vera", "no")
    assert bench.resume("greeting", scene.tenant, "meera", "corrected")["serve"] == "experiment"
    assert bench.resume("greeting", scene.tenant, "meera", "corrected")["is_new"] is False
    scene.deliver()
    assert [each["kind"] for each in told(scene)] == ["resume_experiment"]
    assert sorted(scene.states()) == ["cancelled", "sent"]  # the kill was over before it was told


def test_a_kill_that_was_told_is_followed_by_its_end(scene: Scene, bench: Bench) -> None:
    for step in (lambda: bench.kill("greeting", scene.tenant, "ravi", "a"), lambda: bench.resume("greeting", scene.tenant, "meera", "b")):
        step()
        scene.deliver()
    assert [each["details"]["serve"] for each in told(scene)] == ["control", "experiment"]


def test_what_people_write_lies_sealed_and_is_read_back(scene: Scene, bench: Bench) -> None:
    bench.kill("greeting", scene.tenant, "ravi", "Frau Quokka complained")
    assert bench.status(scene.tenant)[0]["note"] == "Frau Quokka complained"
    with scene.state.psycopg() as connection:
        rows = connection.execute("select v::text from ops.experiment_verdicts v").fetchall()
    assert rows
    assert not any("Quokka" in row[0] for row in rows)


def test_the_journal_is_only_added_to(scene: Scene, bench: Bench) -> None:
    bench.kill("greeting", scene.tenant, "ravi", "a")
    for statement in ("update ops.experiment_verdicts set verdict = 'resumed'", "delete from ops.experiment_verdicts"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), scene.state.psycopg() as connection:
            connection.execute(statement)


def test_the_monitor_fails_to_control_when_nothing_is_known(scene: Scene, bench: Bench) -> None:
    late = NOW + timedelta(hours=36, microseconds=1)
    assert watch(bench.experiments, "", FixedClock(NOW + timedelta(hours=36)))[0] == []
    kills, cursor = watch(bench.experiments, "", FixedClock(late))
    assert [(each.tenant_id, each.cause) for each in kills if each.tenant_id == scene.tenant] == [(scene.tenant, "statistics")]
    assert watch(bench.experiments, cursor, FixedClock(late))[0] == []


@pytest.mark.parametrize(
    ("name", "by", "reason", "says"),
    [("other", "ravi", "x", "there is no experiment 'other'; there are: greeting"), ("greeting", "nobody", "x", "'nobody' is nobody of"),
     ("greeting", "ravi", " ", "a reason has 1 to 2000 characters")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(bench: Bench, scene: Scene, name: str, by: str, reason: str, says: str) -> None:
    with pytest.raises(ExperimentError, match=says):
        bench.kill(name, scene.tenant, by, reason)


def test_a_plan_says_units_days_and_the_price_of_looking() -> None:
    ran = CliRunner().invoke(app, ["experiment", "plan", "--baseline", "0.05", "--effect", "0.01", "--daily", "400", "--json"])
    answer = json.loads(ran.output)
    assert (answer["control_units"], answer["treatment_units"], answer["days"]) == (8158, 8158, 41)
    assert 0.6 < answer["power_with_30_looks"] < 0.8


@pytest.mark.parametrize("command", ["plan", "status", "kill", "resume", "report"])
def test_every_command_has_an_example(command: str) -> None:
    ran = CliRunner().invoke(app, ["experiment", command, "--help"])
    assert ran.exit_code == 0
    assert "Example: flexoraa experiment " + command in ran.output
