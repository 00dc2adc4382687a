"""From probability to tier by what mistakes cost.

Here belong the cheapest threshold, its interval and the tiers that two of them make. Not here: probabilities (`ml.lead_scoring`), points
and their tiers (the mart `fct_lead_scores`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml.evaluation import EvaluationError, checked

_NOBODY = float(np.nextafter(1.0, 2.0))  # a threshold that nobody reaches
RESAMPLES = 400
FEWEST = 20
"""Rows of either outcome below which no threshold is learnt: the one that follows from the costs alone is used."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What treating a lead as a buyer costs when it is none (`wasted`), and what passing over a buyer costs (`missed`); any one unit."""

    wasted: float
    missed: float

    def __post_init__(self) -> None:
        """Refuse costs of which no threshold follows."""
        if not (np.isfinite([self.wasted, self.missed]).all() and self.wasted > 0 and self.missed > 0):
            raise EvaluationError(f"costs {self.wasted} and {self.missed}: both are to be above zero")

    @property
    def fair(self) -> float:
        """The best threshold on true probabilities: wasted / (wasted + missed) (Elkan 2001, equation 2)."""
        return self.wasted / (self.wasted + self.missed)


@dataclass(frozen=True, slots=True)
class Threshold:
    """A score at or above `value` is treated as a buyer. `low` and `high` bound it at 95 %; `cost` is the mean a row, in the costs' unit.

    Without `reason` the interval is a bootstrap's; with it, the value is the costs' own and has no interval.
    """

    value: float
    low: float | None
    high: float | None
    cost: float | None
    reason: str = ""


def cheapest(outcome: ArrayLike, probability: ArrayLike, costs: Costs, rng: np.random.Generator) -> Threshold:
    """The threshold of least cost on these rows, and its bootstrap interval.

    Of equally cheap ones it is the nearest to the one that calibrated probabilities would have. The interval resamples rows with
    replacement, `RESAMPLES` times, and is the middle 95 % (Efron and Tibshirani 1993, chapter 13).

    Args:
        outcome: 0 or 1, shape (rows,).
        probability: shape (rows,).
        costs: of either mistake.
        rng: where the resamples come from.
    """
    y, p = checked(outcome, probability)
    ones = int(y.sum())
    if min(ones, len(y) - ones) < FEWEST:
        reason = f"{ones} of {len(y)} rows are positive; {FEWEST} of either outcome are wanted"
        return Threshold(costs.fair, None, None, None, reason)
    cuts, place = np.unique(p, return_inverse=True)
    hits = np.bincount(place, weights=y)
    counts = np.bincount(place).astype(float)
    value, cost = _best(cuts, hits, counts - hits, costs)
    found = []
    for _ in range(RESAMPLES):
        weights = np.bincount(rng.integers(0, len(y), len(y)), minlength=len(y))
        own_hits = np.bincount(place, weights=weights * y)
        found.append(_best(cuts, own_hits, np.bincount(place, weights=weights.astype(float)) - own_hits, costs)[0])
    low, high = np.quantile(found, [0.025, 0.975])
    return Threshold(value, min(float(low), value), max(float(high), value), cost / len(y))


def _best(cuts: NDArray[Any], hits: NDArray[Any], others: NDArray[Any], costs: Costs) -> tuple[float, float]:
    """A threshold lies between two neighbouring scores, or beyond all; its cost in sum."""
    missed = np.r_[0, np.cumsum(hits)] * costs.missed
    wasted = (others.sum() - np.r_[0, np.cumsum(others)]) * costs.wasted
    total = missed + wasted

    best = np.flatnonzero(total <= total.min() * (1 + 1e-12))
    low, high = np.r_[0.0, cuts][best], np.r_[cuts, np.inf][best]
    nearest = np.clip(costs.fair, np.nextafter(low, np.inf), high)  # anywhere in (low, high] the same rows are buyers
    pick = int(np.argmin(np.abs(nearest - costs.fair)))
    return float(min(nearest[pick], _NOBODY)), float(total[best[pick]])


def tiers(probability: ArrayLike, hot: float, warm: float) -> NDArray[np.str_]:
    """HOT at or above `hot`, WARM at or above `warm`, else COLD; shape (rows,).

    >>> [str(each) for each in tiers([0.7, 0.699, 0.1], 0.7, 0.2)]
    ['HOT', 'WARM', 'COLD']
    """
    if not warm <= hot:
        raise EvaluationError(f"the threshold of WARM ({warm}) lies above that of HOT ({hot})")
    p = np.asarray(probability, dtype=float)
    return np.where(p >= hot, "HOT", np.where(p >= warm, "WARM", "COLD"))
