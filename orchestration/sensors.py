"""Every sensor: one plan and a few Dagster lines. None of them opens the warehouse.

Here belongs turning an observation into run requests. Not here: what is decided (`core.plans`), what a run does (`assets`).
"""

from datetime import UTC, datetime

import dagster as dg

from assets.actions import RULES
from assets.delivery import decide
from assets.drift import alarms
from assets.experiments import MONITOR, watch
from assets.models import answer_to_drift, model_rollback
from assets.notices import digest, tell_of_failure
from assets.owners import OWNED
from assets.privacy import execute_privacy_requests
from assets.pull import poll_gmail
from core.action_ports import Outbox
from core.drift_ports import DriftJournal
from core.experiments import Experiments, Pages
from core.model_ports import Registry
from core.models import champions
from core.notices import Notices
from core.plans import is_on_its_way, plan_delivery, plan_ingest, plan_polls
from core.ports import Clock, Inbox
from core.privacy_ports import Privacy
from core.pulling import Pull
from core.reading import Readings
from core.warehouse_ports import BRIEF
from orchestration.automation import DELIVER, EVERYTHING

_SENSOR_NAMES = {
    "lead_leak": "lead_leakage",
    "token_threshold": "token_thresholds",
    "sla_warning": "sla_warnings",
    "sla_breach": "sla_breaches",
}
"""Where a sensor is not called as its rule."""

_ENDED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


@dg.sensor(
    job=EVERYTHING,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    tags=OWNED,
    description="Closed segments in the inbox: one run takes in all of them.",
)
def inbox_segments(context: dg.SensorEvaluationContext, inbox: dg.ResourceParam[Inbox], clock: dg.ResourceParam[Clock]) -> dg.SensorResult:
    """Ask for a run when segments wait that were not asked for yet, unless one is on its way that has not looked yet."""
    names = inbox.names()
    is_awaited = bool(names) and is_on_its_way(_on_the_way(context.instance, EVERYTHING.name, is_begun=False), clock.now())
    asked, cursor = plan_ingest(context.cursor or "", names, is_awaited=is_awaited)
    if asked is None:
        why = "a run is on its way that will take in what is closed" if is_awaited else "no new segment is closed"
        return dg.SensorResult(skip_reason=why, cursor=cursor)
    # without a run key: Dagster remembers a key for ever, and the same set of names may come again
    return dg.SensorResult(run_requests=[dg.RunRequest(tags={"flexoraa/inbox": asked, BRIEF: "true"})], cursor=cursor)


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
    job=DELIVER,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    tags=OWNED,
    description="Actions in the outbox that are due, whoever put them there: one delivery run takes all of them.",
)
def delivery(context: dg.SensorEvaluationContext, notices: dg.ResourceParam[Notices], clock: dg.ResourceParam[Clock]) -> dg.SensorResult:
    """Ask for a delivery run while anything is due and none is on its way."""
    backlog = notices.backlog(clock.now())
    if not plan_delivery(backlog, _on_the_way(context.instance, DELIVER.name) if any(backlog) else [], clock.now()):
        why = "a delivery run is on its way" if any(backlog) else "nothing is due in the outbox"
        return dg.SensorResult(skip_reason=why)
    tags = {f"flexoraa/{name}_actions": str(count) for name, count in backlog._asdict().items()}
    return dg.SensorResult(run_requests=[dg.RunRequest(tags=tags)])


def _on_the_way(instance: dg.DagsterInstance, job: str, *, is_begun: bool = True) -> list[datetime]:
    """When the runs of a job that have not ended were asked for; without those that have begun a step, unless `is_begun`."""
    statuses = [each for each in dg.DagsterRunStatus if each not in _ENDED]
    records = instance.get_run_records(dg.RunsFilter(job_name=job, statuses=statuses), limit=10)
    if not is_begun:  # one that waits for the run lock has started too, and no step of it
        begun = dg.DagsterEventType.STEP_START
        records = [each for each in records if not instance.all_logs(each.dagster_run.run_id, of_type=begun)]
    return [each.create_timestamp.replace(tzinfo=each.create_timestamp.tzinfo or UTC) for each in records]


@dg.sensor(
    name=MONITOR,
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    tags=OWNED,
    description="Experiments that do harm, or of which nothing is known: control to everybody, and what tells of it into the outbox.",
)
def ab_monitor(
    experiments: dg.ResourceParam[Experiments], clock: dg.ResourceParam[Clock], context: dg.SensorEvaluationContext
) -> dg.SensorResult:
    """Kill what the newest publication says must not go on; statistics get stale without any, so it looks at every tick."""
    kills, cursor = watch(experiments, context.cursor or "", clock)
    told = ", ".join(f"{each.tenant_id} {each.experiment_id}" for each in kills)
    return dg.SensorResult(skip_reason=f"killed: {told}" if kills else "no experiment is to be killed", cursor=cursor)


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    tags=OWNED,
    description="From 08:00 on by each tenant's clock: what yesterday's actions came to, into the outbox.",
)
def daily_digest(outbox: dg.ResourceParam[Outbox], notices: dg.ResourceParam[Notices], clock: dg.ResourceParam[Clock]) -> dg.SensorResult:
    """Put each tenant's digest in the outbox once a day."""
    new = digest(outbox, notices, clock)
    return dg.SensorResult(skip_reason=f"{new} digests put in the outbox" if new else "every digest that is due is in the outbox")


@dg.run_failure_sensor(
    name="run_failures",
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    tags=OWNED,
    description="Runs that failed: an alert to the people of FLEXORAA_OPERATIONS_TENANT, one for a job and hour.",
)
def run_failures(
    context: dg.RunFailureSensorContext, outbox: dg.ResourceParam[Outbox], notices: dg.ResourceParam[Notices]
) -> dg.SkipReason:
    """Put the alert in the outbox; dated by the failure, so that a sensor that looks twice alerts once."""
    run = context.dagster_run
    steps = sorted({each.step_key for each in context.get_step_failure_events() if each.step_key})
    failed_at = datetime.fromtimestamp(context.instance.get_run_stats(run.run_id).end_time or 0, UTC)
    return dg.SkipReason(tell_of_failure(outbox, notices, run.job_name, run.run_id, steps, failed_at))


@dg.sensor(
    job_name=execute_privacy_requests.name,  # by name, as above
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    tags=OWNED,
    description="Approved erasures, and those that a run left half done: one run executes all of them.",
)
def privacy_requests_approved(context: dg.SensorEvaluationContext, privacy: dg.ResourceParam[Privacy]) -> dg.SensorResult:
    """Ask for a run when the set of those that wait is another one; one that stays open for what was found waits for a person."""
    asked, cursor = plan_ingest(context.cursor or "", privacy.waiting())
    if asked is None:
        return dg.SensorResult(skip_reason="no request waits that was not asked for", cursor=cursor)
    return dg.SensorResult(run_requests=[dg.RunRequest(tags={"flexoraa/privacy": asked})], cursor=cursor)


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
        minimum_interval_seconds=30,  # what a run makes due it puts in itself; only time's passing waits for this
        default_status=dg.DefaultSensorStatus.RUNNING,
        tags=OWNED,
        description=f"Due requests of the rule {rule}: into the outbox, from where the sensor delivery has them sent.",
    )
    def sensor(context: dg.SensorEvaluationContext, outbox: dg.ResourceParam[Outbox], clock: dg.ResourceParam[Clock]) -> dg.SensorResult:
        new, cursor = decide(outbox, rule, context.cursor or "", clock)
        return dg.SensorResult(skip_reason=f"{new} put in the outbox" if new else "nothing new is due", cursor=cursor)

    return sensor


@dg.sensor(
    job_name=model_rollback.name,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    tags=OWNED,
    description="Critical drift of a champion: the last good version, a retrained one, or the champion kept; the product team is told.",
)
def model_drift_answers(
    context: dg.SensorEvaluationContext, drift_journal: dg.ResourceParam[DriftJournal], registry: dg.ResourceParam[Registry]
) -> dg.SensorResult:
    """One run for each critical look at a champion that was not answered; the journal of champions makes a second answer nothing."""
    now = champions(registry.changes())
    found = [
        each
        for each in alarms(drift_journal.verdicts())
        if each.severity == "critical"
        and each.served[:2] in now
        and now[each.served.tenant_id, each.served.model].version == each.served.version
    ]
    asked = {f"{'/'.join(map(str, each.served))} {each.week_date} {each.look}": each for each in found}
    new = sorted(set(asked) - set((context.cursor or "").split("\n")))
    if not new:
        return dg.SensorResult(skip_reason="no champion drifts", cursor="\n".join(sorted(asked)))
    requests = []
    for key in new:
        each = asked[key]
        config = {
            "tenant_id": each.served.tenant_id,
            "model": each.served.model,
            "severity": each.severity,
            "reason": "; ".join(each.reasons)[:2000],
            "as_of": each.judged_at.isoformat(),
        }
        requests.append(dg.RunRequest(run_config={"ops": {answer_to_drift.name: {"config": config}}}))
    return dg.SensorResult(run_requests=requests, cursor="\n".join(sorted(asked)))


SENSORS = [
    model_drift_answers,
    *(inbox_segments, gmail_polling, delivery, ab_monitor, privacy_requests_approved, daily_digest, run_failures, failed_runs),
    *map(_rule_sensor, RULES),
]
