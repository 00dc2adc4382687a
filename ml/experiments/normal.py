"""Tails and quantiles of the normal and of Student's t, over arrays.

Here belongs how far out they stay right: survival functions, never 1 - cdf, and never a p-value of 0. Not here: what is tested.
"""

import numpy as np
from scipy import special

from ml.experiments.results import Alternative
from ml.moments import Floats, Number

_LEAST = float(np.nextafter(0.0, 1.0))  # 5e-324: the normal's tail is below it from |z| = 38.5 on


def p_value(statistic: Number, df: Number = np.inf, alternative: Alternative = "two-sided") -> Floats:
    """Probability of a statistic at least as extreme, by Student's t with `df`, normal where it is infinite; at least 5e-324.

    >>> float(p_value(40.0))
    5e-324
    """
    value = np.asarray(statistic, dtype=float)
    away = -np.abs(value) if alternative == "two-sided" else -value if alternative == "larger" else value
    tail = np.where(np.isinf(df), special.ndtr(away), special.stdtr(np.where(np.isinf(df), 1.0, df), away))
    found: Floats = np.maximum(tail * 2 if alternative == "two-sided" else tail, _LEAST)
    return found


def critical(alpha: float, df: Number = np.inf, alternative: Alternative = "two-sided") -> Floats:
    """The quantile that an interval of level 1 - `alpha` reaches out to, in standard errors.

    >>> round(float(critical(0.05)), 6)
    1.959964
    """
    tail = alpha / 2 if alternative == "two-sided" else alpha
    normal = -special.ndtri(tail)
    found: Floats = np.where(np.isinf(df), normal, -special.stdtrit(np.where(np.isinf(df), 1.0, df), tail))
    return found


def z_of(statistic: Number, df: Number = np.inf) -> Floats:
    """The normal deviate with the same tail as a t statistic, so that looks can be judged on one scale.

    >>> round(float(z_of(2.0, 5.0)), 4)
    1.6355
    """
    value, degrees = np.broadcast_arrays(np.asarray(statistic, dtype=float), df)
    tail = np.maximum(special.stdtr(np.where(np.isinf(degrees), 1.0, degrees), -np.abs(value)), _LEAST)
    return np.where(np.isinf(degrees), value, -np.sign(value) * special.ndtri(tail))
