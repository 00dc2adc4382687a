"""Every sensor: one plan and a few Dagster lines. None of them opens the warehouse.

Here belongs turning an observation into run requests. Not here: what is decided (`core.plans`), what a run does (`assets`).
"""

import dagster as dg

from assets.delivery import RULES, decide
from assets.experiments import MONITOR, watch
from assets.privacy import execute_privacy_requests
from assets.pull import poll_gmail
from core.experiments import Experiments
from core.plans import plan_ingest, plan_polls
from core.ports import Clock, Inbox, Outbox
from core.privacy_ports import Privacy
from core.pulling import Pull
from orchestration.automation import DELIVER, EVERYTHING

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


@dg.sensor(
    job_name=execute_privacy_requests.name,  # by name, as above
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Approved erasures, and those that a run left half done: one run executes all of them.",
)
def privacy_requests_approved(context: dg.SensorEvaluationContext, privacy: dg.ResourceParam[Privacy]) -> dg.SensorResult:
    """Ask for a run when the set of those that wait is another one; one that stays open for what was found waits for a person."""
    asked, cursor = plan_ingest(context.cursor or "", privacy.waiting())
    if asked is None:
        return dg.SensorResult(skip_reason="no request waits that was not asked for", cursor=cursor)
    return dg.SensorResult(run_requests=[dg.RunRequest(tags={"flexoraa/privacy": asked})], cursor=cursor)


def _rule_sensor(rule: str) -> dg.SensorDefinition:
    @dg.sensor(
        name=_SENSOR_NAMES.get(rule, rule),
        job=DELIVER,
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Due requests of the rule {rule}: into the outbox, then a delivery run.",
    )
    def sensor(context: dg.SensorEvaluationContext, outbox: dg.ResourceParam[Outbox], clock: dg.ResourceParam[Clock]) -> dg.SensorResult:
        new, cursor = decide(outbox, rule, context.cursor or "", clock)
        if new == 0:
            return dg.SensorResult(skip_reason="nothing new is due", cursor=cursor)
        return dg.SensorResult(run_requests=[dg.RunRequest(tags={"flexoraa/new_actions": str(new)})], cursor=cursor)

    return sensor


SENSORS = [inbox_segments, gmail_polling, ab_monitor, privacy_requests_approved, *map(_rule_sensor, RULES)]
