"""When things run: jobs and schedules.

Here belongs timing that does not depend on what is observed. Not here: sensors.
"""

from typing import Any

import dagster as dg

from assets.maintenance import compact_lake

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

DAILY_COMPACTION = dg.ScheduleDefinition(
    name="daily_compaction",
    job=compact_lake,
    cron_schedule="41 2 * * *",
    execution_timezone="UTC",
    description="Small files of the lake into larger ones, once a day: no run waits for it but one that starts meanwhile.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)

JOBS: list[Any] = [EVERYTHING, BUILD, DELIVER, compact_lake]
SCHEDULES = [HOURLY_SWEEP, DAILY_COMPACTION]
