"""How well probabilities did, once outcomes are known: AUC, Brier score, calibration error and lift, each with an interval.

Here belongs measuring. Not here: comparing with the baseline (`decision`), guessing without outcomes (`estimate`).
"""

from dataclasses import dataclass
from math import isfinite, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml.moments import Floats

LEAST_OF_EACH = 10
"""Outcomes of each kind below which nothing is measured: with 10 the interval of an AUC of 0.75 is 0.33 wide."""

_CALIBRATION_BINS = 10
_TOP = 0.1
Z = 1.959963984540054
"""Standard errors to either side of a 95 % interval."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A number, its standard error, and its 95 % interval."""

    value: float
    error: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Performance:
    """Of `rows` with an outcome, `positives` of them positive. `bias` is the mean probability minus the share of positives."""

    rows: int
    positives: int
    auc: Measured
    brier: Measured
    ece: Measured
    lift: Measured
    bias: Measured


@dataclass(frozen=True, slots=True)
class NotEnough:
    """No performance, and why."""

    reason: str


def performance(probability: ArrayLike, outcome: ArrayLike) -> Performance | NotEnough:
    """All of them.

    `auc` with DeLong's variance, by ranks as Sun and Xu 2014 have it, and its interval on the logit scale. `brier` with the error of a
    mean. `ece` over ten bins of equal rows, its interval by parametric bootstrap of the bins. `lift` is the share of positives among the
    tenth of the rows with the highest probability over the share among all; rows that tie at its edge count in part.

    Args:
        probability: of the positive class, (rows,), in [0, 1].
        outcome: 0 or 1, (rows,).

    Raises:
        ValueError: a probability is outside [0, 1] or no number, an outcome is neither 0 nor 1, or lengths differ.

    >>> rng = np.random.default_rng(0)
    >>> p = rng.random(2000)
    >>> found = performance(p, rng.random(2000) < p)
    >>> round(found.auc.value, 3), round(found.brier.value, 3), found.ece.value < 0.05
    (0.84, 0.163, True)
    """
    p, y = _checked(probability, outcome)
    positives = int(y.sum())
    if min(positives, y.size - positives) < LEAST_OF_EACH:
        return NotEnough(f"{positives} positive and {y.size - positives} negative outcomes; {LEAST_OF_EACH} of each are needed")
    squares, gaps = (p - y) ** 2, p - y
    return Performance(y.size, positives, auc(p, y), _mean(squares), _ece(p, y), _lift(p, y), _mean(gaps))


def auc(probability: Floats, outcome: NDArray[np.bool_]) -> Measured:
    """Area under the ROC curve: the chance that a positive is above a negative, ties half."""
    high, low = probability[outcome], probability[~outcome]
    above = _below(low, high) / low.size
    below = 1 - _below(high, low) / high.size
    value = float(above.mean())
    error = sqrt(float(np.var(above, ddof=1)) / high.size + float(np.var(below, ddof=1)) / low.size)
    if not 0 < value < 1 or error == 0:
        return Measured(value, error, value, value)
    middle, wide = np.log(value / (1 - value)), Z * error / (value * (1 - value))
    return Measured(value, error, float(1 / (1 + np.exp(wide - middle))), float(1 / (1 + np.exp(-wide - middle))))


def _below(these: Floats, those: Floats) -> Floats:
    """Of each of `those`, how many of `these` are below it, ties half."""
    ranked = np.sort(these)
    return np.asarray((np.searchsorted(ranked, those, side="left") + np.searchsorted(ranked, those, side="right")) / 2)


def calibration_bins(probability: Floats, bins: int) -> list[NDArray[np.intp]]:
    """Places of the rows of each of so many bins of about equal rows, by rising probability; equal probabilities stay together."""
    order = np.argsort(probability, kind="stable")
    ranked = probability[order]
    ends = np.searchsorted(ranked, ranked[np.linspace(0, ranked.size - 1, bins + 1).astype(int)[1:]], side="right")
    return [each for each in np.split(order, np.unique(ends)[:-1]) if each.size]


def _ece(p: Floats, y: NDArray[np.bool_]) -> Measured:
    parts = calibration_bins(p, _CALIBRATION_BINS)
    rows = np.array([part.size for part in parts])
    told, seen = np.array([p[part].mean() for part in parts]), np.array([y[part].mean() for part in parts])
    value = float((rows * np.abs(told - seen)).sum() / p.size)
    drawn = np.random.default_rng(0).binomial(rows, seen, (400, rows.size)) / rows
    spread = (rows * np.abs(told - drawn)).sum(axis=1) / p.size
    low, high = np.quantile(spread, [0.025, 0.975])
    return Measured(value, float(spread.std(ddof=1)), min(float(low), value), max(float(high), value))


def _lift(p: Floats, y: NDArray[np.bool_]) -> Measured:
    top = max(1, round(_TOP * p.size))
    edge = np.partition(p, p.size - top)[p.size - top]
    above, tied = p > edge, p == edge
    caught = float(y[above].sum()) + (top - int(above.sum())) * float(y[tied].mean())
    share, base, part = caught / top, float(y.mean()), top / y.size
    others = (base - part * share) / (1 - part)
    value = share / base
    # delta method on the logarithm: the tenth and the rest are two samples, and the share among all holds both
    of_top = (1 / max(share, 0.5 / top) - part / base) ** 2 * share * (1 - share) / top
    error = sqrt(of_top + ((1 - part) / base) ** 2 * others * (1 - others) / (y.size - top))
    return Measured(value, value * error, value * float(np.exp(-Z * error)), value * float(np.exp(Z * error)))


def _mean(values: Floats) -> Measured:
    value, error = float(values.mean()), float(values.std(ddof=1)) / sqrt(values.size)
    return Measured(value, error, value - Z * error, value + Z * error)


def _checked(probability: ArrayLike, outcome: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    p, y = np.asarray(probability, dtype=np.float64), np.asarray(outcome)
    if p.shape != y.shape or p.ndim != 1:
        raise ValueError(f"probabilities of shape {p.shape} for outcomes of shape {y.shape}")
    if p.size and not (isfinite(float(p.min())) and p.min() >= 0 and p.max() <= 1):
        raise ValueError("a probability is outside 0 to 1 or no number")
    if not np.isin(y, (0, 1)).all():
        raise ValueError("an outcome is neither 0 nor 1")
    return p, y.astype(np.bool_)
