"""All segments that wait, taken in: whatever is new, once; whatever came before, put aside; whatever is too broken, held.

Here belongs that choice, without Dagster, so that a command that needs it starts quickly. Not here: one segment (`assets.intake`).
"""

from assets import intake
from assets.breaker import hold, put_back
from assets.intake import Taken
from core.ports import Inbox, Lake, Ledger, Progress, Segment, Vault, Workers


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
