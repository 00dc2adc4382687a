"""Every sensor: one plan and a few Dagster lines. None of them opens the warehouse.

Here belongs turning an observation into run requests. Not here: what is decided (`core.plans`), what a run does (`assets`).
"""

import dagster as dg

from assets.delivery import RULES, decide
from assets.experiments import MONITOR, watch
from assets.pull import poll_gmail
from core.experiments import Experiments, Pages
from core.plans import plan_ingest, plan_polls
from core.ports import Clock, Inbox, Outbox
from core.pulling import Pull
from core.reading import Readings
from orchestration.automation import DELIVER, EVERYTHING, OWNED

_SENSOR_NAMES = {
    "lead_leak": "lead_leakage",
    "token_threshold": "token_thresholds",
    "sla_warning": "sla_warnings",
    "sla_breach": "sla_breaches",
}
"""Where a sensor is not called as its rule."""


@dg.sensor(
    job=EVERYTHING,
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    tags=OWNED,
    description="Closed segments in the inbox: one run takes in all of them.",
)
def inbox_segments(context: dg.SensorEvaluationContext, inbox: dg.ResourceParam[Inbox]) -> dg.SensorResult:
    """Ask for a run when segments wait that were not asked for yet."""
    asked, cursor = plan_ingest(context.cursor or "", inbox.names())
    if asked is None:
        return dg.SensorResult(skip_reason="no new segment is closed", cursor=cursor)
    # without a run key: Dagster remembers a key for ever, and the same set of names may come again
    return dg.SensorResult(run_requests=[dg.RunRequest(tags={"flexoraa/inbox": asked})], cursor=cursor)


@dg.sensor(
    job_name=poll_gmail.name,  # by name: a job of ops as such makes Dagster 1.13 copy the sensor, with a warning
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    tags=OWNED,
    description="Mailboxes that were not looked at for some minutes, or that Gmail told of: one run polls all that are due.",
)
def gmail_polling(context: dg.SensorEvaluationContext, pull: dg.ResourceParam[Pull], clock: dg.ResourceParam[Clock]) -> dg.SensorResult:
    """Ask for a run when a mailbox came due that was not asked for yet; without a connected mailbox, one query and nothing else."""
    is_wanted, cursor = plan_polls(context.cursor or "", pull.mailboxes(), clock.now(), pull.every())
    if not is_wanted:
        return dg.SensorResult(skip_reason="no mailbox is due", cursor=cursor)
    return dg.SensorResult(run_requests=[dg.RunRequest()], cursor=cursor)


@dg.sensor(
    name=MONITOR,
    job=DELIVER,
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    tags=OWNED,
    description="Experiments that do harm, or of which nothing is known: control to everybody, then a delivery run that tells of it.",
)
def ab_monitor(
    context: dg.SensorEvaluationContext, experiments: dg.ResourceParam[Experiments], clock: dg.ResourceParam[Clock]
) -> dg.SensorResult:
    """Kill what the newest publication says must not go on; statistics get stale without any, so it looks at every tick."""
    kills, cursor = watch(experiments, context.cursor or "", clock)
    if not kills:
        return dg.SensorResult(skip_reason="no experiment is to be killed", cursor=cursor)
    told = ", ".join(f"{each.tenant_id} {each.experiment_id}" for each in kills)
    return dg.SensorResult(run_requests=[dg.RunRequest(tags={"flexoraa/killed": told[:200]})], cursor=cursor)


@dg.run_failure_sensor(
    name="failed_runs",
    monitored_jobs=[EVERYTHING],
    tags=OWNED,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="A run of everything failed: the pages say so, since their numbers are those of the run before it.",
)
def failed_runs(
    context: dg.RunFailureSensorContext,
    pages: dg.ResourceParam[Pages],
    readings: dg.ResourceParam[Readings],
    clock: dg.ResourceParam[Clock],
) -> None:
    """Write it beside the pages; the next run that ends well takes it away."""
    from assets.site import STATE, failed_run  # here: what lays out, which a tick of the others does not need

    steps = [str(event.step_key) for event in context.get_step_failure_events()]
    pages.write({STATE: failed_run(steps, context.dagster_run.run_id, clock.now(), readings.dagster_url())})


def _rule_sensor(rule: str) -> dg.SensorDefinition:
    @dg.sensor(
        name=_SENSOR_NAMES.get(rule, rule),
        job=DELIVER,
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING,
        tags=OWNED,
        description=f"Due requests of the rule {rule}: into the outbox, then a delivery run.",
    )
    def sensor(context: dg.SensorEvaluationContext, outbox: dg.ResourceParam[Outbox], clock: dg.ResourceParam[Clock]) -> dg.SensorResult:
        new, cursor = decide(outbox, rule, context.cursor or "", clock)
        if new == 0:
            return dg.SensorResult(skip_reason="nothing new is due", cursor=cursor)
        return dg.SensorResult(run_requests=[dg.RunRequest(tags={"flexoraa/new_actions": str(new)})], cursor=cursor)

    return sensor


SENSORS = [inbox_segments, gmail_polling, ab_monitor, failed_runs, *map(_rule_sensor, RULES)]
