"""Planning: how likely a difference is found, how many units that takes, and which difference a number of units finds.

Here belongs the arithmetic of one look at the end. Not here: looks on the way, which cost some of it (`group_sequential.power`), and
calendars (`flexoraa experiment plan` divides by traffic).
"""

from dataclasses import dataclass
from math import ceil, inf, isfinite, nan, sqrt

from scipy import optimize, special

from ml.experiments.results import Alternative

_NORMAL_FROM = 100_000  # degrees of freedom; beyond, t and normal differ by less than 1e-5 in power and scipy's noncentral t is slow
_MOST_UNITS = 10**15


@dataclass(frozen=True, slots=True)
class Proportion:
    """A proportion whose control rate is `baseline`, strictly between 0 and 1; effects are differences of rates."""

    baseline: float


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean whose units have standard deviation `sd`, above 0; effects are differences of means.

    With CUPED on a covariate of correlation r: sd * sqrt(1 - r**2). For a ratio R: the sd of (value - R * other) / mean(other).
    """

    sd: float


Design = Proportion | Mean


def power(
    design: Design, effect: float, n_control: float, ratio: float = 1.0, alpha: float = 0.05, alternative: Alternative = "two-sided"
) -> float:
    """The chance that the test says p <= `alpha` when the difference is `effect`.

    Proportions: normal, null variance pooled, alternative's unpooled (Fleiss, Levin and Paik 2003, section 4.3), both tails. Means: the
    noncentral t of the test with equal variances.

    Args:
        design: the metric.
        effect: treatment minus control, in the metric's unit.
        n_control: units in control.
        ratio: units in treatment for each in control.
        alpha: level.
        alternative: as in `compare`.

    Raises:
        ValueError: the baseline or the rate under the effect is not within 0 and 1, the sd, the units or alpha are not positive.

    >>> round(power(Proportion(0.05), effect=-0.01, n_control=6000, alpha=0.05, alternative="smaller"), 3)
    0.841
    """
    _check(design, effect, alpha, ratio)
    if not n_control > 0:
        message = f"units must be above zero, not {n_control}"
        raise ValueError(message)
    if isinstance(design, Mean):
        return _t_power(effect / design.sd * sqrt(n_control * ratio / (1 + ratio)), n_control * (1 + ratio) - 2, alpha, alternative)
    other = design.baseline + effect
    pooled = (design.baseline + ratio * other) / (1 + ratio)
    null = sqrt(pooled * (1 - pooled) * (1 + 1 / ratio) / n_control)
    error = sqrt((design.baseline * (1 - design.baseline) + other * (1 - other) / ratio) / n_control)
    reach = -special.ndtri(alpha / 2 if alternative == "two-sided" else alpha) * null
    if error == 0:
        return float(abs(effect) > reach)
    up, down = special.ndtr((effect - reach) / error), special.ndtr((-effect - reach) / error)
    return float({"two-sided": up + down, "larger": up, "smaller": down}[alternative])


def sample_size(
    design: Design, effect: float, target: float = 0.8, ratio: float = 1.0, alpha: float = 0.05, alternative: Alternative = "two-sided"
) -> int:
    """The least units in control that give power `target`; treatment gets `ratio` times as many.

    Raises:
        ValueError: as `power`; or no number of units reaches the target (an effect of zero, or on the wrong side).

    >>> sample_size(Proportion(0.05), effect=0.01)
    8158
    """
    if not alpha < target < 1:
        message = f"a target power lies between alpha and 1, not at {target}"
        raise ValueError(message)
    wrong_way = (alternative == "larger" and effect < 0) or (alternative == "smaller" and effect > 0)
    if effect == 0 or wrong_way:
        message = f"no number of units finds an effect of {effect} with a test of {alternative!r}"
        raise ValueError(message)
    low, high = 1, 2
    while power(design, effect, high, ratio, alpha, alternative) < target:
        low, high = high, high * 2
        if high > _MOST_UNITS:
            message = f"an effect of {effect} takes more than {_MOST_UNITS} units"
            raise ValueError(message)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(design, effect, middle, ratio, alpha, alternative) >= target else (middle, high)
    return high


def minimum_detectable_effect(
    design: Design, n_control: float, target: float = 0.8, ratio: float = 1.0, alpha: float = 0.05, alternative: Alternative = "larger"
) -> float:
    """The least difference that is found with power `target`, signed by `alternative` ("two-sided": upwards). NaN if none up to 100 % is.

    >>> round(minimum_detectable_effect(Proportion(0.05), n_control=8158, alternative="two-sided"), 6)
    0.01
    """
    sign = -1.0 if alternative == "smaller" else 1.0
    if isinstance(design, Proportion):
        most = (design.baseline if sign < 0 else 1 - design.baseline) * (1 - 1e-12)
    else:
        most = design.sd
        while isfinite(most) and power(design, sign * most, n_control, ratio, alpha, alternative) < target:
            most *= 2
    least = most * 1e-12
    if not power(design, sign * most, n_control, ratio, alpha, alternative) >= target:
        return nan
    found = optimize.brentq(lambda size: power(design, sign * size, n_control, ratio, alpha, alternative) - target, least, most, xtol=1e-15)
    return sign * float(found)


def days(units: int, daily_units: float) -> float:
    """Whole days until so many units are exposed; infinite without traffic.

    >>> days(8158, daily_units=200)
    41
    """
    return ceil(units / daily_units) if daily_units > 0 else inf


def _t_power(shift: float, df: float, alpha: float, alternative: Alternative) -> float:
    if df < 1:
        return 0.0
    tail = alpha / 2 if alternative == "two-sided" else alpha
    if df >= _NORMAL_FROM:
        reach = -special.ndtri(tail)
        up, down = special.ndtr(shift - reach), special.ndtr(-shift - reach)
    else:
        reach = -special.stdtrit(df, tail)
        up, down = _below(-reach, df, -shift), _below(-reach, df, shift)
    return float({"two-sided": up + down, "larger": up, "smaller": down}[alternative])


def _below(value: float, df: float, shift: float) -> float:
    """The noncentral t's distribution function; far out, where scipy has NaN, by a normal (Johnson and Kotz 1970, chapter 31, 6.2)."""
    found = float(special.nctdtr(df, shift, value))
    if found == found:  # noqa: PLR0124 - not NaN
        return found
    return float(special.ndtr((value * (1 - 1 / (4 * df)) - shift) / sqrt(1 + value**2 / (2 * df))))


def _check(design: Design, effect: float, alpha: float, ratio: float) -> None:
    if not (0 < alpha < 1 and ratio > 0):
        message = f"alpha ({alpha}) lies between 0 and 1, the ratio of the arms ({ratio}) above 0"
        raise ValueError(message)
    if isinstance(design, Mean):
        if not design.sd > 0:
            message = f"a standard deviation is above zero, not {design.sd}"
            raise ValueError(message)
    elif not (0 < design.baseline < 1 and 0 <= design.baseline + effect <= 1):
        message = f"a baseline of {design.baseline} and an effect of {effect} give no rates within 0 and 1"
        raise ValueError(message)
