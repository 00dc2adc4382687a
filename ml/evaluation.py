"""How good probabilities of yes or no are, and which of two sets of them is better.

Here belong ranking (area under the ROC curve, lift), calibration (Brier, expected calibration error), and the paired comparison of two
models on the same rows. Not here: making the probabilities (`ml.lead_scoring`), thresholds (`ml.thresholds`), drift (`ml.drift`). Every
measure is symmetric under the order of rows: rows of one score share their place. What one outcome alone cannot tell is None.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]

CLIP = 1e-6
"""Log loss takes no probability for surer than this: one row can cost 13.8 nats at most."""


class EvaluationError(ValueError):
    """Outcomes or probabilities that nothing can be said of; the message says which row."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What one set of probabilities is worth on `rows` rows, `positives` of them yes.

    `alift` is the area under the cumulative gains curve (Moro, Cortez and Rita 2014), `best_half` the share of the positives among the
    half of the rows with the highest scores, `ece` the expected calibration error over ten bins of equal counts.
    """

    rows: int
    positives: int
    auc: float | None
    alift: float | None
    best_half: float | None
    brier: float
    log_loss: float
    ece: float


@dataclass(frozen=True, slots=True)
class Paired:
    """A second set of probabilities against a first one, on the same rows.

    `gain` is how much less log loss a row has, in nats: positive where the second is better. Intervals two-sided at the asked level.
    `auc_p` is DeLong's two-sided p-value of equal areas; the areas and it are None with one outcome alone.
    """

    rows: int
    positives: int
    gain: float
    gain_low: float
    gain_high: float
    first_auc: float | None
    second_auc: float | None
    auc_p: float | None


def checked(outcome: ArrayLike, *scores: ArrayLike) -> tuple[Any, ...]:
    """Outcomes and scores as arrays (rows,), refused where nothing can be said of them.

    Raises:
        EvaluationError: no row, other lengths, an outcome that is not 0 or 1, a score that is no number.
    """
    y = np.asarray(outcome, dtype=float)
    if y.ndim != 1 or not y.size:
        raise EvaluationError(f"outcomes of shape {y.shape}: one row at least, in one dimension")
    strange = np.flatnonzero((y != 0) & (y != 1))
    if strange.size:
        raise EvaluationError(f"outcome {y[strange[0]]} in row {strange[0]}: 0 and 1 are all there is ({strange.size} such rows)")
    arrays = []
    for place, each in enumerate(scores):
        p = np.asarray(each, dtype=float)
        if p.shape != y.shape:
            raise EvaluationError(f"{p.shape} scores for {y.shape} outcomes")
        wrong = np.flatnonzero(~np.isfinite(p))
        if wrong.size:
            raise EvaluationError(f"score {p[wrong[0]]} in row {wrong[0]} of set {place + 1}: no number ({wrong.size} such rows)")
        arrays.append(p)
    return (y, *arrays)


def quality(outcome: ArrayLike, probability: ArrayLike) -> Quality:
    """All measures at once; arrays (rows,).

    >>> quality([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).auc
    0.75
    """
    y, p = _probabilities(outcome, probability)
    clipped = np.clip(p, CLIP, 1 - CLIP)
    loss = -np.mean(y * np.log(clipped) + (1 - y) * np.log1p(-clipped))
    return Quality(len(y), int(y.sum()), auc(y, p), alift(y, p), best_share(y, p), float(np.mean((p - y) ** 2)), float(loss), ece(y, p))


def auc(outcome: ArrayLike, score: ArrayLike) -> float | None:
    """How likely a yes scores above a no, ties counting half (Mann and Whitney); None with one outcome alone."""
    y, s = checked(outcome, score)
    ones = y.sum()
    zeros = len(y) - ones
    if not ones or not zeros:
        return None
    return float((stats.rankdata(s)[y == 1].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def gains(outcome: ArrayLike, score: ArrayLike) -> tuple[Floats, Floats]:
    """The cumulative gains curve: share of rows, best first, and the share of the positives among them; one corner for each score."""
    y, s = checked(outcome, score)
    _, place, counts = np.unique(-s, return_inverse=True, return_counts=True)
    hits = np.bincount(place, weights=y)
    return np.r_[0, np.cumsum(counts) / len(y)], np.r_[0, np.cumsum(hits) / y.sum()] if y.sum() else np.full(len(hits) + 1, np.nan)


def alift(outcome: ArrayLike, score: ArrayLike) -> float | None:
    """Area under the cumulative gains curve; 0.5 is chance. None without a positive."""
    share, found = gains(outcome, score)
    return None if np.isnan(found[-1]) else float(np.trapezoid(found, share))


def best_share(outcome: ArrayLike, score: ArrayLike, part: float = 0.5) -> float | None:
    """The share of the positives in the best `part` of the rows; rows of one score count in proportion. None without a positive."""
    share, found = gains(outcome, score)
    return None if np.isnan(found[-1]) else float(np.interp(part, share, found))


def reliability(outcome: ArrayLike, probability: ArrayLike, bins: int = 10) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Mean probability, share of positives and rows of each of so many bins of equal counts; rows of one probability stay together."""
    y, p = _probabilities(outcome, probability)
    _, place, counts = np.unique(p, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    own = np.minimum((middle * bins / len(p)).astype(int), bins - 1)[place]
    rows = np.bincount(own, minlength=bins)
    used = rows > 0
    said, was = (np.bincount(own, weights=each, minlength=bins)[used] / rows[used] for each in (p, y))
    return said, was, rows[used]


def ece(outcome: ArrayLike, probability: ArrayLike, bins: int = 10) -> float:
    """Expected calibration error: the mean over rows of how far a bin's share of positives is from its mean probability."""
    said, was, rows = reliability(outcome, probability, bins)
    return float(np.abs(said - was) @ rows / rows.sum())


def compare(outcome: ArrayLike, first: ArrayLike, second: ArrayLike, level: float = 0.05) -> Paired:
    """The second model against the first on the same rows.

    Log loss by the paired differences of rows, whose mean is normal (clipped, they are bounded); areas by DeLong, DeLong and
    Clarke-Pearson (1988), equation 2, from placements.

    Raises:
        EvaluationError: fewer than two rows, or as `checked`.
    """
    y, p, q = _probabilities(outcome, first, second)
    if len(y) < 2:
        raise EvaluationError("two models are not compared on one row")
    lost_p, lost_q = (-np.log(np.clip(np.where(y == 1, each, 1 - each), CLIP, 1)) for each in (p, q))
    gain = lost_p - lost_q
    half = stats.norm.isf(level / 2) * gain.std(ddof=1) / np.sqrt(len(y))
    mean = float(gain.mean())
    areas = _delong(y, p, q)
    return Paired(len(y), int(y.sum()), mean, float(mean - half), float(mean + half), *areas)


def _delong(y: Floats, p: Floats, q: Floats) -> tuple[float | None, float | None, float | None]:
    ones, zeros = (np.flatnonzero(y == value) for value in (1, 0))
    if not ones.size or not zeros.size:
        return None, None, None
    placements = [(_placed(s[ones], s[zeros]), 1 - _placed(s[zeros], s[ones])) for s in (p, q)]
    areas = [float(above.mean()) for above, _ in placements]
    if min(ones.size, zeros.size) < 2:
        return areas[0], areas[1], None
    spread = sum(np.var(a - b, ddof=1) / len(a) for a, b in zip(*placements, strict=True))
    if spread <= 0:  # the same order of all pairs, or perfect both
        return areas[0], areas[1], 1.0 if areas[0] == areas[1] else 0.0
    return areas[0], areas[1], float(2 * stats.norm.sf(abs(areas[1] - areas[0]) / np.sqrt(spread)))


def _placed(scores: Floats, others: Floats) -> Floats:
    """For each score the share of the others below it, equal ones counting half."""
    ordered = np.sort(others)
    return (np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")) / (2 * len(others))


def _probabilities(outcome: ArrayLike, *probabilities: ArrayLike) -> tuple[Any, ...]:
    y, *arrays = checked(outcome, *probabilities)
    for p in arrays:
        if p.min() < 0 or p.max() > 1:
            place = int(np.flatnonzero((p < 0) | (p > 1))[0])
            raise EvaluationError(f"{p[place]} in row {place} is no probability")
    return (y, *arrays)
