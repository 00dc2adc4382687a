"""Planted truth: p-values are uniform without a difference, and intervals hold the difference as often as they say."""

import numpy as np
import pytest
from scipy import stats

from ml.experiments.inference import compare_all, non_inferior
from ml.experiments.pairs import pair_of
from ml.moments import AnyMoments, Counts, CovariateMoments, Moments, RatioMoments

_RUNS = 4000


def _draw(name: str, rng: np.random.Generator, units: int, effect: float) -> AnyMoments:
    """One arm of every run; the true value is that of the other arm plus `effect`."""
    group = np.repeat(np.arange(_RUNS), units)
    size = group.size
    if name == "proportion":
        return Counts(np.full(_RUNS, float(units)), rng.binomial(units, 0.1 + effect, _RUNS))
    if name == "mean":
        return Moments.from_rows(rng.gamma(2, 2, size) + effect, group, _RUNS)
    if name == "ratio":
        other = 1.0 + rng.poisson(3, size)
        return RatioMoments.from_rows(other * rng.gamma(2, 1 + effect / 2, size), other, group, _RUNS)
    before = rng.gamma(2, 3, size)
    return CovariateMoments.from_rows(before + rng.normal(effect, 2, size), before, group, _RUNS)


_KINDS = pytest.mark.parametrize(
    ("name", "units", "effect"), [("proportion", 1000, 0.02), ("mean", 300, 0.3), ("ratio", 300, 0.2), ("cuped", 300, 0.3)]
)


@_KINDS
def test_p_values_are_uniform_without_a_difference(name: str, units: int, effect: float) -> None:
    rng = np.random.default_rng(11)
    found = compare_all(pair_of(_draw(name, rng, units, 0.0), _draw(name, rng, units + 50, 0.0)))
    assert stats.kstest(found.p_value, "uniform").pvalue > 1e-4
    low, high = stats.binom.interval(0.9999, _RUNS, 0.05)
    assert low <= int((found.p_value <= 0.05).sum()) <= high


@_KINDS
def test_intervals_hold_the_planted_effect_as_often_as_they_say(name: str, units: int, effect: float) -> None:
    rng = np.random.default_rng(12)
    found = compare_all(pair_of(_draw(name, rng, units, 0.0), _draw(name, rng, units, effect)))
    base = {"proportion": 0.1, "mean": 4.0, "ratio": 2.0, "cuped": 6.0}[name]
    low, high = stats.binom.interval(0.9999, _RUNS, 0.95)
    assert low <= int(((found.ci_low <= effect) & (effect <= found.ci_high)).sum()) <= high
    lift = effect / base
    assert low <= int(((found.lift_low <= lift) & (lift <= found.lift_high)).sum()) <= high


def test_cuped_narrows_the_interval_by_what_the_covariate_tells() -> None:
    rng = np.random.default_rng(13)
    arms = [_draw("cuped", rng, 300, 0.0) for _ in range(2)]
    assert all(isinstance(arm, CovariateMoments) for arm in arms)
    plain = compare_all(pair_of(*(Moments(arm.n, arm.mean, arm.m2) for arm in arms)))  # type: ignore[union-attr]
    adjusted = compare_all(pair_of(*arms))
    correlation2 = 18 / (18 + 4)  # variance 2 * 3**2 of the covariate, 4 of the rest
    assert np.median(adjusted.standard_error / plain.standard_error) == pytest.approx(np.sqrt(1 - correlation2), rel=0.02)


def test_non_inferiority_is_alleged_of_a_treatment_at_the_margin_as_rarely_as_said() -> None:
    rng = np.random.default_rng(14)
    pair = pair_of(Counts(np.full(_RUNS, 5000.0), rng.binomial(5000, 0.1, _RUNS)), Counts(5000, rng.binomial(5000, 0.09, _RUNS)))
    low, high = stats.binom.interval(0.9999, _RUNS, 0.05)
    for found in (non_inferior(pair, 0.01), non_inferior(pair, 0.1, is_relative=True)):
        assert low <= int((found.p_value <= 0.05).sum()) <= high
