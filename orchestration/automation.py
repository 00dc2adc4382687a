"""When things run: jobs and schedules.

Here belongs timing that does not depend on what is observed. Not here: sensors.
"""

from datetime import timedelta

import dagster as dg
from msgspec.structs import asdict

from assets.drift import MODELS, drift_on_demand, model_drift, no_model_drifts, partition_of
from assets.maintenance import compact
from assets.models import model_rollback, model_training
from assets.owners import OWNED
from assets.privacy import execute_privacy_requests, privacy_clock
from assets.pull import back_fill, poll_gmail, renew_watches
from assets.quality import lake_quality
from assets.reports import SITE
from assets.retention import Retention, remove_old
from core.drift_ports import Baselines, Week
from core.plans import WATCH_DAILY, is_watch_due
from core.ports import Clock, Inbox, Lake, Ledger, Progress
from core.pulling import Pull
from core.quarantine import Quarantine
from core.warehouse_ports import REBUILD, Warehouse
from orchestration.resources.dagster_home import LOCKED

_DRIFT = dg.AssetSelection.assets(*model_drift.keys, ["reports", "drift"])

BY_HAND = dg.AssetSelection.assets(["warehouse", "days"], ["reports", "dbt_docs"]) | _DRIFT
"""What no run makes by itself: days, by a backfill; the documentation, once a day; drift, once a week."""

_LOCKED = {**OWNED, LOCKED: "true"}

EVERYTHING = dg.define_asset_job(
    "everything",
    tags=_LOCKED,
    selection=dg.AssetSelection.all() - BY_HAND - dg.AssetSelection.checks(*lake_quality.check_keys),
    description="Everything pending, once: inbox to lake, reference, warehouse, serving, outbox, deliveries.",
)

REMAKE = dg.define_asset_job(
    "everything_anew",
    selection=EVERYTHING.selection,
    tags={**_LOCKED, REBUILD: "true"},
    description="As everything, with every model made anew from the lake: for a mart that looks wrong (docs/runbook.md).",
)

BUILD = dg.define_asset_job(
    "build",
    tags=_LOCKED,
    selection=EVERYTHING.selection
    - dg.AssetSelection.assets(
        ["marts", "fct_predictions"],
        ["serving", "marts"],
        ["ops", "experiment_kills"],
        ["ops", "outbox"],
        ["ops", "deliveries"],
        ["reports", "experiments"],
        ["ops", "privacy_requests"],
        *SITE,
    ),
    description="Everything up to the marts, and no effect: for looking at an earlier moment.",
)

QUALITY = dg.define_asset_job(
    "data_quality",
    tags=OWNED,
    selection=dg.AssetSelection.checks(*lake_quality.check_keys),
    description="What entered the lake in the last day, looked at by great-expectations.",
)

DELIVER = dg.define_asset_job(
    "deliver",
    tags=OWNED,
    selection=dg.AssetSelection.assets(["ops", "deliveries"]),
    description="Deliver what the outbox holds and is due.",
)


@dg.op(
    description="Bodies of the quarantine and segments in inbox/done that were kept long enough are removed, and what tenants' rules say."
)
def remove_what_is_too_old(
    context: dg.OpExecutionContext,
    quarantine: dg.ResourceParam[Quarantine],
    inbox: dg.ResourceParam[Inbox],
    ledger: dg.ResourceParam[Ledger],
    retention: dg.ResourceParam[Retention],
    clock: dg.ResourceParam[Clock],
    run_lock: dg.ResourceParam[None],
) -> None:
    """Once a day."""
    context.log.info("removed: %s", remove_old(quarantine, inbox, ledger, clock.now(), retention))


@dg.job(name="retention", tags=OWNED, description="Raw bodies that were kept long enough are removed; reasons and counts stay.")
def retention() -> None:
    """One step."""
    remove_what_is_too_old()


@dg.op(description="Small files of each table and event date of the lake become larger ones.")
def merge_small_files(
    context: dg.OpExecutionContext,
    lake: dg.ResourceParam[Lake],
    warehouse: dg.ResourceParam[Warehouse],
    progress: dg.ResourceParam[Progress],
    run_lock: dg.ResourceParam[None],
) -> None:
    """Once a day."""
    context.log.info("compacted: %s", asdict(compact(lake, warehouse, progress)))


@dg.job(tags=OWNED, description="Small files of the lake become larger ones; the rows stay the same.")
def compact_lake() -> None:
    """One step."""
    merge_small_files()


DOCUMENT = dg.define_asset_job(
    "document",
    tags=OWNED,
    selection=dg.AssetSelection.assets(["reports", "dbt_docs"]),
    description="dbt's documentation of all models, as a page.",
)

WEEKLY_DRIFT_JOB = dg.define_asset_job(
    "model_drift_week",
    tags=OWNED,
    selection=_DRIFT | dg.AssetSelection.checks(no_model_drifts),
    description="One week of one tenant's model against its baseline, with its page; a partition is a week and a model.",
)

_HOUR = timedelta(hours=1)
FRESHNESS = {
    "lake": dg.FreshnessPolicy.time_window(warn_window=2 * _HOUR, fail_window=4 * _HOUR),
    "reference": dg.FreshnessPolicy.time_window(warn_window=2 * _HOUR, fail_window=4 * _HOUR),
    "marts": dg.FreshnessPolicy.time_window(warn_window=2 * _HOUR, fail_window=4 * _HOUR),
    "serving": dg.FreshnessPolicy.time_window(warn_window=timedelta(minutes=90), fail_window=3 * _HOUR),
    "reports": dg.FreshnessPolicy.time_window(warn_window=2 * _HOUR, fail_window=4 * _HOUR),
    "ops": dg.FreshnessPolicy.time_window(warn_window=timedelta(minutes=90), fail_window=3 * _HOUR),
}
"""How old an asset may be, by its layer (the first part of its key): the sweep makes everything once an hour, so one that is late is borne,
one that is lost warns. What senders act on is stricter. Staging and intermediate tables are as old as the marts that they are made for."""


WEEKLY = dg.FreshnessPolicy.time_window(warn_window=timedelta(days=8), fail_window=timedelta(days=15))
"""Of what is made of one week at a time."""


def with_freshness(spec: dg.AssetSpec) -> dg.AssetSpec:
    """The asset with the policy of its layer, if the layer has one."""
    policy = FRESHNESS.get(spec.key.path[0]) if spec.partitions_def is None or spec.key.path[0] not in {"marts", "reports"} else WEEKLY
    return dg.apply_freshness_policy(spec, policy) if policy else spec


HOURLY_SWEEP = dg.ScheduleDefinition(
    name="hourly_sweep",
    job=EVERYTHING,
    cron_schedule="7 * * * *",
    execution_timezone="UTC",
    description="The same assets every hour, whatever sensors saw: a lost tick costs delay, never data.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    tags=OWNED,
)

DAILY_COMPACTION = dg.ScheduleDefinition(
    name="daily_compaction",
    job=compact_lake,
    cron_schedule="41 2 * * *",
    execution_timezone="UTC",
    description="Small files of the lake into larger ones, once a day: no run waits for it but one that starts meanwhile.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    tags=OWNED,
)

DAILY_DOCUMENTATION = dg.ScheduleDefinition(
    name="daily_documentation",
    job=DOCUMENT,
    cron_schedule="11 4 * * *",
    execution_timezone="UTC",
    description="dbt's documentation of all models, once a day.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    tags=OWNED,
)

DAILY_QUALITY = dg.ScheduleDefinition(
    name="daily_data_quality",
    job=QUALITY,
    cron_schedule="17 4 * * *",
    execution_timezone="UTC",
    description="Once a day: types, ranges, freshness and volume of what entered, against the four weeks before it.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    tags=OWNED,
)

DAILY_RETENTION = dg.ScheduleDefinition(
    name="daily_retention",
    job=retention,
    cron_schedule="23 3 * * *",
    execution_timezone="UTC",
    description="Once a day: raw bodies that were kept long enough are removed.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    tags=OWNED,
)

WEEKLY_TRAINING = dg.ScheduleDefinition(
    name="weekly_model_training",
    job=model_training,
    cron_schedule="53 3 * * 0",
    execution_timezone="UTC",
    tags=OWNED,
    description="On Sundays: a new version of the lead model for each tenant, champion where it is significantly better.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)


@dg.schedule(
    job_name=renew_watches.name,
    cron_schedule="23 1 * * *",
    execution_timezone="UTC",
    description="Gmail tells of changes for 7 days at most, so it is asked daily to go on.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    tags=OWNED,
)
def gmail_watch_renewal(pull: dg.ResourceParam[Pull], clock: dg.ResourceParam[Clock]) -> dg.RunRequest | dg.SkipReason:
    """Ask for a run where any mailbox wants it."""
    is_wanted = any(is_watch_due(each, clock.now(), WATCH_DAILY) for each in pull.mailboxes())
    return dg.RunRequest() if is_wanted else dg.SkipReason("no watch is to be renewed")


@dg.schedule(
    job=WEEKLY_DRIFT_JOB,
    cron_schedule="31 5 * * 1",
    execution_timezone="UTC",
    tags=OWNED,
    description="On Mondays, the week that has ended, of every tenant's model that has a baseline.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def weekly_drift(
    context: dg.ScheduleEvaluationContext, baselines: dg.ResourceParam[Baselines], clock: dg.ResourceParam[Clock]
) -> list[dg.RunRequest] | dg.SkipReason:
    """One run a model. A run that is asked for twice looks at the same rows, and spends nothing."""
    keys = [partition_of(*each) for each in baselines.models()]
    if not keys:
        return dg.SkipReason("no model has a baseline")
    context.instance.add_dynamic_partitions(str(MODELS.name), keys)
    week = Week.of((clock.now() - timedelta(days=7)).date()).since.date().isoformat()
    return [dg.RunRequest(partition_key=dg.MultiPartitionKey({"week": week, "model": key}), run_key=None) for key in keys]


JOBS = [EVERYTHING, REMAKE, BUILD, DELIVER, QUALITY, DOCUMENT, WEEKLY_DRIFT_JOB]
OP_JOBS = [
    *(execute_privacy_requests, privacy_clock, retention, compact_lake, poll_gmail, renew_watches, back_fill),
    *(drift_on_demand, model_training, model_rollback),
]
DAILY_PRIVACY_CLOCK = dg.ScheduleDefinition(
    name="daily_privacy_clock",
    job=privacy_clock,
    tags=OWNED,
    cron_schedule="37 5 * * *",
    execution_timezone="UTC",
    description="Once a day: requests of people that come near the end of their 30 days are told to their tenant.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)

SCHEDULES = [
    *(HOURLY_SWEEP, DAILY_PRIVACY_CLOCK, DAILY_RETENTION, DAILY_COMPACTION, DAILY_QUALITY, DAILY_DOCUMENTATION, gmail_watch_renewal),
    weekly_drift,
    WEEKLY_TRAINING,
]
