"""E-values have expectation one, and nobody who peeks is fooled more often than said."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from ml.experiments import always_valid
from ml.experiments.deviates import sharpened, z_of_pair
from ml.experiments.pairs import pair_of
from ml.moments import Counts, Moments


@given(units=st.integers(1, 60), share=st.floats(0.1, 0.9), concentration=st.floats(1, 2000))
def test_the_exposure_e_value_has_expectation_one(units: int, share: float, concentration: float) -> None:
    counts = np.array([[k, units - k] for k in range(units + 1)])
    evidence = np.exp(always_valid.exposure_e_value(counts, [share, 1 - share], concentration))
    assert stats.binom.pmf(counts[:, 0], units, share) @ evidence == pytest.approx(1, rel=1e-8)


@given(events=st.integers(1, 60), share=st.floats(0.1, 0.9), less=st.floats(0.2, 1.0))
def test_the_event_e_value_has_expectation_one_and_less_where_treatment_is_better(events: int, share: float, less: float) -> None:
    hits = np.arange(events + 1)
    evidence = np.exp(always_valid.event_e_value(events - hits, hits, share))
    assert stats.binom.pmf(hits, events, share) @ evidence == pytest.approx(1, rel=1e-7)
    assert stats.binom.pmf(hits, events, share * less) @ evidence <= 1 + 1e-9


def test_the_event_e_value_is_its_integral() -> None:
    a, b, share = 10, 25, 0.4
    prior = stats.beta(share * always_valid.EVENT_CONCENTRATION, (1 - share) * always_valid.EVENT_CONCENTRATION)

    def part(p: float) -> float:
        return float(prior.pdf(p) * comb(35, 25) * p**b * (1 - p) ** a)

    total = integrate.quad(part, share, 1)[0] / prior.sf(share)
    expected = np.log(total / stats.binom.pmf(b, a + b, share))
    assert float(always_valid.event_e_value(a, b, share)) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("alternative", ["two-sided", "larger", "smaller"])
def test_the_normal_mixture_is_its_integral(alternative: str) -> None:
    """z = (sum of n unit normals) / sqrt(n); the prior on their mean is normal with variance rho squared."""
    n, rho2 = 400.0, 0.004
    for z in (-2.5, 0.3, 4.0):

        def part(mean: float, z: float = z) -> float:
            return float(stats.norm.pdf(mean, 0, np.sqrt(rho2)) * np.exp(mean * z * np.sqrt(n) - mean**2 * n / 2))

        low, high = {"two-sided": (-1, 1), "larger": (0, 1), "smaller": (-1, 0)}[alternative]
        mass = 1.0 if alternative == "two-sided" else 0.5
        expected = np.log(integrate.quad(part, low, high, epsabs=1e-14, limit=400)[0] / mass)
        assert float(always_valid.mixture(z, n, rho2, alternative)) == pytest.approx(expected, rel=1e-7, abs=1e-9)


def test_interval_and_p_value_are_the_formulas_of_the_paper() -> None:
    """Equations 9, 155 and 161 of arXiv 2103.06476v7, written out as GrowthBook's gbstats does."""
    control, treatment = Counts(4000, 200), Counts(4100, 260)
    pair = pair_of(control, treatment)
    n, alpha = 8100, 0.05
    rho = np.sqrt((-2 * np.log(alpha) + np.log(-2 * np.log(alpha) + 1)) / 5000)
    variance = float(pair.control_variance + pair.treatment_variance)
    width = np.sqrt(variance * n) * np.sqrt(2 * (n * rho**2 + 1) * np.log(np.sqrt(n * rho**2 + 1) / alpha) / (n * rho) ** 2)
    low, high = always_valid.interval(pair, 5000, alpha)
    effect = 260 / 4100 - 0.05
    assert (float(low), float(high)) == pytest.approx((effect - width, effect + width), rel=1e-10)
    z = float(z_of_pair(pair))
    e = np.exp(rho**2 * n * z**2 / (2 * (n * rho**2 + 1))) / np.sqrt(n * rho**2 + 1)
    assert float(always_valid.p_values(always_valid.log_e_value(pair, 5000, alpha)[None])[0]) == pytest.approx(min(1, 1 / e), rel=1e-10)


@pytest.mark.parametrize("alternative", ["two-sided", "larger"])
@pytest.mark.parametrize("metric", ["proportion", "mean"])
def test_peeking_after_every_batch_for_ever_stays_below_alpha(metric: str, alternative: str) -> None:
    """300 looks, the horizon unknown, the tuning wrong by a factor of 20."""
    rng = np.random.default_rng(6)
    runs, looks, batch = 2000, 300, 40
    n = np.broadcast_to(np.cumsum(np.full(looks, batch)), (runs, looks)).astype(float)
    if metric == "proportion":
        a, b = (Counts(n, np.cumsum(rng.binomial(batch, 0.3, (runs, looks)), 1)) for _ in range(2))
    else:
        # a batch's mean and squared deviations of normal values, drawn as such
        a, b = (
            Moments(
                np.full((runs, looks), float(batch)),
                rng.normal(3, 1 / np.sqrt(batch), (runs, looks)),
                rng.chisquare(batch - 1, (runs, looks)),
            ).accumulate()
            for _ in range(2)
        )
    evidence = always_valid.log_e_value(pair_of(a, b), 1200, 0.05, alternative)
    ever = int((evidence.max(axis=1) >= -np.log(0.05)).sum())
    assert ever <= stats.binom.ppf(0.9999, runs, 0.05)
    assert ever >= 20  # it does look


def test_the_interval_covers_the_true_effect_at_all_looks_together() -> None:
    rng = np.random.default_rng(7)
    runs, looks = 2000, 200
    n = np.broadcast_to(np.cumsum(np.full(looks, 50)), (runs, looks)).astype(float)
    a, b = (Counts(n, np.cumsum(rng.binomial(50, rate, (runs, looks)), 1)) for rate in (0.2, 0.25))
    low, high = always_valid.interval(pair_of(a, b), 5000)
    missed = int(((low > 0.05) | (high < 0.05)).any(axis=1).sum())
    assert missed <= stats.binom.ppf(0.9999, runs, 0.05)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.9])
def test_events_at_every_event_stay_below_alpha(share: float) -> None:
    rng = np.random.default_rng(8)
    runs, events = 1500, 200
    hits = np.cumsum(rng.random((runs, events)) < share, axis=1)
    evidence = always_valid.event_e_value(np.arange(1, events + 1) - hits, hits, share)
    assert int((evidence.max(axis=1) >= -np.log(0.05)).sum()) <= stats.binom.ppf(0.9999, runs, 0.05)


def test_exposures_at_every_exposure_stay_below_alpha_and_a_lost_tenth_is_found() -> None:
    rng = np.random.default_rng(9)
    runs, units = 600, 3000

    def most(share: float) -> np.ndarray:
        counts = np.cumsum(rng.random((runs, units)) < share, axis=1)
        return always_valid.exposure_e_value(np.stack([counts, np.arange(1, units + 1) - counts], -1), [1, 1]).max(axis=1)

    assert int((most(0.5) >= -np.log(0.05)).sum()) <= stats.binom.ppf(0.9999, runs, 0.05)
    assert (most(0.55) >= -np.log(0.0015)).mean() > 0.85


def test_an_arm_without_allocation_is_infinite_evidence() -> None:
    found = always_valid.exposure_e_value([[10, 12, 0], [10, 12, 1]], [1, 1, 0])
    assert np.isfinite(found[0]) and found[1] == np.inf


@given(seed=st.integers(0, 10**6), rate=st.floats(0.01, 0.99))
def test_the_correction_for_skewness_vanishes_with_equal_arms_and_many_events(seed: int, rate: float) -> None:
    rng = np.random.default_rng(seed)
    control, treatment = Counts(10**6, rng.binomial(10**6, rate)), Counts(10**6, rng.binomial(10**6, rate))
    pair = pair_of(control, treatment)
    assert float(sharpened(control, treatment, pair)) == pytest.approx(float(z_of_pair(pair)), abs=5e-3)


@pytest.mark.parametrize("hits_are_rare", [True, False])
def test_the_corrected_deviate_has_the_exact_tail(hits_are_rare: bool) -> None:
    """Against the hypergeometric (mid-p), arms of 90 % and 10 %."""
    n, m, events = 9000, 1000, 60
    for here in (1, 3, 6, 10, 14, 20):
        exact = stats.hypergeom.sf(here, n + m, events, m) + stats.hypergeom.pmf(here, n + m, events, m) / 2
        hits = (events - here, here) if hits_are_rare else (n - (events - here), m - here)
        control, treatment = Counts(n, hits[0]), Counts(m, hits[1])
        found = float(sharpened(control, treatment, pair_of(control, treatment)))
        expected = stats.norm.isf(exact) * (1 if hits_are_rare else -1)
        assert found == pytest.approx(expected, abs=0.02)
