"""Looking at many times up to a declared horizon: boundaries that spend a level over the looks.

Here belong spending functions, boundaries by numerical integration, and the power of looking on the way. Not here: looking without a
horizon (`always_valid`). A look's boundary depends on the looks before it alone, so neither their number nor their times need be
planned, only they must not be chosen by the results (Lan and DeMets 1983); the schedule of a sensor is not.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Literal

import numpy as np
from scipy import optimize, special

from ml.moments import Floats

Spending = Literal["obrien-fleming", "pocock", "linear"]

_FARTHEST = 12.0  # a boundary that no statistic reaches: tail 1.8e-33
_LEAST_SPENT = 1e-15
_TAIL = 9.0  # standard errors of the grid below; the mass beyond is 1e-19
_NODES = 16.0  # for 8 standard deviations of the smaller of two increments: what is spent is right to 1e-10; with 12 only to 5e-7
_FEWEST_NODES, _MOST_NODES = 96, 1_200

_SPENT: dict[Spending, Callable[[float, float], float]] = {
    # Lan and DeMets 1983, "Discrete sequential boundaries for clinical trials", equations for alpha_1 and alpha_2, one-sided
    "obrien-fleming": lambda alpha, t: float(2 * special.ndtr(special.ndtri(alpha / 2) / np.sqrt(t))) if t > 0 else 0.0,
    "pocock": lambda alpha, t: float(alpha * np.log1p((np.e - 1) * t)),
    # Kim and DeMets 1987 with power 1: the same chance of a false alarm on each day
    "linear": lambda alpha, t: alpha * t,
}


def spent(spending: Spending, alpha: float, time: float) -> float:
    """The part of `alpha` (one-sided) spent by `time`, which runs from 0 to 1 at the horizon and stays there.

    >>> round(spent("linear", 0.04, 0.25), 6)
    0.01
    """
    return _SPENT[spending](alpha, min(max(time, 0.0), 1.0))


def boundaries(alpha: float, times: Sequence[float], information: Sequence[float] | None = None, spending: Spending = "linear") -> Floats:
    """The z statistic to exceed at each look, one-sided: without a difference the chance of ever doing so is `alpha` by the horizon.

    Lan and DeMets 1983, by the recursive integration of Armitage, McPherson and Rowe 1969 (Jennison and Turnbull 2000, chapter 19). `times`
    say how much may be spent (elapsed share of the horizon: Lan and DeMets 1989), `information` how looks depend on each other.

    Args:
        alpha: one-sided level.
        times: of the looks, rising, as shares of the horizon.
        information: units (or anything in proportion) at each look, rising; `times` if left out.
        spending: how the level is spread over time.

    Returns:
        (looks,). 12 where a look may spend nothing: after the horizon, and where nothing new was seen.

    Raises:
        ValueError: alpha is not between 0 and 1/2, or times or information fall.

    >>> boundaries(0.025, [0.2, 0.4, 0.6, 0.8, 1.0], spending="obrien-fleming").round(4).tolist()
    [4.8769, 3.357, 2.6803, 2.2898, 2.031]
    """
    seen = list(times if information is None else information)
    if not 0 < alpha < 0.5 or len(seen) != len(times):
        message = f"alpha ({alpha}) lies between 0 and 1/2, and each of {len(times)} looks has its information ({len(seen)})"
        raise ValueError(message)
    if any(late < early for each in (times, seen) for early, late in pairwise(each)):
        message = "times and information of looks rise; a look that falls back was made on other data"
        raise ValueError(message)
    found: list[float] = []
    path = _Path(0.0)
    before = (0.0, 0.0)
    for time, amount in zip(times, seen, strict=True):
        budget = spent(spending, alpha, time) - before[0]
        if amount <= before[1] or budget <= _LEAST_SPENT:
            found.append(_FARTHEST)
            continue
        found.append(_boundary(path.tail(amount), budget))
        path.go_on(amount, found[-1])
        before = before[0] + budget, amount
    return np.array(found)


def crossing_probabilities(bounds: Sequence[float], information: Sequence[float], drift: float = 0.0) -> Floats:
    """The chance of crossing first at each look, one-sided, when the z statistic at information I has mean `drift` * sqrt(I).

    Args:
        bounds: of the looks, (looks,).
        information: of the looks, rising.
        drift: mean of the z statistic at information 1.

    >>> round(float(crossing_probabilities([2.413] * 5, [1, 2, 3, 4, 5]).sum()), 3)  # Pocock's constant for two-sided 0.05: half of it
    0.025
    """
    path = _Path(drift)
    found = []
    for bound, amount in zip(bounds, information, strict=True):
        found.append(path.tail(amount)(bound))
        path.go_on(amount, bound)
    return np.array(found)


def power(alpha: float, times: Sequence[float], drift: float, spending: Spending = "linear") -> Floats:
    """The chance to have crossed by each look, when the z statistic at the horizon has mean `drift`.

    `drift` is effect / standard error at the horizon: a fixed test with power 0.8 at one-sided 0.05 has 2.486.

    >>> power(0.05, [0.25, 0.5, 0.75, 1.0], drift=2.486).round(3).tolist()
    [0.159, 0.385, 0.594, 0.751]
    """
    return np.cumsum(crossing_probabilities(boundaries(alpha, times, spending=spending).tolist(), times, drift))


class _Path:
    """Where the score may be after the looks so far. A look's density is worked out at the next one, whose distance says how finely."""

    def __init__(self, drift: float) -> None:
        self._drift = drift
        self._known: _Density | None = None
        self._last: tuple[float, float] | None = None

    def tail(self, amount: float) -> Callable[[float], float]:
        """The chance that the score at information `amount` lies beyond a boundary, and at no look before did."""
        if self._last is not None:
            self._known = _density(self._known, *self._last, self._drift, amount - self._last[0])
            self._last = None
        return _tail(self._known, amount, self._drift)

    def go_on(self, amount: float, bound: float) -> None:
        """Look at `amount`, and stop beyond `bound`."""
        self._last = amount, bound


class _Density:
    """The score's density at a look, of paths that have not crossed, on nodes with weights."""

    __slots__ = ("amount", "mass", "nodes")

    def __init__(self, amount: float, nodes: Floats, mass: Floats) -> None:
        self.amount, self.nodes, self.mass = amount, nodes, mass


def _tail(known: _Density | None, amount: float, drift: float) -> Callable[[float], float]:
    if known is None:
        return lambda bound: float(special.ndtr(drift * np.sqrt(amount) - bound))
    step = amount - known.amount
    reached = known.nodes + drift * step
    return lambda bound: float(known.mass @ special.ndtr((reached - bound * np.sqrt(amount)) / np.sqrt(step)))


def _boundary(tail: Callable[[float], float], budget: float) -> float:
    if tail(_FARTHEST) >= budget:
        return _FARTHEST
    return float(optimize.brentq(lambda bound: tail(bound) - budget, -_TAIL, _FARTHEST, xtol=1e-12))


def _density(known: _Density | None, amount: float, bound: float, drift: float, ahead: float) -> _Density:
    """`ahead`: information from here to the next look, whose kernel these nodes must resolve as well as that of the step to here."""
    step = amount if known is None else amount - known.amount
    middle = drift * np.sqrt(amount)
    low, high = middle - _TAIL, min(bound, middle + _TAIL)
    if high <= low:
        return _Density(amount, np.array([bound * np.sqrt(amount)]), np.zeros(1))
    points, weights = _grid(
        int(np.clip((high - low) * _NODES / 8 * np.sqrt(amount / min(step, ahead)), _FEWEST_NODES, _MOST_NODES)) // 32 * 32
    )
    nodes = (low + (high - low) * (points + 1) / 2) * np.sqrt(amount)
    if known is None:
        values = np.exp(-((nodes - drift * amount) ** 2) / (2 * amount)) / np.sqrt(2 * np.pi * amount)
    else:
        gaps = nodes[:, None] - known.nodes - drift * step
        values = np.exp(-(gaps**2) / (2 * step)) @ known.mass / np.sqrt(2 * np.pi * step)
    return _Density(amount, nodes, values * weights * ((high - low) / 2 * np.sqrt(amount)))


@lru_cache(maxsize=64)
def _grid(nodes: int) -> tuple[Floats, Floats]:
    points, weights = np.polynomial.legendre.leggauss(nodes)
    return points, weights
