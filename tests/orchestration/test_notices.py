"""What the platform tells of itself: a digest of each day, and runs that failed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from assets.delivery import deliver
from orchestration.resources.clock import FixedClock
from orchestration.resources.notices import PostgresNotices
from orchestration.resources.platform import Platform
from tests.orchestration.effects import Scene
from tests.orchestration.ticking import SENSORS, tick

MICRO = timedelta(microseconds=1)


def test_the_digest_comes_once_a_day_at_eight_by_the_tenants_clock(scene: Scene, platform: Platform, instance: dg.DagsterInstance) -> None:
    eight = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)  # Asia/Kolkata

    def look(at: datetime) -> list[tuple[str, datetime]]:
        ports = platform.ports() | {"clock": FixedClock(at)}
        tick("daily_digest", None, instance, **ports)
        return [(trigger, due) for rule, trigger, due in scene.rows("rule, trigger, due_at") if rule == "daily_digest"]

    before = [("2026-11-20", eight - timedelta(days=1))]
    assert look(eight - MICRO) == before
    both = [*before, ("2026-11-21", eight)]
    assert [look(eight), look(eight), look(eight + timedelta(hours=23))] == [both] * 3
    assert look(eight + timedelta(days=4)) == [*both, ("2026-11-25", eight + timedelta(days=4))], "after a standstill only the newest"


def test_the_digest_counts_what_ended_that_day_and_what_waits_and_reaches_the_hook(
    scene: Scene, platform: Platform, instance: dg.DagsterInstance
) -> None:
    scene.now = datetime(2026, 11, 21, 9, tzinfo=UTC)
    scene.go(scene.alert(1), scene.alert(2), scene.template(1), opted_out=["l1"])
    scene.now = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)
    tick("daily_digest", None, instance, **(platform.ports() | {"clock": FixedClock(scene.now)}))
    # the marts know of no digest, and it is wanted all the same
    done = deliver(platform.outbox, platform.ports()["senders"], scene.receipts(), FixedClock(scene.now), "w")
    assert done.outcomes["daily_digest", "sent"] == 1
    told = [each.json() for each in scene.receiver.alerts(scene.tenant) if each.json()["rule"] == "daily_digest"]
    assert len(told) == 1
    assert {name: count for name, count in told[0]["details"].items() if count} == {
        "date": "2026-11-21", "sent": 2, "sent_lead_leak": 2, "cancelled": 1, "cancelled_cold_recovery": 1,
    }  # fmt: skip


def test_a_failed_run_is_told_once_an_hour_to_whoever_runs_the_platform(
    scene: Scene, platform: Platform, instance: dg.DagsterInstance
) -> None:
    @dg.op
    def breaks() -> None:
        raise ValueError("asha@example.com said no")

    @dg.job
    def everything() -> None:
        breaks()

    def fail() -> dg.RunFailureSensorContext:
        result = everything.execute_in_process(instance=instance, raise_on_error=False)
        [event] = [each for each in result.all_events if each.event_type_value == "PIPELINE_FAILURE"]
        return dg.build_run_status_sensor_context(
            "run_failures", event, instance, result.dagster_run, resources={"outbox": platform.outbox, "notices": notices}
        ).for_run_failure()

    notices = PostgresNotices(scene.state, None)
    sensor: Any = SENSORS["run_failures"]
    assert "names nobody" in sensor(fail()).skip_message
    assert scene.rows("state") == []
    notices = PostgresNotices(scene.state, scene.tenant)
    context = fail()
    messages = [sensor(context).skip_message, sensor(context).skip_message]
    assert messages == ["everything failed: told", "everything failed: told already in this hour"]
    [(rule, subject, details)] = scene.rows("rule, subject, details")
    assert (rule, subject, details["failed_steps"]) == ("run_failure", "everything", ["breaks"])
    assert "asha" not in str(details)
