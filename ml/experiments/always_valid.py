"""Looking as often as one likes: e-values and intervals that hold at all looks together, with no horizon.

Here belong the normal mixture (any metric, asymptotic), and the exact e-values of counts: events by arm, exposures by arm. Not here: a
declared horizon, which finds more for the same level (`group_sequential`). An e-value is evidence whose expectation under the null is at
most 1 at any stopping time, so it reaches 1/alpha at any look with chance at most alpha (Ville's inequality); logarithms throughout.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ml.experiments.deviates import z_of_pair
from ml.experiments.pairs import Pair
from ml.experiments.results import Alternative
from ml.moments import Floats, Number

EXPOSURE_CONCENTRATION = 1_000.0  # of the prior on shares: expects deviations of about 1.6 points at 50 %, the size real mismatches have
EVENT_CONCENTRATION = 5.0  # of the prior on the share of events: expects shares about 20 points off at 50 %, rates 2.3 times control's


def rho_squared(n_best: float, alpha: float = 0.05, alternative: Alternative = "two-sided") -> float:
    """The mixture's tuning parameter with which the interval is nearly the shortest at `n_best` units of both arms.

    Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences", arXiv
    2103.06476, the approximate optimum. Any value is valid; it must not depend on the data.

    >>> round(rho_squared(5000), 6)
    0.001587
    """
    level = 2 * np.log(1 / (alpha if alternative == "two-sided" else 2 * alpha))
    return float((level + np.log(level + 1)) / n_best)


def log_e_value(pair: Pair, n_best: float, alpha: float = 0.05, alternative: Alternative = "two-sided") -> Floats:
    """Log evidence against "no difference" at each look, by mixing over effects with a normal (half-normal if one-sided) prior.

    Two-sided: Waudby-Smith and others, as above; one-sided: Howard, Ramdas, McAuliffe and Sekhon 2021, "Time-uniform,
    nonparametric, nonasymptotic confidence sequences", their one-sided normal mixture. The z statistic is that of the
    pair (a t statistic by its tail), time is units of both arms.

    Args:
        pair: cumulative moments at each look, any shape.
        n_best: units of both arms at which it is tuned to be sharpest, fixed beforehand.
        alpha: level that it is tuned for; any level may be used.
        alternative: which difference is looked for.

    Returns:
        array of the pair's shape, -inf where there is not enough data.

    >>> from ml.experiments.pairs import pair_of
    >>> from ml.moments import Counts
    >>> round(float(log_e_value(pair_of(Counts(5000, 250), Counts(5000, 350)), n_best=10_000)), 2)
    6.78
    """
    return mixture(z_of_pair(pair), pair.n, rho_squared(n_best, alpha, alternative), alternative)


def mixture(z: Number, n: Number, rho2: float, alternative: Alternative = "two-sided") -> Floats:
    """The normal mixture's log e-value of a z statistic at `n` units; see `log_e_value`."""
    grown = np.asarray(n, dtype=float) * rho2
    scaled = z * np.sqrt(grown / (1 + grown))
    found = scaled**2 / 2 - np.log1p(grown) / 2
    if alternative != "two-sided":
        found = found + np.log(2) + special.log_ndtr(scaled if alternative == "larger" else -scaled)
    return np.where(np.isnan(found), -np.inf, found)


def interval(pair: Pair, n_best: float, alpha: float = 0.05) -> tuple[Floats, Floats]:
    """An interval of the effect that covers it at all looks together with chance 1 - `alpha`.

    Waudby-Smith and others, arXiv 2103.06476, equation 9 (number by memory), as in their R code (`std_conjmix_margin`): standard deviation
    times sqrt(2 (t rho^2 + 1) log(sqrt(t rho^2 + 1) / alpha) / (t^2 rho^2)). NaN where there is not enough data.

    >>> from ml.experiments.pairs import pair_of
    >>> from ml.moments import Counts
    >>> low, high = interval(pair_of(Counts(5000, 250), Counts(5000, 350)), n_best=10_000)
    >>> round(float(low), 4), round(float(high), 4)
    (0.0056, 0.0344)
    """
    grown = pair.n * rho_squared(n_best, alpha)
    with np.errstate(all="ignore"):
        reach = np.sqrt((grown + 1) / grown * (np.log1p(grown) - 2 * np.log(alpha)))
        half = reach * np.sqrt(pair.control_variance + pair.treatment_variance)
    return pair.treatment - pair.control - half, pair.treatment - pair.control + half


def p_values(log_e: ArrayLike) -> Floats:
    """Always-valid p-values along the last axis (looks): the least of 1 / e so far, at most 1, at least 5e-324.

    Johari, Koomen, Pekelis and Walsh 2022, "Always valid inference: continuous monitoring of A/B tests".

    >>> p_values([0.0, 4.0, 1.0]).round(4).tolist()
    [1.0, 0.0183, 0.0183]
    """
    most = np.maximum.accumulate(np.asarray(log_e, dtype=float), axis=-1)
    return np.maximum(np.exp(-np.maximum(most, 0.0)), np.nextafter(0.0, 1.0))


def exposure_e_value(counts: ArrayLike, weights: ArrayLike, concentration: float = EXPOSURE_CONCENTRATION) -> Floats:
    """Log evidence for a sample ratio mismatch: Dirichlet-multinomial against the allocation. Exact, at every exposure.

    Lindon and Malek 2022, "Anytime-valid inference for multinomial count data", NeurIPS 35, their Bayes factor.

    Args:
        counts: units by arm so far, (..., arms).
        weights: allocation by arm, any scale, (arms,). Units in an arm of weight zero are infinite evidence.
        concentration: of the prior, centred on the allocation; larger expects smaller mismatches.

    >>> round(float(exposure_e_value([10_400, 9_600], [1, 1])), 2)
    13.72
    """
    seen, given = np.asarray(counts, dtype=float), np.asarray(weights, dtype=float)
    live = given > 0
    shares = given[live] / given.sum()
    prior = shares * concentration
    there = seen[..., live]
    found = special.gammaln(prior + there).sum(-1) - special.gammaln(prior).sum() - special.gammaln(concentration + there.sum(-1))
    found = found + special.gammaln(concentration) - (there * np.log(shares)).sum(-1)
    return np.where(seen[..., ~live].sum(-1) > 0, np.inf, found)


def event_e_value(control_hits: ArrayLike, treatment_hits: ArrayLike, share: float, concentration: float = EVENT_CONCENTRATION) -> Floats:
    """Log evidence that treatment has more than its share of events. Exact however rare the events, at every event.

    If the rates do not differ, each event falls into treatment with chance `share`, its part of the allocation; the mixture is a beta prior
    centred there and cut off below (Lindon and Malek 2022, made one-sided). Rates may drift: both arms drift alike.

    Args:
        control_hits: events in control so far, any shape.
        treatment_hits: events in treatment so far, the same shape.
        share: treatment's part of the allocation of both, strictly between 0 and 1.
        concentration: of the prior; larger expects smaller harm.

    >>> round(float(event_e_value(10, 30, 0.5)), 2)
    4.26
    """
    control, treatment = np.asarray(control_hits, dtype=float), np.asarray(treatment_hits, dtype=float)
    a, b = share * concentration, (1 - share) * concentration
    log_ratio = special.betaln(a + treatment, b + control) - special.betaln(a, b)
    with np.errstate(divide="ignore"):
        above = np.log(special.betaincc(a + treatment, b + control, share)) - np.log(special.betaincc(a, b, share))
    found: Floats = log_ratio + above - treatment * np.log(share) - control * np.log1p(-share)
    return found
