"""How well a model does before outcomes are known, guessed from its own probabilities, or "blind" where that would be made up.

Here belongs the confidence-based estimate (CBPE: Białek, Kuberski, Perrakis and Bifet 2024, arXiv 2401.08348) and its assumptions. It is
right where probabilities are calibrated and stay so: it sees a change of the rows, never a change of what rows mean. Not here:
performance with outcomes (`outcomes`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import isotonic_regression

from ml.drift.outcomes import calibration_bins
from ml.moments import Floats

LEAST_ROWS = 200
"""Fewer rows: blind. Of 200 the 95 % interval of an AUC of 0.75 is about 0.14 wide."""

_DRAWS = 300
_MOST_ROWS = 20_000
_BINS = 20


@dataclass(frozen=True, slots=True)
class Calibration:
    """What probabilities meant when the model was made: by bin the mean probability and the share of positives, both (bins,), rising.

    `error` is the calibration error on rows that did not make the bins, `rows` how many these were.
    """

    told: tuple[float, ...]
    seen: tuple[float, ...]
    error: float
    rows: int

    def __call__(self, probability: ArrayLike) -> Floats:
        """Probabilities as the baseline's outcomes say they should have been."""
        return np.interp(np.asarray(probability, dtype=np.float64), self.told, self.seen)


@dataclass(frozen=True, slots=True)
class Estimate:
    """The AUC and the Brier score that outcomes are expected to show, with 95 % intervals for what these rows will show."""

    auc: float
    auc_low: float
    auc_high: float
    brier: float
    brier_low: float
    brier_high: float
    rows: int


@dataclass(frozen=True, slots=True)
class Blind:
    """No estimate, and every reason."""

    reasons: tuple[str, ...]


def calibrate(probability: ArrayLike, outcome: ArrayLike) -> Calibration:
    """Freeze the calibration on every other row, and measure its error on those between.

    Bins of about equal rows, pooled until their shares rise (isotonic regression; Zadrozny and Elkan 2002).
    """
    p, y = np.asarray(probability, dtype=np.float64), np.asarray(outcome, dtype=np.float64)
    told, seen = _rising(p[::2], y[::2])
    made = Calibration(told, seen, 0.0, p[1::2].size)
    left, truth = made(p[1::2]), y[1::2]
    parts = calibration_bins(left, _BINS) if left.size else []
    error = sum(part.size * abs(float(left[part].mean() - truth[part].mean())) for part in parts) / max(left.size, 1)
    return Calibration(told, seen, float(error), left.size)


def _rising(p: Floats, y: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    parts = calibration_bins(p, _BINS)
    told = np.array([p[part].mean() for part in parts])
    seen = isotonic_regression([y[part].mean() for part in parts], weights=[part.size for part in parts]).x
    return tuple(map(float, told)), tuple(map(float, seen))


def estimate(calibration: Calibration, probability: ArrayLike) -> Estimate:
    """Expected AUC and Brier score of rows, (rows,), ranked by their probability and weighed by what it means.

    The interval is of outcomes drawn from these probabilities, 300 times from a fixed seed, of at most 20,000 rows evenly taken. That the
    calibration itself was estimated is not in it.

    >>> p = np.linspace(0.01, 0.99, 500)
    >>> found = estimate(Calibration((0.0, 1.0), (0.0, 1.0), 0.0, 0), p)
    >>> round(found.auc, 2), found.auc_low < 0.83 < found.auc_high
    (0.83, True)
    """
    told = np.sort(np.asarray(probability, dtype=np.float64))
    rows = told.size
    step = max(1, -(-rows // _MOST_ROWS))
    told = told[step // 2 :: step]
    meant = calibration(told)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(told)) + 1])
    drawn = np.random.default_rng(0).random((_DRAWS, told.size)) < meant
    shrink = np.sqrt(told.size / rows)  # the interval of all rows is narrower than that of those taken
    value = float(_area(meant[None], starts)[0])
    brier = float((meant * (1 - told) ** 2 + (1 - meant) * told**2).mean())
    areas, briers = _area(drawn.astype(np.float64), starts), ((told - drawn) ** 2).mean(axis=1)
    auc_low, auc_high = (float(value + shrink * (each - value)) for each in np.nanquantile(areas, [0.025, 0.975]))
    brier_low, brier_high = (float(brier + shrink * (each - brier)) for each in np.quantile(briers, [0.025, 0.975]))
    return Estimate(value, auc_low, auc_high, brier, brier_low, brier_high, rows)


def _area(weights: Floats, starts: np.ndarray) -> Floats:
    """AUC of rows in rising order, (draws, rows): positives `weights`, negatives the rest; equal probabilities begin at `starts`."""
    positive = np.add.reduceat(weights, starts, axis=1)
    size = np.diff(np.append(starts, weights.shape[1]))
    negative = size - positive
    below = np.cumsum(negative, axis=1) - negative
    with np.errstate(invalid="ignore"):
        return np.asarray((positive * (below + negative / 2)).sum(axis=1) / (positive.sum(axis=1) * negative.sum(axis=1)))


def blind_reasons(
    calibration: Calibration | None, probability: Floats, outside: tuple[str, float] | None, most: tuple[float, float]
) -> list[str]:
    """Why there would be no estimate; empty where its assumptions hold as far as can be seen.

    Args:
        calibration: None where the baseline held no outcomes.
        probability: of the rows.
        outside: the column with the largest share of unseen values, and that share; None without columns.
        most: the largest calibration error and the largest share unseen that are borne.
    """
    most_error, most_outside = most
    reasons = []
    if calibration is None:
        reasons.append("calibration was never verified: the baseline holds no outcomes")
    elif calibration.error > most_error:
        reasons.append(f"probabilities were not calibrated when the baseline was made: error {calibration.error:.3f} > {most_error:g}")
    if probability.size < LEAST_ROWS:
        reasons.append(f"{probability.size} rows; {LEAST_ROWS} are needed")
    if outside is not None and outside[1] > most_outside:
        name, share = outside
        reasons.append(f"{share:.1%} of {name} lies outside of what the model was made with (more than {most_outside:.0%})")
    return reasons
