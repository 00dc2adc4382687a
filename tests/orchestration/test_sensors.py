"""Every sensor: first tick, tie at the cursor, late row, crash before the cursor moves, replay; and none of them opens the warehouse."""

import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from assets.actions import RULES
from orchestration.definitions import build_defs
from orchestration.resources.clock import FixedClock
from orchestration.resources.inbox import FolderInbox
from orchestration.resources.notices import PostgresNotices
from orchestration.resources.platform import Platform
from tests.orchestration.effects import NOW, Scene
from tests.orchestration.ticking import SENSORS, asked, known, tick, wanted

SECOND, MICRO = timedelta(seconds=1), timedelta(microseconds=1)
CLOCK = FixedClock(NOW)
NAMES = {
    "lead_leak": "lead_leakage", "token_threshold": "token_thresholds", "sla_warning": "sla_warnings", "sla_breach": "sla_breaches",
}  # fmt: skip
OTHERS = {
    "inbox_segments", "gmail_polling", "ab_monitor", "delivery", "daily_digest", "run_failures", "privacy_requests_approved", "failed_runs", "model_drift_answers",
}  # fmt: skip
WRITERS = {"warehouse", "lake", "lake_rows", "publisher", "dbt", "reference", "workers"}


def test_every_rule_has_its_sensor_and_no_sensor_can_ask_for_the_warehouse() -> None:
    assert set(SENSORS) == {NAMES.get(rule, rule) for rule in RULES} | OTHERS
    assert {name: sorted(each.required_resource_keys & WRITERS) for name, each in SENSORS.items()} == {name: [] for name in SENSORS}


def test_each_rules_sensor_takes_what_is_due_once_whatever_tick_row_or_cursor_is_late_or_lost(
    scene: Scene, platform: Platform, instance: dg.DagsterInstance
) -> None:
    ports = platform.ports()
    assert known(scene, "lead_leak") == []
    first = [wanted(scene, rule, number, due) for rule in RULES for number, due in ((1, NOW), (2, NOW), (3, NOW + SECOND))]
    for rule in RULES:
        assert tick(NAMES.get(rule, rule), None, instance, **ports).skip_reason.skip_message == "nothing new is due", rule  # type: ignore[union-attr]
    scene.publish(first)
    cursors = {}
    for rule in RULES:  # the first tick: two that tie are due, to the microsecond, and one is not
        result = tick(NAMES.get(rule, rule), None, instance, **ports)
        assert asked(result) == 0, "a rule's sensor puts in the outbox; the sensor delivery asks for runs"
        assert result.skip_reason.skip_message == "2 put in the outbox", rule  # type: ignore[union-attr]
        assert known(scene, rule) == ["e1", "e2"], rule
        cursors[rule] = result.cursor
        assert result.cursor == NOW.isoformat()
    for rule in RULES:  # replayed; and with a cursor that was lost because the tick died before it moved
        for cursor in (cursors[rule], None, ""):
            assert tick(NAMES.get(rule, rule), cursor, instance, **ports).cursor == (cursor or ""), rule
        assert known(scene, rule) == ["e1", "e2"], rule
    late = [wanted(scene, rule, number, due) for rule in RULES for number, due in ((4, NOW), (5, NOW - timedelta(hours=3)))]
    scene.publish(first + late)
    for rule in RULES:  # a tie that comes after the cursor reached it, and a row that was due long before
        assert tick(NAMES.get(rule, rule), cursors[rule], instance, **ports).cursor == cursors[rule], rule
        assert known(scene, rule) == ["e1", "e2", "e4", "e5"], rule
        later = tick(NAMES.get(rule, rule), cursors[rule], instance, **(ports | {"clock": FixedClock(NOW + SECOND)}))
        assert known(scene, rule) == ["e1", "e2", "e3", "e4", "e5"], rule
        assert later.cursor == (NOW + SECOND).isoformat()


def test_the_delivery_sensor_finds_what_is_due_whoever_put_it_in_and_whatever_died(scene: Scene, instance: dg.DagsterInstance) -> None:
    def look(at: datetime) -> int:
        return asked(tick("delivery", None, instance, notices=PostgresNotices(scene.state, None), clock=FixedClock(at)))

    assert look(NOW) == 0
    scene.outbox.add([scene.alert(1, due_at=NOW + SECOND)], NOW)  # and whoever added it died at once: nobody asked for a run
    assert [look(NOW), look(NOW + SECOND - MICRO), look(NOW + SECOND)] == [0, 0, 1]
    queued = _run("deliver", dg.DagsterRunStatus.NOT_STARTED)
    instance.run_storage.add_run(queued)
    begun = datetime.now(UTC)  # a run's own time is that of Dagster's storage
    assert look(begun) == 0, "that run will find it"
    assert look(begun + timedelta(minutes=11)) == 1, "a run that hangs is not waited for"
    instance.run_storage.add_run(_run("everything", dg.DagsterRunStatus.STARTED))
    instance.delete_run(queued.run_id)
    assert look(begun) == 1
    scene.now = NOW + SECOND
    for ended in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED):
        instance.run_storage.add_run(_run("deliver", ended))
    assert look(begun) == 1
    scene.publish([scene.alert(1, due_at=NOW + SECOND)])
    assert dict(scene.deliver().outcomes) == {("lead_leak", "sent"): 1}
    assert look(begun) == 0


def _run(job: str, status: dg.DagsterRunStatus) -> dg.DagsterRun:
    return dg.DagsterRun(job_name=job, run_id=str(uuid.uuid4()), status=status)


def test_the_delivery_sensor_asks_when_a_retry_has_come_and_when_a_worker_has_died(scene: Scene, instance: dg.DagsterInstance) -> None:
    def look(at: datetime) -> int:
        return asked(tick("delivery", None, instance, notices=PostgresNotices(scene.state, None), clock=FixedClock(at)))

    scene.receiver.stop()  # the tenant's hook is down
    scene.go(scene.alert(1))
    [(state, retry)] = scene.rows("state, next_try_at")
    assert state == "requested"
    assert [look(NOW), look(retry - MICRO), look(retry)] == [0, 0, 1]
    scene.lease = timedelta(0)
    assert len(scene.outbox.claim("dies", retry, 1)) == 1
    assert look(NOW) == 1, "its lease has run out: the next claim calls it unknown"
    scene.outbox.claim("next", NOW, 1)
    assert scene.states() == ["unknown"]
    assert look(retry + timedelta(days=1)) == 0
    with scene.state.psycopg() as connection:  # as the gate holds until quiet hours end, and as a person's pause does
        connection.execute("update ops.outbox set state = 'held', next_try_at = %s", (retry,))
    assert [look(retry - MICRO), look(retry)] == [0, 1]


def test_a_delivery_run_that_the_sensor_asked_for_leaves_nothing_that_is_due(
    scene: Scene, platform: Platform, instance: dg.DagsterInstance
) -> None:
    ports = platform.ports()
    scene.publish([scene.alert(number) for number in (1, 2)])
    tick("lead_leakage", None, instance, **ports)
    result = tick("delivery", None, instance, **ports)
    assert (result.run_requests or [])[0].tags == {
        "flexoraa/ready_actions": "2",
        "flexoraa/releasable_actions": "0",
        "flexoraa/abandoned_actions": "0",
    }
    done = build_defs(**ports).resolve_job_def("deliver").execute_in_process(instance=instance)
    [made] = done.get_asset_materialization_events()
    assert made.step_materialization_data.materialization.metadata["lead_leak_sent"].value == 2
    assert scene.states() == ["sent", "sent"]
    assert asked(tick("delivery", None, instance, **ports)) == 0


def test_the_inbox_sensor_asks_once_for_each_set_of_segments(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    inbox = FolderInbox(tmp_path / "inbox")
    first = tick("inbox_segments", None, instance, inbox=inbox, clock=CLOCK)
    assert asked(first) == 0  # not even a folder
    inbox.folder.mkdir()
    (inbox.folder / ".open.ndjson").touch()
    (inbox.folder / "still.ndjson.part").touch()
    assert asked(tick("inbox_segments", None, instance, inbox=inbox, clock=CLOCK)) == 0
    (inbox.folder / "export of +919876543210.ndjson").touch()
    second = tick("inbox_segments", first.cursor, instance, inbox=inbox, clock=CLOCK)
    assert asked(second) == 1
    assert asked(tick("inbox_segments", second.cursor, instance, inbox=inbox, clock=CLOCK)) == 0
    (inbox.folder / "a.ndjson.gz").touch()
    third = tick("inbox_segments", second.cursor, instance, inbox=inbox, clock=CLOCK)
    assert asked(third) == 1
    for path in inbox.folder.iterdir():
        path.unlink()
    fourth = tick("inbox_segments", third.cursor, instance, inbox=inbox, clock=CLOCK)
    assert asked(fourth) == 0
    (inbox.folder / "a.ndjson.gz").touch()
    assert asked(tick("inbox_segments", fourth.cursor, instance, inbox=inbox, clock=CLOCK)) == 1
    assert "98765" not in str([second, third])  # Dagster keeps cursors and tags in the clear


def test_the_inbox_sensor_asks_for_no_run_while_one_waits_that_will_find_what_is_there(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    inbox = FolderInbox(tmp_path / "inbox")
    inbox.folder.mkdir()

    def look(name: str, at: datetime) -> int:
        (inbox.folder / name).touch()
        return asked(tick("inbox_segments", None, instance, inbox=inbox, clock=FixedClock(at)))

    queued, now = _run("everything", dg.DagsterRunStatus.NOT_STARTED), datetime.now(UTC)
    assert look("a.ndjson", now) == 1
    instance.run_storage.add_run(queued)
    assert [look("b.ndjson", now), look("c.ndjson", now + timedelta(minutes=11))] == [0, 1], "what hangs is not waited for"
    instance.delete_run(queued.run_id)
    instance.run_storage.add_run(_run("deliver", dg.DagsterRunStatus.NOT_STARTED))
    assert look("d.ndjson", now) == 1

    looks = []

    @dg.op(required_resource_keys={"run_lock"})
    def lake() -> None:
        looks.append(look("f.ndjson", now))  # its intake has begun: what comes now it may not find

    @dg.resource
    def run_lock(_: dg.InitResourceContext) -> None:
        looks.append(look("e.ndjson", now))  # started, and waiting for the run before it

    @dg.job(resource_defs={"run_lock": run_lock})
    def everything() -> None:
        lake()

    everything.execute_in_process(instance=instance)
    assert looks == [0, 1]


def test_no_sensor_opens_the_warehouse(scene: Scene, platform: Platform, instance: dg.DagsterInstance) -> None:
    """While another process holds DuckDB's file, which nobody else can open then, every sensor works."""
    path = platform.settings.warehouse
    program = f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print('held', flush=True); sys.stdin.read()"
    scene.publish([wanted(scene, rule, 1, NOW) for rule in RULES])
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        results = {
            name: tick(name, None, instance, **platform.ports())
            for name in SENSORS
            if name not in {"run_failures", "gmail_polling", "failed_runs"}
        }
        assert asked(tick("delivery", None, instance, **platform.ports())) == 1
        with pytest.raises(Exception, match="another process"):
            platform.warehouse.names()
        holder.communicate("")
    assert sum(known(scene, rule) == ["e1"] for rule in RULES) == len(RULES)
    assert {name for name, result in results.items() if asked(result)} == set()
    path.unlink()
