"""Sample ratio mismatch: do the arms hold the shares that the configuration gives them?

Here belongs the test of one look: chi-square, exact where counts are small. Not here: looking again and again (`exposure_e_value` in
`always_valid`) and what is done about it (`kill`). A mismatch makes every other number of the experiment worthless.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ml.experiments.results import NO_EXPOSURES, REASONS, NotEnoughData
from ml.moments import Floats

ALPHA = 0.01  # usual for this test: it is run at every look of every experiment, and its alarm stops everything
_LEAST_EXPECTED = 5.0  # Cochran 1954: below this, chi-square's p is not trusted
_MOST_OUTCOMES = 200_000  # of an exact test; more take over 0.2 s
_TIE = 1 + 1e-7  # outcomes as likely as the one seen count as extreme; R's and scipy's factor


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """What the test found; `expected` are units by arm. `p_value` is 0 only where an arm without allocation has units."""

    p_value: float
    statistic: float
    df: int
    method: Literal["chi-square", "exact"]
    expected: tuple[float, ...]
    is_srm: bool


def sample_ratio(counts: Sequence[float], weights: Sequence[float], alpha: float = ALPHA) -> SampleRatio | NotEnoughData:
    """Pearson's chi-square test of units by arm against their allocation.

    Arms of weight zero without units take no part; with units they are a mismatch for certain (p is 0). Where an arm expects fewer than 5
    units, the exact multinomial test (the sum over outcomes at most as likely as the one seen), if there are at most 200,000 outcomes.

    Args:
        counts: units by arm, (arms,).
        weights: allocation by arm, of any scale, (arms,).
        alpha: a p-value below it is a mismatch.

    Raises:
        ValueError: lengths differ, something is negative, or no arm has an allocation.

    >>> found = sample_ratio([821_588, 815_482], [0.5, 0.5])  # Kohavi, Tang and Xu 2020, chapter 21
    >>> f"{found.p_value:.2g}", found.is_srm
    ('1.8e-06', True)
    >>> sample_ratio([5, 0, 7], [1, 0, 1]).method
    'chi-square'
    """
    seen, shares = _checked(counts, weights)
    total = float(seen.sum())
    if total == 0:
        return NotEnoughData(REASONS[NO_EXPOSURES])
    expected, live = shares * total, shares > 0
    is_impossible = bool((seen[~live] > 0).any())
    statistic = float(np.inf) if is_impossible else float(np.sum((seen[live] - expected[live]) ** 2 / expected[live]))
    df = int(live.sum()) - 1
    if is_impossible:
        p, method = 0.0, "exact"
    elif df == 0:
        p, method = 1.0, "exact"
    elif expected[live].min() < _LEAST_EXPECTED and comb(int(total) + df, df) <= _MOST_OUTCOMES:
        p, method = _exact(seen[live], shares[live]), "exact"
    else:
        p, method = float(special.chdtrc(df, statistic)), "chi-square"
    return SampleRatio(p, statistic, df, method, tuple(expected.tolist()), p < alpha)  # type: ignore[arg-type]


def sample_ratios(counts: ArrayLike, weights: ArrayLike) -> Floats:
    """The p-values of many experiments, `counts` and `weights` (experiments, arms), absent arms 0 in both; NaN without units.

    >>> sample_ratios([[50, 50, 0], [80, 20, 0], [0, 0, 0]], [[1, 1, 0]] * 3).round(6).tolist()
    [1.0, 0.0, nan]
    """
    seen, given = np.asarray(counts, dtype=float), np.asarray(weights, dtype=float)
    with np.errstate(all="ignore"):
        shares = given / given.sum(-1, keepdims=True)
        expected = shares * seen.sum(-1, keepdims=True)
        terms = np.where(shares > 0, (seen - expected) ** 2 / expected, np.where(seen > 0, np.inf, 0.0))
        found: Floats = special.chdtrc(np.maximum((shares > 0).sum(-1) - 1, 1), terms.sum(-1))
    found = np.where(np.isinf(terms.sum(-1)), 0.0, found)
    small = (np.min(np.where(shares > 0, expected, np.inf), -1, initial=np.inf) < _LEAST_EXPECTED) & (seen.sum(-1) > 0)
    for place in np.flatnonzero(small | ((shares > 0).sum(-1) == 1)):
        one = sample_ratio(seen[place].tolist(), given[place].tolist())
        found[place] = one.p_value if isinstance(one, SampleRatio) else np.nan
    return found


def _checked(counts: Sequence[float], weights: Sequence[float]) -> tuple[Floats, Floats]:
    seen, given = np.asarray(counts, dtype=float), np.asarray(weights, dtype=float)
    if seen.shape != given.shape or seen.ndim != 1:
        message = f"{seen.size} counts beside {given.size} weights: one of each for every arm"
        raise ValueError(message)
    if not ((seen >= 0).all() and (given >= 0).all() and np.isfinite(seen).all() and 0 < given.sum() < np.inf):
        message = f"counts {list(counts)} and weights {list(weights)}: none may be below zero, and one arm at least has a weight"
        raise ValueError(message)
    return seen, given / given.sum()


def _exact(seen: Floats, shares: Floats) -> float:
    """The chance of an outcome at most as likely as the one seen."""
    total, arms = int(seen.sum()), seen.size
    bars = np.array(list(combinations(range(total + arms - 1), arms - 1)), dtype=float).reshape(-1, arms - 1)
    edges = np.hstack([np.full((len(bars), 1), -1.0), bars, np.full((len(bars), 1), total + arms - 1.0)])
    outcomes = np.diff(edges, axis=1) - 1
    logs = special.gammaln(total + 1) - special.gammaln(outcomes + 1).sum(1) + (outcomes * np.log(shares)).sum(1)
    mine = special.gammaln(total + 1) - special.gammaln(seen + 1).sum() + (seen * np.log(shares)).sum()
    return min(1.0, float(np.exp(logs[logs <= mine + np.log(_TIE)]).sum()))
