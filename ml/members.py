"""The members of a model, and its calibration: what is fitted to encoded rows.

Here belong the logistic regressions, the trees, the slope and the level of their mean, and the typical row. Not here: which rows they are
fitted to (`ml.training`), what their mean says of new rows (`ml.lead_scoring`).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from scipy.special import expit

from ml.columns import Floats
from ml.features import CategoryLevels, Encoded, Encoder

_HALF_LIVES = (None, 0.25)
_SLOPE_SD, _SHIFT_SD = 0.3, 0.5
"""Of the priors of calibration: how far slope and level may lie from none before the rows must speak loudly."""


def fit(encoded: Encoded, y: Floats, weight: Floats) -> tuple[Floats, tuple[Any, ...]]:
    """The mean line of the logistic members, intercept last, and the trees; rows in their order in time."""
    weights = [weight * recency(len(y), each) for each in _HALF_LIVES]
    lines = [logistic(encoded, y, each) for each in weights]
    mean = np.mean([np.r_[each.coef_[0], each.intercept_[0]] for each in lines], axis=0)
    return mean, tuple(trees(encoded, y, each) for each in weights)


def logistic(encoded: Encoded, y: Floats, weight: Floats) -> Any:
    """A logistic regression with a ridge, fitted."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=0.1, max_iter=1000).fit(encoded.linear, y, sample_weight=weight)


def trees(encoded: Encoded, y: Floats, weight: Floats) -> Any:
    """Boosted trees with at most two features on any path, fitted."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    raw = np.column_stack([_snapped(column) for column in encoded.raw.T])
    return HistGradientBoostingClassifier(
        max_iter=60,
        learning_rate=0.08,
        max_leaf_nodes=12,
        min_samples_leaf=max(10, min(40, len(y) // 50)),
        l2_regularization=1.0,
        interaction_cst="pairwise",
        early_stopping=False,
        random_state=0,
    ).fit(raw, y, sample_weight=weight)


def _snapped(column: Floats) -> Floats:
    """At most 200 values, each the least of its bin: scikit-learn's own bins took nine tenths of a fit with weights (0.67 of 0.9 s)."""
    known = ~np.isnan(column)
    edges = np.unique(np.quantile(column[known], np.linspace(0, 1, 200), method="lower")) if known.any() else column[:1]
    found = column.copy()
    found[known] = edges[np.searchsorted(edges, column[known], side="right") - 1]
    return found


def recency(rows: int, half_life: float | None) -> Floats:
    """Weights that halve with each `half_life` of the rows (as a share of them) before the last."""
    if half_life is None:
        return np.ones(rows)
    return np.asarray(0.5 ** ((rows - 1 - np.arange(rows)) / (half_life * rows)))


def typical(encoded: Encoded, encoder: Encoder) -> Encoded:
    """The median of each number and the most frequent category: the lead against which parts are counted. One row."""
    raw, linear = np.empty((1, encoded.raw.shape[1])), np.zeros((1, encoded.linear.shape[1]))
    for place, reader in enumerate(encoder.readers):
        own = np.flatnonzero(encoder.owners == place)
        values = encoded.raw[:, place]
        if isinstance(reader, CategoryLevels):
            code = int(encoded.linear[:, own].sum(axis=0).argmax())
            raw[0, place], linear[0, own[code]] = reader.rates[code], 1.0
        else:
            known = np.flatnonzero(~np.isnan(values))
            row = known[np.argsort(values[known], kind="stable")[(len(known) - 1) // 2]]  # a value that there is
            raw[0, place], linear[0, own] = values[row], encoded.linear[row, own]
    return Encoded(linear, raw)


def slope(z: Floats, y: Floats, weight: Floats, block: NDArray[Any]) -> float:
    """Platt's slope under a prior around 1, each block of time with a level of its own: the level may have moved, which is no slope."""
    count = int(block.max()) + 1
    levels = np.eye(count)[block]

    def loss(beta: Floats) -> tuple[float, Floats]:
        eta = beta[0] * z + levels @ beta[1:]
        gap = weight * (expit(eta) - y)
        off = beta - np.r_[1.0, np.zeros(count)]
        pull = off / np.r_[_SLOPE_SD, np.full(count, 1.0)] ** 2
        return float(weight @ (np.logaddexp(0, eta) - y * eta) + 0.5 * off @ pull), np.r_[gap @ z, gap @ levels] + pull

    found = minimize(loss, np.r_[1.0, np.zeros(count)], jac=True, method="L-BFGS-B").x
    return float(np.clip(found[0], 0.05, 3.0))


def level(z: Floats, y: Floats, weight: Floats) -> float:
    """How far the last outcomes lie from what was said of them, in log-odds, under a prior around 0."""

    def gap(shift: float) -> float:
        return float(weight @ (expit(z + shift) - y) + shift / _SHIFT_SD**2)

    return float(brentq(gap, -50, 50))
