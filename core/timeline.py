"""What kills make of the configuration: from the moment of a kill to that of its end, control is served to everybody.

Here belongs cutting dated rows. Not here: who kills (`core.plans`), where verdicts are kept. The file that people write is not changed, so
that applying it anew ends no kill.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from core.experiments import Configured, Key, Verdict
from core.reference import DatedRow, Experiment

Span = tuple[datetime, datetime | None]
_ALL_PPM = 1_000_000


def killed_spans(verdicts: Iterable[Verdict]) -> Mapping[Key, Sequence[Span]]:
    """When each experiment was killed, half-open, oldest first; without an end while it is."""
    spans: dict[Key, list[Span]] = defaultdict(list)
    for each in sorted(verdicts, key=lambda each: each.number):
        own = spans[each.tenant_id, each.experiment_id]
        is_killed = bool(own) and own[-1][1] is None
        if each.verdict == "killed" and not is_killed:
            own.append((each.decided_at, None))
        elif each.verdict == "resumed" and is_killed:
            own[-1] = (own[-1][0], each.decided_at)
    return {key: [span for span in own if span[1] is None or span[0] < span[1]] for key, own in spans.items()}


def timeline(configured: Configured, verdicts: Iterable[Verdict]) -> Configured:
    """The rows with every killed span cut out of each version and put in again as a version that serves control alone.

    A version that goes on after a kill begins anew at its end: its units and its level are its own. A version of a killed span has no
    metrics, so nothing of it is counted.
    """
    spans = killed_spans(verdicts)
    variants: list[Experiment] = []
    for row in configured.variants:
        own = spans.get((row.tenant_id, row.experiment_id), ())
        variants += [msgspec.structs.replace(row, valid_from=begin, valid_to=end) for begin, end in _outside(row, own)]
        share = _ALL_PPM if row.is_control else 0
        variants += [
            msgspec.structs.replace(row, valid_from=begin, valid_to=end, allocation_ppm=share, is_killed=True)
            for begin, end in _inside(row, own)
        ]
    metrics = [
        msgspec.structs.replace(row, valid_from=begin, valid_to=end)
        for row in configured.metrics
        for begin, end in _outside(row, spans.get((row.tenant_id, row.experiment_id), ()))
    ]
    return configured._replace(variants=variants, metrics=metrics)


def _outside(row: DatedRow, spans: Sequence[Span]) -> list[Span]:
    left: list[Span] = [(row.valid_from, row.valid_to)]
    for begin, end in spans:
        pieces: list[Span] = []
        for start, stop in left:
            pieces.append((start, _earlier(stop, begin)))
            if end is not None:
                pieces.append((max(start, end), stop))
        left = [(start, stop) for start, stop in pieces if stop is None or start < stop]
    return left


def _inside(row: DatedRow, spans: Sequence[Span]) -> list[Span]:
    both = [(max(row.valid_from, begin), _earlier(row.valid_to, end)) for begin, end in spans]
    return [(begin, end) for begin, end in both if end is None or begin < end]


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((each for each in (one, other) if each is not None), default=None)
