"""Trying again what was turned away: lines of the quarantine, decoded with the connections and decoders of today.

Here belongs what of a line is new, and the order of writing. Not here: types that nobody modelled (`assets.remodel`), choosing, showing.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from assets.block import Place, held, items_of, refused
from assets.fragments import decoded, opened
from assets.retrying import Again, Retried, Tools, counts_of, tables_of, write
from core.events import Unmodelled
from core.intake import Accepted, Rejected
from core.points import normalise
from core.ports import Count, Held, Line
from core.quarantine import CANNOT_BE_REPLAYED, Choice, Outcome, Replay, Told, UnmodelledRow
from core.rows import hash_of, hide, points_of

_CHUNK_BYTES = 16 << 20


class _Lines(NamedTuple):
    """Lines of one segment that are tried together, and the segments in which events of theirs may lie already."""

    segment_id: str
    numbers: Sequence[int]
    copies: Mapping[int, int]
    told_in: Sequence[str]


def replay(tools: Tools, choice: Choice, *, is_rehearsal: bool = False) -> Iterator[Retried]:
    """Try all chosen entries, segment by segment; an entry is tried with the others of its line, and with lines of the same bytes."""
    for segment_id, chosen in sorted(tools.quarantine.lines(choice).items()):
        twins = _twins(tools, segment_id)
        numbers = sorted({twin for line in chosen for twin in twins.get(line, ())})
        if is_rehearsal:
            new, refused = _merged(_tried(tools, _lines(tools, segment_id, numbers)))
            yield Retried(segment_id, len(numbers), tables_of(new), Counter(each.reason for each in refused))
        elif numbers:
            yield resume(tools, tools.quarantine.begin(segment_id, "quarantine", numbers))
        cut = set(chosen).difference(twins)  # their bytes are not the whole line
        if cut:
            yield Retried(
                segment_id, len(cut), Counter(), Counter(each.reason for each in tools.quarantine.entries(segment_id) if each.line in cut)
            )


def resume(tools: Tools, begun: Replay) -> Retried:
    """Write what is new of its lines, in place of what an attempt that was killed has left, then note it."""
    counts: Counter[tuple[str, str]] = Counter()
    tables: Counter[str] = Counter()
    still: list[Held] = []
    with tools.lake.replace(begun.replay_id) as writer:
        for new, refused in _tried(tools, _lines(tools, begun.segment_id, begun.items)):
            write(writer, begun.replay_id, new, tools.vault)
            tables += tables_of(new)
            counts.update({(each.tenant_id, each.source): each.accepted for each in counts_of(new)})
            still += refused
    taken = [Count(*key, number, number, 0) for key, number in sorted(counts.items())]
    tools.quarantine.settle(begun, Outcome(begun.items, taken, still))
    return Retried(begun.segment_id, len(begun.items), tables, Counter(each.reason for each in still))


def _lines(tools: Tools, segment_id: str, numbers: Sequence[int]) -> _Lines:
    copies = {line: len(twins) for line, twins in _twins(tools, segment_id).items()}
    return _Lines(segment_id, numbers, copies, [segment_id, *tools.quarantine.earlier(segment_id)])


def _twins(tools: Tools, segment_id: str) -> Mapping[int, Sequence[int]]:
    """Held lines that can be tried, each with all that have its bytes: in the lake, what came of one cannot be told from the others'."""
    readable = {each.line for each in tools.quarantine.entries(segment_id) if _is_whole(each.reason, each.source)}
    lines_of: dict[bytes, list[int]] = defaultdict(list)
    for line, raw in tools.quarantine.bodies(segment_id, readable):
        lines_of[hashlib.blake2b(raw, digest_size=16).digest()].append(line)
    return {line: lines for lines in lines_of.values() for line in lines}


def _is_whole(reason: str, source: str) -> bool:
    """Whether all of the line was kept: of one that is longer than the inbox reads it was only the beginning."""
    return reason not in CANNOT_BE_REPLAYED and not (reason == "too_large" and not source)


def _tried(tools: Tools, lines: _Lines) -> Iterator[tuple[list[Again], list[Held]]]:
    """Chunk by chunk: what is new, and what is refused."""
    for chunk in _chunks(tools.quarantine.bodies(lines.segment_id, lines.numbers)):
        yield _of_chunk(tools, lines, chunk)


def _merged(parts: Iterable[tuple[list[Again], list[Held]]]) -> tuple[list[Again], list[Held]]:
    new, still = [], []
    for some, others in parts:
        new += some
        still += others
    return new, still


def _chunks(bodies: Iterable[tuple[int, bytes]]) -> Iterator[list[Line]]:
    chunk: list[Line] = []
    size = 0
    for number, raw in bodies:
        chunk.append(Line(number, raw))
        size += len(raw)
        if size >= _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _of_chunk(tools: Tools, lines: _Lines, chunk: list[Line]) -> tuple[list[Again], list[Held]]:
    still: list[Held] = []
    events: list[tuple[Told, int, Again]] = []
    for line in chunk:
        place, items = items_of(line, tools.directory)
        for number, item in enumerate(items, start=1):
            what = _refused(item) or item
            if isinstance(what, Rejected):
                still.append(held(lines.segment_id, place, number, what, tools.vault.tenant_key(what.tenant_id, "fragment")))
            else:
                events.append(_told(tools, place, what))
    known = _known(tools, lines, events)
    new = []
    for told, number, again in events:
        if known[number, told] > 0:
            known[number, told] -= 1
        else:
            new.append(again)
    return new, still


def _refused(what: Accepted | Rejected) -> Rejected | None:
    if isinstance(what, Rejected):
        return what
    names = {point: normalise(point, what.account.region) for point in points_of(what.event)}
    return refused(what.event, what.account.tenant_id, names)


def _told(tools: Tools, place: Place, what: Accepted) -> tuple[Told, int, Again]:
    tenant_id = what.account.tenant_id
    ref_key = tools.vault.tenant_key(tenant_id, "ref")
    told = Told(tenant_id, hash_of(ref_key, place.line.raw), what.event.table, hide(ref_key, what.event.event_id))
    return told, place.line.number, Again(place.received_at or what.event.occurred_at, told.body_hash, what)


def _known(tools: Tools, lines: _Lines, events: Sequence[tuple[Told, int, Again]]) -> Counter[tuple[int, Told]]:
    """How often each event of each line is in the lake already: items beside a broken one were accepted when the line first came."""
    found = dict(tools.rows.told(lines.told_in, {told.body_hash for told, _, _ in events}))
    wanted = {told for told, _, _ in events}
    stale = {told for told in found if told.table == Unmodelled.table and told not in wanted}
    if stale:  # accepted as unmodelled; what they are to the decoder of today is for `remodel` to take in, and only there
        fragments: Counter[Told] = Counter()
        rows = [each for each in tools.rows.unmodelled(Choice(), None, lines.told_in) if _as_told(each) in stale]
        for row, fragment in zip(rows, opened(rows, tools), strict=True):
            again = decoded(row, fragment, tools)
            ref_key = tools.vault.tenant_key(row.tenant_id, "ref")
            for each in again if not isinstance(again, str) else ():
                event = each.accepted.event
                fragments[Told(row.tenant_id, row.body_hash, event.table, hide(ref_key, event.event_id))] += 1
        for told, number in fragments.items():  # a message that stands beside its fragment is not another one
            found[told] = max(found.get(told, 0), number)
    return Counter({(number, told): found.get(told, 0) // lines.copies[number] for told, number, _ in events})


def _as_told(row: UnmodelledRow) -> Told:
    return Told(row.tenant_id, row.body_hash, Unmodelled.table, row.event_id)
