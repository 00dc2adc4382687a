"""How far a column is from its baseline: five distances from counts by frozen bin, in arrays of any leading shape.

Here belong the distances. Not here: whether chance alone explains them (`evidence`), how much is too much (`policy`). Bins are frozen with
open ends and the scale is the baseline's, so one row moves any of them by at most the order of 1 / rows, whatever its value.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ml.drift.feature import Feature
from ml.drift.tally import Counts
from ml.moments import Floats


def shares(counts: ArrayLike) -> Floats:
    """Rows by bin, (…, bins), as shares of their sum; NaN without rows."""
    plain = np.asarray(counts, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        found: Floats = plain / plain.sum(axis=-1, keepdims=True)
    return found


def psi(baseline: ArrayLike, current: ArrayLike) -> Floats:
    """Population stability index, sum of (q - p) ln(q / p), of counts (…, bins); half a row is added to every bin, so that none is empty.

    Of no drift about (bins - 1) (1 / rows + 1 / baseline's rows) is expected. Under 0.1 is called stable, from 0.25 on a shift (Siddiqi
    2006).

    >>> round(float(psi([400, 600], [300, 700])), 4)
    0.0441
    """
    p, q = shares(np.asarray(baseline, dtype=np.float64) + 0.5), shares(np.asarray(current, dtype=np.float64) + 0.5)
    return np.asarray(((q - p) * np.log(q / p)).sum(axis=-1))


def jensen_shannon(baseline: ArrayLike, current: ArrayLike) -> Floats:
    """Jensen–Shannon distance to base 2, from 0 to 1: root of the mean divergence from the shares' middle (Endres, Schindelin 2003)."""
    p, q = shares(baseline), shares(current)
    middle = (p + q) / 2
    return np.asarray(np.sqrt(np.maximum((_relative(p, middle) + _relative(q, middle)) / 2, 0)))


def _relative(p: Floats, middle: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p == 0, 0.0, p * np.log2(p / middle))
    return np.asarray(terms.sum(axis=-1))


def kolmogorov_smirnov(baseline: ArrayLike, current: ArrayLike) -> Floats:
    """Largest difference of the distribution functions at the frozen edges, counts (…, bins)."""
    return np.asarray(np.abs(np.cumsum(shares(baseline) - shares(current), axis=-1)).max(axis=-1))


def wasserstein(baseline: ArrayLike, current: ArrayLike, centres: ArrayLike, scale: float) -> Floats:
    """First Wasserstein distance of the rows put at their bins' centres, in units of the baseline's scale: mean way of a row."""
    steps = np.diff(np.asarray(centres, dtype=np.float64))
    moved = np.abs(np.cumsum(shares(baseline) - shares(current), axis=-1))[..., :-1]
    return np.asarray((moved * (steps / scale)).sum(axis=-1))


@dataclass(frozen=True, slots=True)
class Distances:
    """Of one column; None where there is none: of categories no order, of no rows nothing."""

    psi: float | None
    jensen_shannon: float | None
    kolmogorov_smirnov: float | None
    wasserstein: float | None
    missing: float
    unseen: float
    missing_before: float


def distances(feature: Feature, counts: Counts) -> Distances:
    """All of them. Missing and unseen are shares of all rows; NaN of no rows.

    >>> from ml.drift.feature import freeze_feature
    >>> from ml.drift.tally import count
    >>> rows = np.arange(1000.0)
    >>> found = distances(freeze_feature("x", rows), count(freeze_feature("x", rows), rows + 300))
    >>> round(found.kolmogorov_smirnov, 2), round(found.unseen, 2)
    (0.3, 0.3)
    """
    missing, unseen = (part / counts.rows if counts.rows else float("nan") for part in (counts.missing, counts.unseen))
    before = feature.missing / feature.rows
    if not counts.bins.sum():
        return Distances(None, None, None, None, missing, unseen, before)
    here = counts.bins
    both = np.asarray(feature.counts), here
    if feature.kind == "category":
        return Distances(float(psi(*both)), float(jensen_shannon(*both)), None, None, missing, unseen, before)
    return Distances(
        float(psi(*both)),
        float(jensen_shannon(*both)),
        float(kolmogorov_smirnov(*both)),
        float(wasserstein(*both, feature.centres, feature.scale)),
        missing,
        unseen,
        before,
    )
