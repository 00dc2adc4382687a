"""The normal deviate of a difference at one look, as the sequential tests take it.

Here belongs what makes early looks honest: Student's tails, and skewness where arms are unequal and events few. Not here: the z and t of a
single look, which are the textbook's (`inference`).
"""

import numpy as np
from scipy import special

from ml.experiments.normal import z_of
from ml.experiments.pairs import Pair
from ml.moments import Counts, Floats


def z_of_pair(pair: Pair) -> Floats:
    """The deviate with the tail of the pair's own statistic; NaN where there is not enough data."""
    with np.errstate(all="ignore"):
        return z_of((pair.treatment - pair.control) / np.sqrt(pair.null_variance), pair.df)


def sharpened(control: Counts, treatment: Counts, pair: Pair) -> Floats:
    """The pooled z of two proportions, corrected for skewness.

    The correction is exact minus normal deviate (mid-p) of the number of events that fall into treatment, a binomial given all events.
    Given misses too it is hypergeometric, whose skewness is smaller by 1 - 2 * rate; so is the correction. Events are hits, or misses
    where these are fewer. Measured with arms of 90 % and 10 %, 2 events a day in the smaller and 30 looks at 4 %: 4.8 % false alarms
    without it, 3.7 % with it.

    >>> from ml.experiments.pairs import pair_of
    >>> control, treatment = Counts(n=9_000, hits=90), Counts(n=1_000, hits=20)
    >>> pair = pair_of(control, treatment)
    >>> round(float(z_of_pair(pair)), 3), round(float(sharpened(control, treatment, pair)), 3)
    (2.876, 2.635)
    """
    is_rare = np.asarray(control.hits + treatment.hits) * 2 <= pair.n
    here: Floats = np.where(is_rare, np.asarray(treatment.hits), np.subtract(treatment.n, treatment.hits))
    there: Floats = np.where(is_rare, np.asarray(control.hits), np.subtract(control.n, control.hits))
    events = here + there
    with np.errstate(all="ignore"):
        share = pair.treatment_n / pair.n
        normal = (here - events * share) / np.sqrt(events * share * (1 - share))
        # P(X > here) + P(X = here) / 2 = (P(X >= here) + P(X >= here + 1)) / 2, and alike below; the smaller tail keeps its digits
        above = (_at_least(here, events, share) + _at_least(here + 1, events, share)) / 2
        below = (_at_least(there, events, 1 - share) + _at_least(there + 1, events, 1 - share)) / 2
        exact = np.where(above < below, -special.ndtri(above), special.ndtri(below))
        correction = (exact - normal) * (1 - 2 * events / pair.n)
    signed: Floats = np.where(np.isfinite(correction), correction, 0.0) * np.where(is_rare, 1.0, -1.0)
    return z_of_pair(pair) + signed


def _at_least(count: Floats, events: Floats, share: Floats) -> Floats:
    """The chance of `count` events or more of `events`, at `share` each."""
    found: Floats = special.betainc(np.maximum(count, 1e-9), np.maximum(events - count + 1, 1e-9), share)
    return np.where(count <= 0, 1.0, np.where(count > events, 0.0, found))
