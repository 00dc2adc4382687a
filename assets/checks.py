"""Blocking checks on what enters: nothing downstream runs on a lake that lost or doubled something.

Here belong checks that are not dbt tests. Not here: what a check protects.
"""

import dagster as dg

from assets.breaker import shown
from core.ports import Ledger
from core.warehouse_ports import Warehouse

_SHOWN = 20


@dg.asset_check(asset=dg.AssetKey(["lake", "messages"]), name="conservation", blocking=True)
def conservation(
    warehouse: dg.ResourceParam[Warehouse], ledger: dg.ResourceParam[Ledger], run_lock: dg.ResourceParam[None]
) -> dg.AssetCheckResult:
    """Of every segment, tenant and source: received = accepted (repeats included) + rejected + replayed, and all accepted is in the lake.

    A replay is a segment of its own; what it takes in is `replayed` where it was first received. The lake holds nothing else.
    """
    counts, rows = ledger.counts(), warehouse.lake_counts()
    wrong = []
    for key in sorted(counts.keys() | rows.keys()):
        count, found = counts.get(key), rows.get(key, 0)
        stated = 0 if count is None else count.accepted
        if stated != found or (count is not None and count.received != count.accepted + count.rejected + count.replayed):
            segment, tenant, source = key
            wrong.append(f"segment {segment[:12]} tenant {tenant or '(unknown)'} {source}: {stated} accepted, {found} in the lake")
    total = {
        "received": sum(each.received - each.replayed for each in counts.values()),
        "accepted": sum(each.accepted for each in counts.values()),
        "rejected": sum(each.rejected for each in counts.values()),
        "replayed": sum(each.replayed for each in counts.values()),
        "in_lake": sum(rows.values()),
    }
    return dg.AssetCheckResult(
        passed=not wrong,
        metadata={**total, "differences": len(wrong), "first_differences": wrong[:_SHOWN]},
        description="every event is accounted for" if not wrong else f"{len(wrong)} counts differ, the first: {wrong[0]}",
    )


@dg.asset_check(asset=dg.AssetKey(["lake", "messages"]), name="circuit_breaker")
def circuit_breaker(ledger: dg.ResourceParam[Ledger]) -> dg.AssetCheckResult:
    """Warns while a segment is held because too much of it is broken; nothing of it is in the lake."""
    held = ledger.held()
    told = [f"{each.segment_id[:16]} {each.name}: {shown(each.verdicts)}" for each in held]
    return dg.AssetCheckResult(
        passed=not held,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"segments_held": len(held), "first_held": told[:_SHOWN]},
        description="no segment is held" if not held else f"{len(held)} segments are held, the first: {told[0]}",
    )
