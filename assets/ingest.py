"""The lake: every closed segment of the inbox, taken in.

Here belongs the asset; what taking in means is `assets.intake`. Not here: reading files, keys, the warehouse.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import dagster as dg

from assets import intake
from assets.breaker import hold, put_back
from assets.intake import Taken
from assets.remodel import finish
from assets.retrying import Tools
from core.events import EVENT_TYPES
from core.ports import Inbox, Lake, Ledger, Progress, Segment, Vault, Workers
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


def take_in_all(
    inbox: Inbox, lake: Lake, ledger: Ledger, vault: Vault, progress: Progress, workers: Workers | None = None
) -> tuple[list[Taken], int]:
    """Every pending segment, once; returns what was taken in and how many segments had been taken in before."""
    today = put_back(inbox, ledger)
    pending = inbox.pending()
    known = ledger.known([segment.segment_id for segment in pending])
    tools = intake.Tools(inbox, lake, ledger, workers or intake.InProcess(lake, vault), progress)
    directory = ledger.directory()
    taken: list[Taken] = []
    repeated = 0
    while pending:
        first: dict[str, Segment] = {}
        others = []
        for segment in pending:
            if segment.segment_id in known or segment.segment_id in first:
                others.append(segment)
            else:
                first[segment.segment_id] = segment
        found, tripped = intake.take_in(list(first.values()), tools, directory)
        taken += found
        known |= {each.segment.segment_id for each in found}
        pending = []
        for segment in others:
            if segment.segment_id in known:
                inbox.settle(segment)
                repeated += 1
            else:  # the first of its kind was not taken in, so this one is no repeat
                pending.append(segment)
        for segment, why in tripped:
            rest = hold(inbox, ledger, segment, why, directory, today)
            if rest is not None:
                pending.append(rest)
                known |= ledger.known([rest.segment_id])
    return taken, repeated


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
