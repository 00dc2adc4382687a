"""Comparisons are those of the libraries and of published examples."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ml.experiments.inference import compare, compare_all, delta_lift, fieller, newcombe, non_inferior
from ml.experiments.normal import critical
from ml.experiments.pairs import cuped_slope, pair_of
from ml.experiments.results import Comparison, NotEnoughData
from ml.moments import Counts, CovariateMoments, Moments, RatioMoments

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import statsmodels.api as sm
    from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest
    from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

_ALTERNATIVES = pytest.mark.parametrize("alternative", ["two-sided", "larger", "smaller"])
_UNITS = st.integers(1, 100_000)


@_ALTERNATIVES
@given(n=_UNITS, m=_UNITS, data=st.data())
def test_proportions_are_those_of_statsmodels(alternative: str, n: int, m: int, data: st.DataObject) -> None:
    a, b = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    found = compare(Counts(n, a), Counts(m, b), alternative=alternative)
    if a + b in (0, n + m):
        assert isinstance(found, NotEnoughData)
        return
    z, p = proportions_ztest([b, a], [m, n], alternative=alternative)
    assert isinstance(found, Comparison)
    assert found.statistic == pytest.approx(z, rel=1e-10, abs=1e-12)
    assert found.p_value == pytest.approx(p, rel=1e-8, abs=1e-300)
    if alternative == "two-sided" and found.standard_error > 0:
        low, high = confint_proportions_2indep(b, m, a, n, method="wald")
        assert (found.ci_low, found.ci_high) == pytest.approx((low, high), rel=1e-10, abs=1e-12)
    low, high = newcombe(Counts(n, a), Counts(m, b))
    assert (float(low), float(high)) == pytest.approx(confint_proportions_2indep(b, m, a, n, method="newcomb"), rel=1e-9, abs=1e-10)


@_ALTERNATIVES
@given(seed=st.integers(0, 10**6), n=st.integers(2, 60), m=st.integers(2, 60), scale=st.floats(0.1, 10))
def test_means_are_those_of_scipy(alternative: str, seed: int, n: int, m: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(5, 1, n), rng.normal(5.5, scale, m)
    found = compare(Moments.from_rows(a), Moments.from_rows(b), alternative=alternative)
    words = {"two-sided": "two-sided", "larger": "greater", "smaller": "less"}[alternative]
    expected = stats.ttest_ind(b, a, equal_var=False, alternative=words)
    interval = expected.confidence_interval(0.95)
    assert isinstance(found, Comparison)
    assert (found.statistic, found.df) == pytest.approx((expected.statistic, expected.df), rel=1e-10)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-10)
    assert (found.ci_low, found.ci_high) == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_means_are_those_of_statsmodels_too() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.gamma(2, 3, 40), rng.gamma(2.5, 3, 55)
    found = compare(Moments.from_rows(a), Moments.from_rows(b))
    both = CompareMeans(DescrStatsW(b), DescrStatsW(a))
    t, p, df = both.ttest_ind(usevar="unequal")
    assert isinstance(found, Comparison)
    assert (found.statistic, found.p_value, found.df) == pytest.approx((t, p, df), rel=1e-10)
    assert (found.ci_low, found.ci_high) == pytest.approx(both.tconfint_diff(usevar="unequal"), rel=1e-10)


@given(seed=st.integers(0, 10**6), n=st.integers(4, 80), m=st.integers(4, 80))
def test_a_ratio_is_the_mean_of_what_is_left_of_each_unit(seed: int, n: int, m: int) -> None:
    """Delta method the slow way: value - R * other by unit, over the mean of other."""
    rng = np.random.default_rng(seed)
    made, variances, ratios = [], [], []
    for size in (n, m):
        other = 1.0 + rng.poisson(3, size)
        value = other * rng.gamma(2, 2, size)
        ratio = value.sum() / other.sum()
        left = (value - ratio * other) / other.mean()
        ratios.append(ratio)
        variances.append(left.var(ddof=1) / size)
        made.append(RatioMoments.from_rows(value, other))
    found = compare(*made)
    assert isinstance(found, Comparison)
    assert (found.control, found.treatment) == pytest.approx(ratios, rel=1e-12)
    assert found.standard_error == pytest.approx(np.sqrt(sum(variances)), rel=1e-9)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(ratios[1] - ratios[0]) / np.sqrt(sum(variances))), rel=1e-8)


@given(seed=st.integers(0, 10**6), n=st.integers(5, 80), m=st.integers(5, 80))
def test_cuped_is_the_analysis_of_covariance(seed: int, n: int, m: int) -> None:
    """The effect is the coefficient of treatment in a regression on treatment and covariate, the slope that of the covariate."""
    rng = np.random.default_rng(seed)
    x = rng.gamma(2, 3, n + m)
    treated = np.r_[np.zeros(n), np.ones(m)]
    y = 2 + 0.7 * x + 0.5 * treated + rng.normal(0, 1, n + m)
    fit = sm.OLS(y, sm.add_constant(np.column_stack([treated, x]))).fit()
    arms = [CovariateMoments.from_rows(y[treated == arm], x[treated == arm]) for arm in (0, 1)]
    found = compare(*arms)
    assert isinstance(found, Comparison)
    assert found.effect == pytest.approx(fit.params[1], rel=1e-8, abs=1e-9)
    assert float(cuped_slope(*arms)) == pytest.approx(fit.params[2], rel=1e-9)
    left = [y[treated == arm] - fit.params[2] * x[treated == arm] for arm in (0, 1)]
    assert found.p_value == pytest.approx(stats.ttest_ind(*left, equal_var=False).pvalue, rel=1e-7)


def test_a_covariate_that_tells_nothing_changes_nothing() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(0, 1, 30), rng.normal(0.5, 1, 40)
    plain = compare(Moments.from_rows(a), Moments.from_rows(b))
    constant = compare(CovariateMoments.from_rows(a, np.full(30, 7.0)), CovariateMoments.from_rows(b, np.full(40, 7.0)))
    assert isinstance(plain, Comparison) and isinstance(constant, Comparison)
    assert constant.p_value == pytest.approx(plain.p_value, rel=1e-12)


@given(n=st.integers(100, 5000), m=st.integers(100, 5000), data=st.data())
def test_fieller_bounds_are_the_roots_of_its_quadratic(n: int, m: int, data: st.DataObject) -> None:
    pair = pair_of(Counts(n, data.draw(st.integers(1, n - 1))), Counts(m, data.draw(st.integers(1, m - 1))))
    reach = float(critical(0.05))
    low, high = (float(each) for each in fieller(pair, reach))
    c, t, vc, vt = (float(each) for each in (pair.control, pair.treatment, pair.control_variance, pair.treatment_variance))
    roots = np.sort(np.roots([c**2 - reach**2 * vc, -2 * c * t, t**2 - reach**2 * vt]))
    if c**2 > reach**2 * vc:
        assert (low, high) == pytest.approx(tuple(roots - 1), rel=1e-6, abs=1e-9)
    else:
        assert np.isnan(low) and np.isnan(high)


def test_published_aspirin_trial() -> None:
    """Physicians' Health Study in Agresti, Introduction to Categorical Data Analysis, 2nd edition, 2.2.2: difference 0.0077, interval
    (0.005, 0.011), standard error 0.0015."""
    found = compare(Counts(11_037, 104), Counts(11_034, 189))
    assert isinstance(found, Comparison)
    assert round(found.effect, 4) == 0.0077
    assert round(found.standard_error, 4) == 0.0015
    assert (round(found.ci_low, 3), round(found.ci_high, 3)) == (0.005, 0.011)


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [  # Newcombe 1998, Statistics in Medicine 17, table II, method 10: examples (a), (b), (c), (d), (e), (h)
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_newcombe_published_examples(one: tuple[int, int], other: tuple[int, int], low: float, high: float) -> None:
    found = newcombe(Counts(other[1], other[0]), Counts(one[1], one[0]))
    assert (round(float(found[0]), 4), round(float(found[1]), 4)) == (low, high)


def test_delta_lift_is_its_formula_and_near_fieller_when_control_is_well_known() -> None:
    pair = pair_of(Counts(100_000, 5000), Counts(100_000, 5300))
    low, high = (float(each) for each in delta_lift(pair))
    exact = tuple(float(each) for each in fieller(pair, critical(0.05)))
    assert (low, high) == pytest.approx(exact, abs=1e-3)
    assert (low + high) / 2 == pytest.approx(0.06, rel=1e-9)


def test_non_inferiority_is_a_shifted_test() -> None:
    rng = np.random.default_rng(8)
    a, b = rng.normal(10, 2, 300), rng.normal(9.9, 2, 280)
    pair = pair_of(Moments.from_rows(a), Moments.from_rows(b))
    for margin in (0.1, 0.5):
        found = non_inferior(pair, margin)[()]
        expected = stats.ttest_ind(b + margin, a, equal_var=False, alternative="greater").pvalue
        assert isinstance(found, Comparison)
        assert found.p_value == pytest.approx(expected, rel=1e-9)
        lower = non_inferior(pair, margin, higher_is_better=False)[()]
        assert isinstance(lower, Comparison)
        assert lower.p_value == pytest.approx(stats.ttest_ind(b - margin, a, equal_var=False, alternative="less").pvalue, rel=1e-9)
    relative = non_inferior(pair, 0.05, is_relative=True)[()]
    assert isinstance(relative, Comparison)
    shifted = (b.mean() - 0.95 * a.mean()) / np.sqrt(b.var(ddof=1) / 280 + 0.95**2 * a.var(ddof=1) / 300)
    assert relative.statistic == pytest.approx(shifted, rel=1e-10)
    with pytest.raises(ValueError, match="above zero"):
        non_inferior(pair, 0.0)


def test_arrays_are_what_single_comparisons_are() -> None:
    rng = np.random.default_rng(9)
    n, hits = rng.integers(1, 500, (2, 50)).astype(float), None
    hits = np.floor(rng.random((2, 50)) * (n + 1))
    every = list(compare_all(pair_of(Counts(n[0], hits[0]), Counts(n[1], hits[1]))))
    for place, found in enumerate(every):
        alone = compare(Counts(n[0, place], hits[0, place]), Counts(n[1, place], hits[1, place]))
        assert type(found) is type(alone)
        assert repr(found) == repr(alone)


def test_two_kinds_are_not_compared() -> None:
    with pytest.raises(TypeError, match="Counts cannot be compared with Moments"):
        compare(Counts(10, 5), Moments(10, 0.5, 1.0))
