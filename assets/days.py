"""Days of events: which were opened again by late data, and how one is built again by hand.

Here belongs the partitioned asset. A partition is a UTC date: it is materialized by every run to which files of that date came, with what
was touched, and a backfill from the UI makes the keys of its events anew from the lake. Not here: what is touched (`Warehouse`).
"""

import warnings
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import dagster as dg
from dagster_shared.utils.warnings import BetaWarning

from core.ports import Progress
from core.warehouse_ports import Begun, Dbt, Warehouse

KEY = dg.AssetKey(["warehouse", "days"])
DAYS = dg.DailyPartitionsDefinition("2015-01-01", timezone="UTC", end_offset=1)
"""From before WhatsApp's business API; with today."""

_SHOWN = 1_000


def opened(begun: Begun) -> Iterator[dg.AssetMaterialization]:
    """One event a day of which files came; of the newest days, where a first build knows thousands."""
    first = date.fromisoformat(DAYS.start.date().isoformat())
    for day in [day for day in begun.days if day >= first][-_SHOWN:]:
        late = max((begun.as_of.date() - day).days, 0)
        yield dg.AssetMaterialization(KEY, partition=day.isoformat(), metadata=_metadata(begun) | {"days_late": late})


def _days(
    context: dg.AssetExecutionContext,
    dbt: dg.ResourceParam[Dbt],
    warehouse: dg.ResourceParam[Warehouse],
    progress: dg.ResourceParam[Progress],
    run_lock: dg.ResourceParam[None],
) -> dg.MaterializeResult[None]:
    """As of the last reference export: every model, of the keys that these days and all that came since touch."""
    wanted: Sequence[date] = [date.fromisoformat(key) for key in context.partition_keys]
    begun = warehouse.begin(days=wanted)
    for event in progress.over("models and tests", dbt.build(["--exclude-resource-type", "unit_test"])):
        if event["info"]["level"] in {"warn", "error"}:
            context.log.warning(event["info"]["msg"])
    warehouse.end(begun)
    return dg.MaterializeResult(metadata=_metadata(begun))


def _metadata(begun: Begun) -> dict[str, Any]:
    return {
        "build": begun.build_id,
        "as_of": begun.as_of.isoformat(),
        "made_anew": begun.why or "touched keys",
        "touched": dict(begun.touched),
    }


with warnings.catch_warnings():
    warnings.simplefilter("ignore", BetaWarning)  # backfill_policy: a range of days in one run, not a whole build a day
    days = dg.asset(
        key=KEY,
        partitions_def=DAYS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="warehouse",
        owners=["team:data"],
        description="Models of all keys with an event on these dates. Opened by data that comes; a backfill makes them anew from the lake.",
    )(_days)
