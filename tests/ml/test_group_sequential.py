"""Boundaries are the published ones, and hold and find what they say."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from ml.experiments.group_sequential import boundaries, crossing_probabilities, power, spent

_FIFTHS = [0.2, 0.4, 0.6, 0.8, 1.0]


@pytest.mark.parametrize(
    ("spending", "alpha", "published"),
    [  # as remembered, not looked up: Lan-DeMets program of Reboussin and others 2000 (R package ldbounds), five equal looks; its last digit is off by one here and there
        ("obrien-fleming", 0.025, [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]),
        ("pocock", 0.025, [2.4380, 2.4268, 2.4101, 2.3966, 2.3859]),
    ],
)
def test_published_spending_boundaries(spending: str, alpha: float, published: list[float]) -> None:
    np.testing.assert_allclose(boundaries(alpha, _FIFTHS, spending=spending), published, atol=1.2e-4)


@pytest.mark.parametrize(  # as remembered, not looked up: Jennison and Turnbull 2000, tables 2.1 and 2.3, two-sided 0.05: half of it on one side but for 1e-4 of both
    ("looks", "pocock", "obrien_fleming"), [(2, 2.178, 1.977), (3, 2.289, 2.004), (4, 2.361, 2.024), (5, 2.413, 2.040), (10, 2.555, 2.087)]
)
def test_published_constants(looks: int, pocock: float, obrien_fleming: float) -> None:
    times = np.arange(1, looks + 1) / looks
    for bounds in (np.full(looks, pocock), obrien_fleming / np.sqrt(times)):
        assert crossing_probabilities(bounds.tolist(), times.tolist()).sum() == pytest.approx(0.025, abs=1.5e-4)


@settings(max_examples=30, deadline=None)
@example(seed=0, looks=12, alpha=0.125)  # small steps after large ones
@given(seed=st.integers(0, 10**6), looks=st.integers(1, 12), alpha=st.floats(0.001, 0.2))
def test_what_is_spent_is_what_is_crossed(seed: int, looks: int, alpha: float) -> None:
    rng = np.random.default_rng(seed)
    times = np.sort(rng.uniform(0.02, 1.0, looks))
    information = np.cumsum(rng.uniform(0.05, 3.0, looks))
    for spending in ("linear", "pocock", "obrien-fleming"):
        bounds = boundaries(alpha, times.tolist(), information.tolist(), spending)
        crossed = crossing_probabilities(bounds.tolist(), information.tolist()).cumsum()
        np.testing.assert_allclose(crossed, [spent(spending, alpha, time) for time in times], atol=1e-9)


def test_boundaries_are_those_of_a_multivariate_normal() -> None:
    """Three looks of unequal information, by scipy's integral over the joint distribution."""
    information = np.array([1.0, 2.5, 4.0])
    bounds = boundaries(0.05, [0.3, 0.5, 1.0], information.tolist())
    correlation = np.sqrt(np.minimum.outer(information, information) / np.maximum.outer(information, information))
    inside = stats.multivariate_normal(np.zeros(3), correlation, seed=1).cdf(bounds)
    assert 1 - inside == pytest.approx(0.05, abs=1e-4)


def test_a_look_knows_nothing_of_later_looks() -> None:
    rng = np.random.default_rng(3)
    times, information = np.sort(rng.uniform(0, 1, 20)).tolist(), np.cumsum(rng.uniform(1, 5, 20)).tolist()
    every = boundaries(0.04, times, information)
    for upto in (1, 7, 19):
        np.testing.assert_array_equal(boundaries(0.04, times[:upto], information[:upto]), every[:upto])


def test_nothing_is_spent_after_the_horizon_or_on_a_look_that_saw_nothing_new() -> None:
    found = boundaries(0.04, [0.5, 0.5, 0.7, 1.0, 1.2, 2.0], [10, 10, 10, 20, 24, 40])
    assert found[[1, 2, 4, 5]].tolist() == [12.0] * 4
    np.testing.assert_allclose(found[[0, 3]], boundaries(0.04, [0.5, 1.0], [10, 20]))  # what the others may spend is kept


def test_many_looks_hold_the_level_by_simulation() -> None:
    rng = np.random.default_rng(4)
    looks = 200
    scores = np.cumsum(rng.standard_normal((20_000, looks)), axis=1) / np.sqrt(np.arange(1, looks + 1))
    bounds = boundaries(0.04, (np.arange(1, looks + 1) / looks).tolist())
    ever = int((scores > bounds).any(axis=1).sum())
    low, high = stats.binom.interval(0.9999, 20_000, 0.04)
    assert low <= ever <= high


def test_power_on_the_way_is_that_of_simulation() -> None:
    rng = np.random.default_rng(5)
    times = np.arange(1, 11) / 10
    paths = np.cumsum(rng.standard_normal((50_000, 10)) * np.sqrt(0.1) + 2.5 * 0.1, axis=1) / np.sqrt(times)
    bounds = boundaries(0.05, times.tolist(), spending="pocock")
    reached = [(paths[:, : upto + 1] > bounds[: upto + 1]).any(axis=1).mean() for upto in range(10)]
    np.testing.assert_allclose(power(0.05, times.tolist(), 2.5, "pocock"), reached, atol=0.009)


@pytest.mark.parametrize(
    ("alpha", "times", "information"), [(0.6, [0.5], None), (0.05, [0.5, 0.4], None), (0.05, [0.5, 0.6], [2, 1]), (0.05, [0.5], [1, 2])]
)
def test_looks_that_fall_back_are_refused(alpha: float, times: list[float], information: list[float] | None) -> None:
    with pytest.raises(ValueError, match="looks"):
        boundaries(alpha, times, information)
