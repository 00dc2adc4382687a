"""When things run: jobs and schedules.

Here belongs timing that does not depend on what is observed. Not here: sensors.
"""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from assets.pull import back_fill, poll_gmail, renew_watches
from core.plans import WATCH_DAILY, is_watch_due
from core.ports import Clock, Pull

EVERYTHING = dg.define_asset_job(
    "everything",
    selection=dg.AssetSelection.all(),
    description="Everything pending, once: inbox to lake, reference, warehouse, serving, outbox, deliveries.",
)

BUILD = dg.define_asset_job(
    "build",
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets(["serving", "marts"], ["ops", "outbox"], ["ops", "deliveries"]),
    description="Everything up to the marts, and no effect: for looking at an earlier moment.",
)

DELIVER = dg.define_asset_job(
    "deliver",
    selection=dg.AssetSelection.assets(["ops", "deliveries"]),
    description="Deliver what the outbox holds and is due.",
)

HOURLY_SWEEP = dg.ScheduleDefinition(
    name="hourly_sweep",
    job=EVERYTHING,
    cron_schedule="7 * * * *",
    execution_timezone="UTC",
    description="The same assets every hour, whatever sensors saw: a lost tick costs delay, never data.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)


@dg.schedule(
    job_name=renew_watches.name,
    cron_schedule="23 2 * * *",
    execution_timezone="UTC",
    description="Gmail tells of changes for 7 days at most, so it is asked daily to go on.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def gmail_watch_renewal(pull: dg.ResourceParam[Pull], clock: dg.ResourceParam[Clock]) -> dg.RunRequest | dg.SkipReason:
    """Ask for a run where any mailbox wants it."""
    is_wanted = any(is_watch_due(each, clock.now(), WATCH_DAILY) for each in pull.mailboxes())
    return dg.RunRequest() if is_wanted else dg.SkipReason("no watch is to be renewed")


JOBS: list[dg.JobDefinition | UnresolvedAssetJobDefinition] = [EVERYTHING, BUILD, DELIVER, poll_gmail, renew_watches, back_fill]
SCHEDULES = [HOURLY_SWEEP, gmail_watch_renewal]
