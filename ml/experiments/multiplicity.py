"""Several questions at once: p-values adjusted so that one level holds for all of them.

Here belong Holm (the chance of any false claim) and Benjamini-Hochberg (the share of false claims). Not here: several looks
(`always_valid`, `group_sequential`), and which questions make a family (the caller: metrics and arms of one experiment, guardrails too).
"""

import numpy as np
from numpy.typing import ArrayLike

from ml.moments import Floats


def holm(p_values: ArrayLike) -> Floats:
    """Adjusted p-values (..., m), a family along the last axis: Holm 1979, "A simple sequentially rejective multiple test procedure".

    A claim at level alpha where the adjusted p is at most alpha: the chance of any false one is at most alpha, however they depend. NaN are
    questions without an answer: they stay NaN and do not count.

    >>> holm([0.01, 0.04, 0.03]).round(4).tolist()
    [0.03, 0.06, 0.06]
    """
    p, order, m = _ranked(p_values)
    scaled = p * (m - np.arange(p.shape[-1]))
    return _unranked(np.minimum(np.maximum.accumulate(scaled, axis=-1), 1.0), order)


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """Adjusted p-values (..., m), a family along the last axis: Benjamini and Hochberg 1995, "Controlling the false discovery rate".

    Claiming where the adjusted p is at most alpha, the expected share of false claims is at most alpha if the questions are independent
    or positively dependent. NaN stay NaN and do not count.

    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(4).tolist()
    [0.03, 0.04, 0.04]
    """
    p, order, m = _ranked(p_values)
    scaled = p * m / np.arange(1, p.shape[-1] + 1)
    from_above = np.fmin.accumulate(scaled[..., ::-1], axis=-1)[..., ::-1]
    return _unranked(np.where(np.isnan(p), np.nan, np.minimum(from_above, 1.0)), order)


def _ranked(p_values: ArrayLike) -> tuple[Floats, np.ndarray[tuple[int, ...], np.dtype[np.intp]], Floats]:
    """Sorted p-values, NaN last, with their places and the size of each family."""
    p = np.asarray(p_values, dtype=float)
    if ((p < 0) | (p > 1)).any():
        message = "a p-value is between 0 and 1"
        raise ValueError(message)
    order = np.argsort(p, axis=-1, kind="stable")
    return np.take_along_axis(p, order, -1), order, np.sum(~np.isnan(p), axis=-1, keepdims=True)


def _unranked(adjusted: Floats, order: np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> Floats:
    found = np.empty_like(adjusted)
    np.put_along_axis(found, order, adjusted, -1)
    return found
