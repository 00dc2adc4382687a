"""The lake: every closed segment of the inbox, taken in.

Here belongs the asset; what taking in means is `assets.pending` and `assets.intake`. Not here: reading files, keys, the warehouse.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import dagster as dg

from assets.pending import take_in_all
from assets.remodel import finish
from assets.retrying import Tools
from core.events import EVENT_TYPES
from core.ports import Inbox, Lake, Ledger, Progress, Vault, Workers
from core.quarantine import LakeRows, Quarantine

LAKE_SPECS = [
    dg.AssetSpec(
        dg.AssetKey(["lake", each.table]),
        group_name="lake",
        kinds={"parquet"},
        owners=["team:data"],
        description=each.__doc__,
    )
    for each in EVENT_TYPES
]


@dg.multi_asset(specs=LAKE_SPECS, name="lake")
def lake_assets(  # noqa: PLR0913 — one parameter a port
    context: dg.AssetExecutionContext,
    inbox: dg.ResourceParam[Inbox],
    lake: dg.ResourceParam[Lake],
    ledger: dg.ResourceParam[Ledger],
    vault: dg.ResourceParam[Vault],
    quarantine: dg.ResourceParam[Quarantine],
    lake_rows: dg.ResourceParam[LakeRows],
    progress: dg.ResourceParam[Progress],
    workers: dg.ResourceParam[Workers],
    run_lock: dg.ResourceParam[None],
) -> Iterator[dg.MaterializeResult[None]]:
    """Take in everything pending; a rerun overwrites and never doubles."""
    lake.prepare()
    finish(Tools(quarantine, lake, lake_rows, vault, ledger.directory()))
    taken, repeated = take_in_all(inbox, lake, ledger, vault, progress, workers)
    reasons: Counter[str] = sum((each.reasons for each in taken), Counter())
    counts = [count for each in taken for count in each.counts]
    metadata: dict[str, Any] = {
        "segments": len(taken),
        "segments_repeated": repeated,
        "lines": sum(each.line_count for each in taken),
        "events_received": sum(each.received for each in counts),
        "events_accepted": sum(each.accepted for each in counts),
        "events_rejected": sum(each.rejected for each in counts),
        "rejected_by_reason": dict(sorted(reasons.items())),
        # a file name need not be UTF-8
        "passed_over": {name.encode(errors="replace").decode(): why for name, why in sorted(inbox.passed_over().items())},
    }
    context.log.info("taken in: %s", metadata)
    for spec in LAKE_SPECS:
        yield dg.MaterializeResult(asset_key=spec.key, metadata=metadata)
