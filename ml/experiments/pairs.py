"""Two arms, each as an estimate with its variance: the one form that every kind of metric is brought to.

Here belong the estimates of each kind: proportion, mean (Welch), ratio (delta method) and covariate-adjusted mean (CUPED). Not here: what
is concluded from them (`inference`), so a new kind of metric is one function here and is at once compared, monitored and killed by.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.experiments.results import ENOUGH, IMPOSSIBLE, NO_EXPOSURES, NO_VARIATION, TOO_FEW, ZERO_DENOMINATOR, Codes
from ml.moments import AnyMoments, Counts, CovariateMoments, Floats, Moments, Number, RatioMoments

Mask = NDArray[np.bool_]

_ROUNDING = 1e-12  # of a variance's largest term: what cancellation leaves of a variance that is zero


@dataclass(frozen=True, slots=True)
class Pair:
    """Control and treatment, arrays of one shape: estimates and the variances of these estimates.

    `null_variance` is that of the difference if the arms do not differ; the p-value is by it. `reason` is a code of `results.REASONS`.
    """

    control: Floats
    treatment: Floats
    control_variance: Floats
    treatment_variance: Floats
    null_variance: Floats
    df: Floats
    control_n: Floats
    treatment_n: Floats
    reason: Codes

    @property
    def n(self) -> Floats:
        """Units of both arms."""
        return self.control_n + self.treatment_n


def pair_of(control: AnyMoments, treatment: AnyMoments) -> Pair:
    """Two arms of one kind of moments, of shapes that go together.

    Raises:
        TypeError: the arms are of two kinds: the metric changed its meaning between them.

    >>> pair_of(Counts(100, 10), Counts(100, 15)).null_variance.round(6)
    np.float64(0.002188)
    """
    with np.errstate(all="ignore"):  # what cannot be had becomes NaN here, and a reason
        match control, treatment:
            case Counts(), Counts():
                return _proportion(control, treatment)
            case Moments(), Moments():
                return _mean(control, treatment)
            case RatioMoments(), RatioMoments():
                return _ratio(control, treatment)
            case CovariateMoments(), CovariateMoments():
                return _adjusted(control, treatment)
    message = f"{type(control).__name__} cannot be compared with {type(treatment).__name__}"
    raise TypeError(message)


def cuped_slope(control: CovariateMoments, treatment: CovariateMoments) -> Floats:
    """The slope of the value on the covariate within arms, 0 where the covariate does not vary.

    Deng, Xu, Kohavi and Walker 2013, "Improving the sensitivity of online controlled experiments by utilizing pre-experiment data",
    equation 4, with covariance and variance pooled over both arms: the slope of an analysis of covariance.

    >>> arm = CovariateMoments(n=3, mean=2.0, m2=2.0, other_mean=1.0, other_m2=2.0, comoment=1.0)
    >>> float(cuped_slope(arm, arm))
    0.5
    """
    spread = np.asarray(control.other_m2 + treatment.other_m2, dtype=float)
    slope: Floats = np.divide(control.comoment + treatment.comoment, spread, out=np.zeros(spread.shape), where=spread > 0)
    return slope


def _proportion(control: Counts, treatment: Counts) -> Pair:
    """Variance unpooled for intervals, pooled under "no difference" (Fleiss, Levin and Paik 2003, section 3.2)."""
    rates = [np.asarray(arm.hits) / np.asarray(arm.n, dtype=float) for arm in (control, treatment)]
    variances = [rate * (1 - rate) / arm.n for rate, arm in zip(rates, (control, treatment), strict=True)]
    n = np.asarray(control.n + treatment.n, dtype=float)
    hits = np.asarray(control.hits + treatment.hits, dtype=float)
    null = hits * (n - hits) / n / (np.asarray(control.n, dtype=float) * treatment.n)
    impossible = [(np.asarray(arm.hits) < 0) | (np.asarray(arm.hits) > arm.n) for arm in (control, treatment)]
    return _pair(control, treatment, rates, variances, impossible=impossible, null=null, least=1)


def _mean(control: Moments, treatment: Moments) -> Pair:
    """Welch 1947: unequal variances; degrees of freedom by Welch and Satterthwaite."""
    variances = [np.asarray(arm.m2) / (np.asarray(arm.n) - 1.0) / arm.n for arm in (control, treatment)]
    impossible = [np.asarray(arm.m2) < 0 for arm in (control, treatment)]
    return _pair(control, treatment, [control.mean, treatment.mean], variances, impossible=impossible, has_t=True)


def _ratio(control: RatioMoments, treatment: RatioMoments) -> Pair:
    """Delta method: Deng, Knoblich and Lu 2018, "Applying the delta method in metric analytics", equation 4."""
    ratios, variances, impossible, undefined = [], [], [], []
    for arm in (control, treatment):
        ratio = np.asarray(arm.mean) / np.asarray(arm.other_mean, dtype=float)
        terms = arm.m2, ratio**2 * arm.other_m2
        m2 = _without_rounding(terms[0] - 2 * ratio * arm.comoment + terms[1], *terms)
        ratios.append(ratio)
        variances.append(m2 / (np.asarray(arm.n) - 1.0) / arm.n / np.asarray(arm.other_mean) ** 2)
        impossible.append((np.asarray(arm.m2) < 0) | (np.asarray(arm.other_m2) < 0) | (m2 < 0))
        undefined.append(np.asarray(arm.other_mean) == 0)
    return _pair(control, treatment, ratios, variances, impossible=impossible, undefined=undefined)


def _adjusted(control: CovariateMoments, treatment: CovariateMoments) -> Pair:
    """CUPED: the part of the value that the covariate tells is taken out, about the mean of both arms."""
    slope = cuped_slope(control, treatment)
    n = np.asarray(control.n + treatment.n, dtype=float)
    middle = control.other_mean + (treatment.other_mean - control.other_mean) * (treatment.n / n)
    means, variances, impossible = [], [], []
    for arm in (control, treatment):
        terms = arm.m2, slope**2 * arm.other_m2
        m2 = _without_rounding(terms[0] - 2 * slope * arm.comoment + terms[1], *terms)
        means.append(arm.mean - slope * (arm.other_mean - middle))
        variances.append(m2 / (np.asarray(arm.n) - 1.0) / arm.n)
        impossible.append((np.asarray(arm.m2) < 0) | (np.asarray(arm.other_m2) < 0) | (m2 < 0))
    return _pair(control, treatment, means, variances, impossible=impossible, has_t=True)


def _pair(  # noqa: PLR0913 - the parts of one value
    control: AnyMoments,
    treatment: AnyMoments,
    estimates: list[Number],
    variances: list[Floats],
    *,
    impossible: list[Mask],
    undefined: list[Mask] | None = None,
    null: Floats | None = None,
    has_t: bool = False,
    least: int = 2,
) -> Pair:
    counts = np.broadcast_arrays(np.asarray(control.n, dtype=float), np.asarray(treatment.n, dtype=float))
    unequal = variances[0] + variances[1] if null is None else null
    df = (variances[0] + variances[1]) ** 2 / (variances[0] ** 2 / (counts[0] - 1) + variances[1] ** 2 / (counts[1] - 1))
    wrong = impossible[0] | impossible[1]
    for value in (*estimates, *counts):
        wrong = wrong | (np.isnan(value) & (counts[0] > 0) & (counts[1] > 0)) | (counts[0] < 0) | (counts[1] < 0)
    fewest = np.minimum(counts[0], counts[1])
    nothing = undefined[0] | undefined[1] if undefined else np.zeros(fewest.shape, dtype=bool)
    reason = np.select(
        [fewest == 0, nothing, wrong, fewest < least, unequal == 0, np.isnan(unequal)],
        [NO_EXPOSURES, ZERO_DENOMINATOR, IMPOSSIBLE, TOO_FEW, NO_VARIATION, IMPOSSIBLE],
        ENOUGH,
    ).astype(np.int8)
    shape = reason.shape
    parts = [np.where(reason == ENOUGH, each, np.nan) for each in (*estimates, *variances, unequal, df if has_t else np.inf)]
    one, two, one_variance, two_variance, none, freedom = (np.broadcast_to(part, shape) for part in parts)
    return Pair(one, two, one_variance, two_variance, none, freedom, counts[0], counts[1], reason)


def _without_rounding(m2: Number, *terms: Number) -> Floats:
    """A sum of squares that cancellation left a little below or above zero is zero."""
    return np.where(np.abs(m2) <= _ROUNDING * np.maximum(*terms), 0.0, m2)
