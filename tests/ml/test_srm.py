"""Sample ratio mismatch: against scipy, by brute force, and on false alarms."""

from itertools import product
from math import factorial, prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ml.experiments.bias import pre_exposure_bias
from ml.experiments.results import NotEnoughData
from ml.experiments.srm import SampleRatio, sample_ratio, sample_ratios
from ml.moments import CovariateMoments


def _sure(counts: list[float], weights: list[float]) -> SampleRatio:
    found = sample_ratio(counts, weights)
    assert isinstance(found, SampleRatio)
    return found


@given(counts=st.lists(st.integers(200, 10**6), min_size=2, max_size=6), data=st.data())
def test_large_counts_are_those_of_scipy(counts: list[int], data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.floats(0.5, 3), min_size=len(counts), max_size=len(counts)))
    expected = stats.chisquare(counts, np.array(weights) / sum(weights) * sum(counts), sum_check=False)
    found = _sure(counts, weights)
    assert found.method == "chi-square"
    assert (found.statistic, found.p_value) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-9)


@given(a=st.integers(0, 40), b=st.integers(0, 40), share=st.floats(0.05, 0.95))
def test_small_counts_of_two_arms_are_the_exact_binomial_test(a: int, b: int, share: float) -> None:
    if a + b == 0 or min(share, 1 - share) * (a + b) >= 5:
        return
    found = _sure([a, b], [share, 1 - share])
    assert found.method == "exact"
    assert found.p_value == pytest.approx(stats.binomtest(a, a + b, share).pvalue, rel=1e-9)


def test_small_counts_of_three_arms_are_counted_out() -> None:
    shares, seen = (0.5, 0.3, 0.2), (1, 6, 2)

    def chance(counts: tuple[int, ...]) -> float:
        return factorial(9) / prod(map(factorial, counts)) * prod(share**count for share, count in zip(shares, counts, strict=True))

    every = [counts for counts in product(range(10), repeat=3) if sum(counts) == 9]
    expected = sum(chance(counts) for counts in every if chance(counts) <= chance(seen) * (1 + 1e-7))
    assert _sure(list(seen), list(shares)).p_value == pytest.approx(expected, rel=1e-10)


def test_arms_without_allocation() -> None:
    plain = _sure([510, 490], [1, 1])
    assert _sure([510, 0, 490], [1, 0, 1]).p_value == plain.p_value
    leak = _sure([510, 1, 490], [1, 0, 1])
    assert (leak.p_value, leak.is_srm) == (0.0, True)
    assert _sure([10, 0], [1, 0]).p_value == 1.0
    assert isinstance(sample_ratio([0, 0], [1, 1]), NotEnoughData)


@pytest.mark.parametrize(("counts", "weights"), [([1, 2], [1]), ([1, -2], [1, 1]), ([1, 2], [0, 0]), ([float("nan"), 2], [1, 1])])
def test_impossible_counts_are_refused(counts: list[float], weights: list[float]) -> None:
    with pytest.raises(ValueError, match="counts"):
        sample_ratio(counts, weights)


def test_many_at_once_are_what_each_is_alone() -> None:
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 60, (200, 3)) * rng.integers(0, 2, (200, 1))
    weights = rng.choice([0.0, 1.0, 2.0], (200, 3))
    weights[:, 0] = 1.0
    found = sample_ratios(counts, weights)
    for place in range(200):
        alone = sample_ratio(counts[place].tolist(), weights[place].tolist())
        expected = alone.p_value if isinstance(alone, SampleRatio) else np.nan
        assert found[place] == pytest.approx(expected, rel=1e-10, nan_ok=True)


def test_false_alarms_are_as_rare_as_said_and_a_lost_percent_is_found() -> None:
    rng = np.random.default_rng(2)
    fair = rng.multinomial(20_000, [0.5, 0.3, 0.2], 20_000)
    alarms = int((sample_ratios(fair, np.tile([5, 3, 2], (20_000, 1))) < 0.01).sum())
    low, high = stats.binom.interval(0.9999, 20_000, 0.01)
    assert low <= alarms <= high
    lost = rng.multinomial(100_000, [0.51, 0.49], 500)
    assert (sample_ratios(lost, np.ones((500, 2))) < 0.01).mean() > 0.99


def test_bias_before_exposure_is_found_and_rarely_alleged() -> None:
    rng = np.random.default_rng(3)

    def arm(mean: float) -> CovariateMoments:
        return CovariateMoments.from_rows(rng.normal(5, 2, 2000), rng.normal(mean, 2, 2000))

    assert [finding.about for finding in pre_exposure_bias(arm(5.0), {"b": arm(5.0), "c": arm(5.5)})] == ["c"]
    alleged = sum(bool(pre_exposure_bias(arm(5.0), {"b": arm(5.0), "c": arm(5.0)}, alpha=0.05)) for _ in range(300))
    assert alleged <= stats.binom.ppf(0.9999, 300, 0.05)
