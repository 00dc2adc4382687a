"""Two shares compared exactly, for p-values far out in the tail: what chance alone would have to have done.

Here belongs Fisher's test, elementwise over arrays. Not here: which shares are compared (`evidence`). A chi-square p-value of 1e-6 of a
cell that expects 5 rows is wrong by a factor of 100; the level of one weekly look of one of 50 columns is that small.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ml.moments import Floats


def tail(hits: ArrayLike, rows: ArrayLike, all_hits: ArrayLike, all_rows: ArrayLike) -> Floats:
    """At least this much: an upper bound of P(X ≥ hits), X hypergeometric; exact at the ends, within a few percent in the tail.

    The probability falls from term to term ever faster (it is log-concave), so the sum is at most a geometric series with the ratio of its
    first two terms (Feller 1968, VI.3, for the binomial). It is never below the exact value.

    Args:
        hits: of `rows` drawn.
        rows: drawn.
        all_hits: in the pool.
        all_rows: in the pool, the drawn ones included.

    >>> from scipy import stats
    >>> exact = stats.hypergeom.sf(29, 1000, 100, 150)  # 30 of 150 drawn, where 100 of all 1,000 are hits
    >>> bool(exact <= tail(30, 150, 100, 1000) <= 1.5 * exact)
    True
    """
    x, n, k, total = (np.asarray(each, dtype=np.float64) for each in (hits, rows, all_hits, all_rows))
    certain = x <= np.maximum(0, n + k - total)
    impossible = x > np.minimum(n, k)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = (k - x) * (n - x) / ((x + 1) * (total - k - n + x + 1))
        first = np.exp(_log_choose(k, x) + _log_choose(total - k, n - x) - _log_choose(total, n))
        bound = np.where(ratio < 1, first / (1 - ratio), 1.0)
    return np.asarray(np.where(certain, 1.0, np.where(impossible, 0.0, np.minimum(bound, 1.0))))


def two_sided(hits: ArrayLike, rows: ArrayLike, hits_before: ArrayLike, rows_before: ArrayLike) -> Floats:
    """Whether a share differs from what it was: twice the smaller tail, at most 1. Never below the exact p-value of that definition.

    >>> float(two_sided(0, 0, 5, 10))
    1.0
    """
    x, n, y, m = (np.asarray(each, dtype=np.float64) for each in (hits, rows, hits_before, rows_before))
    more, less = tail(x, n, x + y, n + m), tail(n - x, n, n - x + m - y, n + m)
    return np.asarray(np.minimum(2 * np.minimum(more, less), 1.0))


def _log_choose(n: Floats, k: Floats) -> Floats:
    return np.asarray(special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1))
