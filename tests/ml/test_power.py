"""Plans reach what they promise: against statsmodels, and by simulation of the test itself."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.experiments import group_sequential
from ml.experiments.inference import compare_all
from ml.experiments.pairs import pair_of
from ml.experiments.power import Design, Mean, Proportion, days, minimum_detectable_effect, power, sample_size
from ml.moments import Counts

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from statsmodels.stats.power import TTestIndPower
    from statsmodels.stats.proportion import power_proportions_2indep

_ALTERNATIVES = pytest.mark.parametrize("alternative", ["two-sided", "larger", "smaller"])


@_ALTERNATIVES
@given(effect=st.floats(-1, 1), n=st.integers(3, 500), ratio=st.floats(0.3, 3))
def test_power_of_means_is_that_of_statsmodels(alternative: str, effect: float, n: int, ratio: float) -> None:
    expected = TTestIndPower().power(effect, n, 0.05, ratio, alternative=alternative)
    found = power(Mean(2.0), effect * 2.0, n, ratio, 0.05, alternative)
    if np.isnan(expected):  # statsmodels has none far out in the tails
        assert found in (pytest.approx(0.0, abs=1e-6), pytest.approx(1.0, abs=1e-6))
    else:
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-8)


@given(base=st.floats(0.05, 0.9), effect=st.floats(-0.04, 0.09), n=st.integers(50, 20_000), ratio=st.floats(0.3, 3))
def test_power_of_proportions_is_that_of_statsmodels(base: float, effect: float, n: int, ratio: float) -> None:
    expected = power_proportions_2indep(effect, base, n * ratio, 1 / ratio, alpha=0.05).power  # its first group is treatment
    assert power(Proportion(base), effect, n, ratio) == pytest.approx(expected, abs=1e-9)


@_ALTERNATIVES
@pytest.mark.parametrize("design", [Proportion(0.05), Proportion(0.6), Mean(3.0)], ids=str)
@pytest.mark.parametrize("target", [0.5, 0.8, 0.95])
def test_sample_size_and_effect_are_inverse(alternative: str, design: Design, target: float) -> None:
    effect = -0.02 if alternative == "smaller" else 0.02
    n = sample_size(design, effect, target, 1.5, 0.05, alternative)
    assert power(design, effect, n, 1.5, 0.05, alternative) >= target > power(design, effect, n - 1, 1.5, 0.05, alternative)
    found = minimum_detectable_effect(design, n, target, 1.5, 0.05, alternative)
    assert found == pytest.approx(effect, rel=2e-3)
    assert power(design, found, n, 1.5, 0.05, alternative) == pytest.approx(target, abs=1e-6)


def test_planned_power_is_reached() -> None:
    n = sample_size(Proportion(0.05), 0.01, 0.8)
    rng = np.random.default_rng(1)
    found = compare_all(pair_of(Counts(n, rng.binomial(n, 0.05, 20_000)), Counts(n, rng.binomial(n, 0.06, 20_000))))
    assert (found.p_value <= 0.05).mean() == pytest.approx(0.8, abs=0.012)


def test_published_sample_sizes() -> None:
    """Fleiss, Levin and Paik 2003, table A.4 without continuity correction: 0.05 against 0.10 at two-sided 0.05, power 0.80: 435 a group.
    Cohen 1988, table 2.4.1: d = 0.5 at two-sided 0.05, power 0.80: 64 a group."""
    assert sample_size(Proportion(0.05), 0.05) == 435
    assert sample_size(Mean(1.0), 0.5) == 64


def test_what_no_plan_can_find_is_said() -> None:
    with pytest.raises(ValueError, match="no number of units finds"):
        sample_size(Proportion(0.05), 0.0)
    with pytest.raises(ValueError, match="no number of units finds"):
        sample_size(Proportion(0.05), 0.01, alternative="smaller")
    with pytest.raises(ValueError, match="no rates within 0 and 1"):
        power(Proportion(0.05), -0.06, 100)
    with pytest.raises(ValueError, match="above zero"):
        power(Mean(0.0), 1.0, 100)
    assert np.isnan(minimum_detectable_effect(Proportion(0.01), 20, alternative="smaller"))
    assert days(100, 0) == float("inf")


def test_looking_on_the_way_costs_what_the_group_sequential_plan_says() -> None:
    """2.643 is the drift of a fall from 5 % to 4 % with 6,000 units an arm."""
    rng = np.random.default_rng(2)
    looks = np.arange(1, 31)
    n = np.cumsum(np.full((20_000, 30), 200), axis=1)
    a, b = np.cumsum(rng.binomial(200, 0.05, n.shape), 1), np.cumsum(rng.binomial(200, 0.04, n.shape), 1)
    found = compare_all(pair_of(Counts(n, a), Counts(n, b)))
    bounds = group_sequential.boundaries(0.04, (looks / 30).tolist())
    reached = (-found.statistic > bounds).any(axis=1).mean()
    assert reached == pytest.approx(group_sequential.power(0.04, (looks / 30).tolist(), 2.643)[-1], abs=0.012)
