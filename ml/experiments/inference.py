"""What follows from two arms: effect, interval, p-value, relative effect, non-inferiority.

Here belongs what holds for every kind of metric; the kinds themselves are in `pairs`. Not here: many comparisons at once
(`multiplicity`, `analysis`) and looking more than once (`always_valid`, `group_sequential`): an interval of this room holds for one look.
"""

from dataclasses import replace

import numpy as np

from ml.experiments import normal
from ml.experiments.pairs import Mask, Pair, pair_of
from ml.experiments.results import ENOUGH, Alternative, Comparison, Comparisons, NotEnoughData
from ml.moments import AnyMoments, Counts, Floats, Number


def compare(
    control: AnyMoments, treatment: AnyMoments, alpha: float = 0.05, alternative: Alternative = "two-sided"
) -> Comparison | NotEnoughData:
    """Treatment against control, each one set of moments of one kind; the kind says the test.

    Counts: two-proportion z, pooled p-value and unpooled (Wald) interval. Moments: Welch's t. RatioMoments: z by the delta method.
    CovariateMoments: Welch's t after CUPED.
    Where one arm is at 0 % and the other at 100 % there is a p-value and no Wald interval; `newcombe` has one.

    Args:
        control: its moments, fields single numbers.
        treatment: of the same kind.
        alpha: 1 - level of the intervals.
        alternative: what the p-value speaks against; one-sided intervals are open on the other side.

    Returns:
        the comparison, or why there is none.

    Raises:
        TypeError: the arms are of two kinds.

    >>> found = compare(Counts(n=1000, hits=100), Counts(n=1000, hits=130))
    >>> round(found.p_value, 4), round(found.ci_low, 4), round(found.ci_high, 4)
    (0.0355, 0.0021, 0.0579)
    >>> compare(Counts(n=1000, hits=0), Counts(n=1000, hits=0))
    NotEnoughData(reason='nothing varies: all units of both arms have the same value')
    """
    return compare_all(pair_of(control, treatment), alpha, alternative)[()]


def compare_all(pair: Pair, alpha: float = 0.05, alternative: Alternative = "two-sided") -> Comparisons:
    """Every place of arrays; the same as `compare` one by one."""
    with np.errstate(all="ignore"):  # NaN where there is no answer
        effect = pair.treatment - pair.control
        error = np.sqrt(pair.control_variance + pair.treatment_variance)
        statistic = effect / np.sqrt(pair.null_variance)
        reach = normal.critical(alpha, pair.df, alternative)
        half = np.where(error > 0, reach * error, np.nan)  # all hit in one arm, none in the other: Wald's interval would be a point
        low, high = _open(effect - half, effect + half, alternative)
        lift_low, lift_high = _open(*fieller(pair, reach), alternative)
        return Comparisons(
            control=pair.control,
            treatment=pair.treatment,
            effect=effect,
            standard_error=error,
            statistic=statistic,
            df=pair.df,
            p_value=normal.p_value(statistic, pair.df, alternative),
            ci_low=low,
            ci_high=high,
            lift=np.where(pair.control > 0, effect / pair.control, np.nan),
            lift_low=lift_low,
            lift_high=lift_high,
            reason=pair.reason,
        )


def fieller(pair: Pair, reach: Number) -> tuple[Floats, Floats]:
    """Interval of the relative effect: Fieller 1954, "Some problems in interval estimation", for independent arms.

    `reach` is the critical value. NaN where control is not above zero by that much: the interval would be unbounded.
    """
    with np.errstate(all="ignore"):
        share = np.square(reach) * pair.control_variance / np.square(pair.control)
        ratio = pair.treatment / pair.control
        half = reach / pair.control * np.sqrt(pair.treatment_variance * (1 - share) + np.square(ratio) * pair.control_variance)
        is_bounded = (share < 1) & (pair.control > 0)
        low, high = (np.where(is_bounded, (ratio + side * half) / (1 - share) - 1, np.nan) for side in (-1, 1))
    return low, high


def delta_lift(pair: Pair, alpha: float = 0.05) -> tuple[Floats, Floats]:
    """Interval of the relative effect by the delta method, as other tools print it; Fieller's is the one that keeps its level.

    >>> low, high = delta_lift(pair_of(Counts(1000, 100), Counts(1000, 130)))
    >>> round(float(low), 4), round(float(high), 4)
    (-0.0192, 0.6192)
    """
    with np.errstate(all="ignore"):
        ratio = pair.treatment / pair.control
        error = np.sqrt(pair.treatment_variance + np.square(ratio) * pair.control_variance) / np.abs(pair.control)
        reach = normal.critical(alpha, pair.df)
        return ratio - 1 - reach * error, ratio - 1 + reach * error


def newcombe(control: Counts, treatment: Counts, alpha: float = 0.05) -> tuple[Floats, Floats]:
    """Interval of a difference of proportions that stays right at 0 % and 100 %.

    Newcombe 1998, "Interval estimation for the difference between independent proportions", method 10: Wilson's intervals put together.

    >>> low, high = newcombe(Counts(n=70, hits=56), Counts(n=80, hits=48))  # his example (a), with the arms in his order
    >>> round(float(low), 4), round(float(high), 4)
    (-0.3339, -0.0524)
    """
    reach = normal.critical(alpha)
    bounds = []
    for arm in (control, treatment):
        n = np.asarray(arm.n, dtype=float)
        rate = arm.hits / n
        half = reach * np.sqrt(rate * (1 - rate) / n + np.square(reach / n) / 4)
        middle = rate + np.square(reach) / (2 * n)
        bounds.append((rate, (middle - half) / (1 + np.square(reach) / n), (middle + half) / (1 + np.square(reach) / n)))
    (other, other_low, other_high), (rate, low, high) = bounds
    down, up = np.hypot(rate - low, other_high - other), np.hypot(high - rate, other - other_low)
    return rate - other - down, rate - other + up


def non_inferior(
    pair: Pair, margin: float, *, higher_is_better: bool = True, is_relative: bool = False, alpha: float = 0.05
) -> Comparisons:
    """Is treatment at most `margin` worse? One-sided test of effect + margin > 0 (turned round where lower is better).

    Args:
        pair: the arms.
        margin: what may be lost, above zero: in the metric's unit, or as a share of control.
        higher_is_better: the metric's good direction.
        is_relative: the margin is a share of control; then control counts with its own uncertainty.
        alpha: one-sided.

    Returns:
        comparisons whose effect and interval are those of the metric and whose statistic and p-value are those of the question.

    Raises:
        ValueError: the margin is not above zero.

    >>> found = non_inferior(pair_of(Counts(10_000, 500), Counts(10_000, 495)), margin=0.01)[()]
    >>> round(found.p_value, 4)
    0.001
    """
    if not margin > 0:
        message = f"a margin of non-inferiority is above zero, not {margin}"
        raise ValueError(message)
    sign = 1.0 if higher_is_better else -1.0
    share = 1 - sign * margin if is_relative else 1.0
    shifted = pair.treatment - share * pair.control + (0.0 if is_relative else sign * margin)
    with np.errstate(all="ignore"):
        statistic = shifted / np.sqrt(pair.treatment_variance + share**2 * pair.control_variance)
        alternative: Alternative = "larger" if higher_is_better else "smaller"
        plain = compare_all(pair, alpha, alternative)
        return replace(plain, statistic=statistic, p_value=normal.p_value(statistic, pair.df, alternative))


def least_met(pair: Pair, control: AnyMoments, treatment: AnyMoments, *, units: float, events: float) -> Mask:
    """Where both arms have at least so many units and, for proportions, expect so many hits and misses if the arms do not differ."""
    met = np.minimum(pair.control_n, pair.treatment_n) >= units
    if isinstance(control, Counts) and isinstance(treatment, Counts):
        rate = np.divide(control.hits + treatment.hits, pair.n, out=np.zeros(pair.n.shape), where=pair.n > 0)
        met = met & (np.minimum(pair.control_n, pair.treatment_n) * np.minimum(rate, 1 - rate) >= events)
    enough: Mask = met & (pair.reason == ENOUGH)
    return enough


def _open(low: Floats, high: Floats, alternative: Alternative) -> tuple[Floats, Floats]:
    if alternative == "larger":
        return low, np.where(np.isnan(high), np.nan, np.inf)
    if alternative == "smaller":
        return np.where(np.isnan(low), np.nan, -np.inf), high
    return low, high
