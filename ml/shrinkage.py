"""How far each tenant differs from all others: an own level and slope, shrunk towards none by how much is known of it.

Here belongs the hierarchical prior. A tenant with no outcome gets what all together say; one with thousands gets its own. Not here: the
score that is adjusted (`ml.training`).
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

Floats = NDArray[np.float64]
_SPREADS = (0.0, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5)
_SLOPES = (0.0, 0.1, 0.25)


class Effect(NamedTuple):
    """A tenant's log-odds are `shift + (1 + slope) * score`."""

    shift: float = 0.0
    slope: float = 0.0


class Effects(NamedTuple):
    """Effects by tenant, and how much tenants differ: standard deviations of shifts and slopes."""

    of: Mapping[str, Effect]
    shift_spread: float
    slope_spread: float


def effects(score: ArrayLike, outcome: ArrayLike, tenant: ArrayLike, weight: ArrayLike | None = None) -> Effects:
    """Empirical Bayes of a logistic model with a normal prior on every tenant's shift and slope.

    The spreads maximise the marginal likelihood by Laplace's approximation (Bishop 2006, section 4.4) over a small grid; each effect is
    then the most likely one under its prior.

    Args:
        score: log-odds of the pooled model, of rows that it was not fitted to; shape (rows,).
        outcome: 0 or 1.
        tenant: whose row it is.
        weight: of each row; else 1.
    """
    z, y, who = np.asarray(score, dtype=float), np.asarray(outcome, dtype=float), np.asarray(tenant).astype(str)
    w = np.ones(len(z)) if weight is None else np.asarray(weight, dtype=float)
    centred = z - np.average(z, weights=w)  # so that slope and shift are not about the same thing
    parts = {str(name): who == name for name in np.unique(who)}
    best: tuple[float, Effects] | None = None
    for spread in _SPREADS:
        for slope in _SLOPES:
            found, evidence = {}, 0.0
            for name, own in parts.items():
                found[name], part = _fit(z[own], centred[own], y[own], w[own], (spread, slope))
                evidence += part
            if best is None or evidence > best[0] + 1e-9:
                best = evidence, Effects(found, spread, slope)
    assert best is not None  # noqa: S101 — the grid is not empty
    mean = float(np.average(z, weights=w))
    plain = {name: Effect(each.shift - each.slope * mean, each.slope) for name, each in best[1].of.items()}
    return Effects(plain, best[1].shift_spread, best[1].slope_spread)


def _fit(z: Floats, x: Floats, y: Floats, w: Floats, spreads: tuple[float, float]) -> tuple[Effect, float]:
    """The effect of one tenant on `z + shift + slope * x`, and its part of the log evidence."""
    used = [place for place in (0, 1) if spreads[place] > 0]
    design = np.column_stack([np.ones(len(z)), x])[:, used]
    precision = np.array([spreads[place] ** -2 for place in used])
    beta = np.zeros(len(used))
    for _ in range(25):
        p = expit(z + design @ beta)
        gradient = design.T @ (w * (y - p)) - precision * beta
        hessian = (design * (w * p * (1 - p))[:, None]).T @ design + np.diag(precision)
        step = np.linalg.solve(hessian, gradient) if used else beta
        beta = beta + np.clip(step, -1, 1)
        if not used or np.abs(step).max() < 1e-9:
            break
    eta = z + design @ beta
    likelihood = float(w @ (y * eta - np.logaddexp(0, eta)))
    p = expit(eta)
    hessian = (design * (w * p * (1 - p))[:, None]).T @ design + np.diag(precision)
    evidence = (
        likelihood - 0.5 * float(precision @ beta**2) + 0.5 * float(np.log(precision).sum()) - 0.5 * float(np.linalg.slogdet(hessian)[1])
    )
    full = [0.0, 0.0]
    for place, value in zip(used, beta, strict=True):
        full[place] = float(value)
    return Effect(*full), evidence
