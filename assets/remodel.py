"""Events of types that nobody modelled when they came: decoded again, and put in the place of their fragments.

Here belongs the order of writing, and ending what was begun. Not here: decoding one (`assets.fragments`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from assets import replay
from assets.fragments import decoded, opened
from assets.retrying import Again, Retried, Tools, counts_of, tables_of, write
from core.ports import Count
from core.quarantine import Choice, Replay, UnmodelledRow


def remodel(tools: Tools, choice: Choice, kind: str | None = None, *, is_rehearsal: bool = False) -> Iterator[Retried]:
    """Try the chosen rows of `unmodelled`, segment by segment; what is still of no known type stays as it is."""
    rows_of: dict[str, list[UnmodelledRow]] = defaultdict(list)
    for row in tools.rows.unmodelled(choice, kind):
        rows_of[row.segment_id].append(row)
    for segment_id, rows in sorted(rows_of.items()):
        modelled, new, still = _tried(tools, rows)
        if modelled and not is_rehearsal:
            items = sorted({(row.tenant_id, row.event_id) for row in modelled})
            _write(tools, tools.quarantine.begin(segment_id, "unmodelled", [list(each) for each in items]))
        yield Retried(segment_id, len(rows), tables_of(new), still)


def finish(tools: Tools) -> list[Retried]:
    """Bring replays of either kind to their end whose process died; to be called before the lake is counted."""
    done = []
    for begun in tools.quarantine.unfinished():
        if begun.kind == "quarantine":
            done.append(replay.resume(tools, begun))
        elif begun.state == "written":
            _drop(tools, begun)
        else:
            _write(tools, begun)
    return done


def _write(tools: Tools, begun: Replay) -> None:
    """First what the fragments are now, then the counts that will hold, then the fragments go, with what stood beside them.

    A message of a type that nobody modelled stands beside its fragment, without what it said. What the fragment tells of it has the same
    id, line and time, so readers could not choose between the two: the poorer one goes.
    """
    events = {tuple(each) for each in begun.items}
    rows = [row for row in tools.rows.unmodelled(Choice(), None, [begun.segment_id]) if (row.tenant_id, row.event_id) in events]
    modelled, new, _ = _tried(tools, rows)
    with tools.lake.replace(begun.replay_id) as writer:
        write(writer, begun.replay_id, new, tools.vault)
    left = Counter((row.tenant_id, row.source) for row in modelled)
    for told, source, number in tools.rows.retold(begun.segment_id, begun.replay_id):
        left[told.tenant_id, source] += number
    kept = Replay(begun.replay_id, begun.segment_id, begun.kind, "written", sorted({(row.tenant_id, row.event_id) for row in modelled}))
    tools.quarantine.written(kept, counts_of(new), [Count(*key, 0, number, 0) for key, number in sorted(left.items())])
    _drop(tools, kept)


def _drop(tools: Tools, written: Replay) -> None:
    tools.rows.drop_retold(written.segment_id, tools.rows.retold(written.segment_id, written.replay_id))
    tools.rows.drop_unmodelled(written.segment_id, {(each[0], each[1]) for each in written.items})
    tools.quarantine.done(written)


def _tried(tools: Tools, rows: Sequence[UnmodelledRow]) -> tuple[list[UnmodelledRow], list[Again], Counter[str]]:
    """Those that are of a known type now, the events that they are, and why the others stay."""
    modelled: list[UnmodelledRow] = []
    new: list[Again] = []
    still: Counter[str] = Counter()
    for row, fragment in zip(rows, opened(list(rows), tools), strict=True):
        found = decoded(row, fragment, tools)
        if isinstance(found, str):
            still[found] += 1
        else:
            modelled.append(row)
            new += found
    return modelled, new, still
