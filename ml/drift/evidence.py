"""Whether chance alone explains a column: p-values of its values, of what is missing and of what was never seen, and where the change lies.

Here belong the three tests of a column. Not here: how many columns and looks share the level (`policy`, `decision`), distances
(`measures`).
"""

from dataclasses import dataclass

import numpy as np

from ml.drift.exact import tail, two_sided
from ml.drift.feature import Feature
from ml.drift.tally import Counts, Integers
from ml.moments import Floats


@dataclass(frozen=True, slots=True)
class Evidence:
    """P-values of one column, each at least what it should be on rows that are drawn like the baseline's.

    `first` to `last` are the bins whose joint share changed most surely, `share_before` and `share` that share.
    """

    values: float
    missing: float
    unseen: float
    first: int
    last: int
    share_before: float
    share: float


def cuts(bins: int, *, is_ordered: bool) -> list[tuple[int, int]]:
    """Stretches of bins, first and last, that are compared: each bin and, where bins have an order, all up to each edge."""
    own = [(place, place) for place in range(bins)]
    if not is_ordered:
        return own
    return own[1:-1] + [(0, place) for place in range(bins - 1)]


def values_p(counts_before: Integers, counts: Integers, stretches: list[tuple[int, int]]) -> Floats:
    """P-values, (…, stretches), each for itself: Fisher's test of the rows in the stretch against all others with a value.

    Args:
        counts_before: rows by bin in the baseline, (…, bins).
        counts: rows by bin now, (…, bins).
        stretches: of bins.
    """
    sums = [np.concatenate([np.zeros((*each.shape[:-1], 1)), np.cumsum(each, axis=-1)], axis=-1) for each in (counts, counts_before)]
    first, last = (np.array(side) for side in zip(*stretches, strict=True))
    here, before = (each[..., last + 1] - each[..., first] for each in sums)
    return two_sided(here, sums[0][..., -1:], before, sums[1][..., -1:])


def evidence(feature: Feature, counts: Counts) -> Evidence:
    """The three tests of a column.

    Values: the smallest p of all stretches times their number (Bonferroni). Missing: Fisher's test of its share. Unseen: one-sided against
    the baseline's rows that would have been unseen had it been made without them (after Good 1953; of a number exact, with one more chance
    for each way to share them between the ends of the range).

    >>> from ml.drift.feature import freeze_feature
    >>> from ml.drift.tally import count
    >>> frozen = freeze_feature("x", np.arange(1000.0))
    >>> found = evidence(frozen, count(frozen, np.arange(300.0)))
    >>> found.values < 1e-90, frozen.label(found.first, found.last)
    (True, 'at most 299')
    """
    before = np.array(feature.counts)
    stretches = cuts(before.size, is_ordered=feature.kind == "number")
    values, first, last = 1.0, 0, 0
    if stretches:
        found = values_p(before, counts.bins, stretches)
        place = int(found.argmin())
        values, (first, last) = min(1.0, float(found[place]) * len(stretches)), stretches[place]
    here, there = int(counts.bins[first : last + 1].sum()), int(before[first : last + 1].sum())
    with_value = int(counts.bins.sum())
    return Evidence(
        values=values,
        missing=float(two_sided(counts.missing, counts.rows, feature.missing, feature.rows)),
        unseen=float(unseen_p(feature, counts.unseen, counts.rows - counts.missing)),
        first=first,
        last=last,
        share_before=there / max(feature.present, 1),
        share=here / max(with_value, 1),
    )


def unseen_p(feature: Feature, unseen: int | Integers, present: int | Integers) -> Floats:
    """P-value of so many unseen of those with a value, elementwise."""
    x, n = np.asarray(unseen, dtype=np.float64), np.asarray(present, dtype=np.float64)
    once = tail(x, n, x + feature.lone, n + feature.present)
    splits = x + 1 if feature.kind == "number" else 1.0
    return np.asarray(np.minimum(once * splits, 1.0))
