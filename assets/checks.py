"""Blocking checks on what enters: nothing downstream runs on a lake that lost or doubled something.

Here belong checks that are not dbt tests. Not here: what a check protects.
"""

import dagster as dg

from core.ports import Ledger, Warehouse

_SHOWN = 20


@dg.asset_check(asset=dg.AssetKey(["lake", "messages"]), name="conservation", blocking=True)
def conservation(
    warehouse: dg.ResourceParam[Warehouse], ledger: dg.ResourceParam[Ledger], run_lock: dg.ResourceParam[None]
) -> dg.AssetCheckResult:
    """Of every segment, tenant and source: received = accepted (repeats included) + rejected, and the lake holds just what was accepted."""
    counts, rows = ledger.counts(), warehouse.lake_counts()
    wrong = []
    for key in sorted(counts.keys() | rows.keys()):
        count, found = counts.get(key), rows.get(key, 0)
        stated = 0 if count is None else count.accepted
        if stated != found or (count is not None and count.received != count.accepted + count.rejected):
            segment, tenant, source = key
            wrong.append(f"segment {segment[:12]} tenant {tenant or '(unknown)'} {source}: {stated} accepted, {found} in the lake")
    total = {
        "received": sum(each.received for each in counts.values()),
        "accepted": sum(each.accepted for each in counts.values()),
        "rejected": sum(each.rejected for each in counts.values()),
        "in_lake": sum(rows.values()),
    }
    return dg.AssetCheckResult(
        passed=not wrong,
        metadata={**total, "differences": len(wrong), "first_differences": wrong[:_SHOWN]},
        description="every event is accounted for" if not wrong else f"{len(wrong)} counts differ, the first: {wrong[0]}",
    )
