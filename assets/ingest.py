"""The lake: every closed segment of the inbox, taken in.

Here belongs the asset; what taking in means is `assets.intake`. Not here: reading files, keys, the warehouse.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import dagster as dg

from assets.breaker import hold, put_back
from assets.intake import Taken, take_in
from assets.remodel import finish
from assets.retrying import Tools
from core.breaker import Tripped
from core.events import EVENT_TYPES
from core.ports import Inbox, Lake, Ledger, Progress, Segment, Vault
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


def take_in_all(inbox: Inbox, lake: Lake, ledger: Ledger, vault: Vault, progress: Progress) -> tuple[list[Taken], int]:
    """Every pending segment, once; returns what was taken in and how many segments had been taken in before."""
    today = put_back(inbox, ledger)
    pending = inbox.pending()
    known = ledger.known([segment.segment_id for segment in pending])
    directory = ledger.directory()
    taken: list[Taken] = []
    repeated = 0
    for segment in progress.over("segments", _growing(pending), len(pending)):
        if not segment.path.exists():
            continue  # a part of one that was split twice, since the first time did not come to its end
        if segment.segment_id in known:
            repeated += 1
        else:
            try:
                taken.append(take_in(segment, inbox.lines(segment), directory, lake, ledger, vault))
            except Tripped as tripped:
                rest = hold(inbox, ledger, segment, tripped, directory, today)
                if rest is not None:
                    pending.append(rest)
                    known |= ledger.known([rest.segment_id])
                continue
            known.add(segment.segment_id)
        inbox.settle(segment)
    return taken, repeated


def _growing(segments: list[Segment]) -> Iterator[Segment]:
    """All of them, and what is added on the way."""
    while segments:
        yield segments.pop(0)


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
    run_lock: dg.ResourceParam[None],
) -> Iterator[dg.MaterializeResult[None]]:
    """Take in everything pending; a rerun overwrites and never doubles."""
    lake.prepare()
    finish(Tools(quarantine, lake, lake_rows, vault, ledger.directory()))
    taken, repeated = take_in_all(inbox, lake, ledger, vault, progress)
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
    }
    context.log.info("taken in: %s", metadata)
    for spec in LAKE_SPECS:
        yield dg.MaterializeResult(asset_key=spec.key, metadata=metadata)
