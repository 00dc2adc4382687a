"""Chance ruled out: exact tests against scipy and by simulation, and a thousand years of weekly looks at models that do not drift."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ml.drift.evidence import evidence, unseen_p
from ml.drift.exact import tail, two_sided
from ml.drift.feature import freeze_feature
from ml.drift.policy import Policy
from ml.drift.tally import count
from tests.ml.drift_replays import WEEKS, categories, numbers, p_values, replay, replay_outcomes


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(0, n), st.integers(-1, n + 1))))
def test_the_tail_is_never_below_the_exact_one_and_close_to_it_where_it_is_small(drawn: tuple[int, int, int, int]) -> None:
    total, hits, rows, seen = drawn
    exact = float(stats.hypergeom.sf(seen - 1, total, hits, rows))
    bound = float(tail(seen, rows, hits, total))
    assert bound >= exact * (1 - 1e-9)
    if exact < 1e-3:
        assert bound <= exact * 2 + 1e-300


def test_a_share_of_ten_million_rows_is_compared_to_six_digits() -> None:
    exact = float(stats.hypergeom.sf(5_019_999, 20_000_000, 10_000_000, 10_000_000))
    assert float(tail(5_020_000, 10_000_000, 10_000_000, 20_000_000)) == pytest.approx(exact, rel=0.01)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(60, 90), st.integers(60, 90))
def test_two_sides_are_what_scipy_gives_and_alike_from_both_samples(hits: int, before: int, rows: int, rows_before: int) -> None:
    one, other = stats.hypergeom(rows + rows_before, hits + before, rows), float(two_sided(hits, rows, before, rows_before))
    exact = min(1.0, 2 * min(float(one.sf(hits - 1)), float(one.cdf(hits))))
    assert exact * (1 - 1e-9) <= other <= 3 * exact + 1e-300
    assert other == pytest.approx(float(two_sided(before, rows_before, hits, rows)), rel=0.5)


def test_a_range_is_left_as_often_as_it_should_be() -> None:
    rng = np.random.default_rng(3)
    before, now = rng.random((4000, 300)), rng.random((4000, 200))
    outside = ((now < before.min(axis=1, keepdims=True)) | (now > before.max(axis=1, keepdims=True))).sum(axis=1)
    feature = freeze_feature("x", before[0])
    p = unseen_p(feature, outside, 200)
    for level in (0.2, 0.05, 0.01):
        assert (p <= level).mean() <= level * 1.05


def test_no_column_is_surer_than_chance_allows() -> None:
    rng = np.random.default_rng(5)
    p = np.concatenate([p_values(each) for _ in range(25) for each in (numbers(rng, 4, 300, 2000), categories(rng, 4, 300, 2000))], axis=1)
    for level in (0.1, 0.01, 0.001):
        assert (p <= level).mean(axis=(0, 1)).max() <= level * 1.1


def test_columns_in_arrays_are_judged_as_one_by_one() -> None:
    rng = np.random.default_rng(6)
    for year in (numbers(rng, 3, 400, 1500), categories(rng, 3, 400, 2000)):
        together = p_values(year)
        for week in (0, WEEKS - 1):
            for at, feature in enumerate(year.features):
                found = evidence(feature, year.counts(week, at))
                assert (found.values, found.missing, found.unseen) == pytest.approx(tuple(together[week, at]))


def test_the_stretch_that_changed_is_named() -> None:
    rng = np.random.default_rng(7)
    feature = freeze_feature("x", rng.normal(size=5000))
    moved = rng.normal(size=1000)
    moved[:300] = rng.uniform(feature.edges[11], feature.edges[12], 300)
    found = evidence(feature, count(feature, moved))
    assert (found.first, found.last) == (12, 12)
    assert found.share == pytest.approx(0.3 + 0.7 * found.share_before, abs=0.03)
    assert found.values < 1e-20


def test_looks_at_one_week_never_spend_more_than_its_part() -> None:
    policy = Policy(critical_a_year=0.2, warn_a_year=2.0)
    spent = np.array([policy.levels(look) for look in range(1, 60)]).sum(axis=0)
    assert spent * 2 * 52 == pytest.approx([2.0, 0.2])


def test_models_that_do_not_drift_are_left_alone() -> None:
    found = replay(40, seed=11)
    assert found["critical"] <= 0.1
    assert found["ruled_out"] <= 0.3
    assert found["warned"] <= 1.0


def test_outcomes_of_a_model_that_holds_raise_no_alarm() -> None:
    found = replay_outcomes(4, seed=1)
    assert found["critical"] <= 0.25
    assert found["warned"] <= 1.0


@pytest.mark.large
def test_a_thousand_model_years_without_drift_raise_less_than_one_false_critical_a_year() -> None:
    found = replay(1000, seed=12)
    assert found["critical"] <= 0.05
    assert found["ruled_out"] <= 0.05
    assert found["warned"] <= 0.5
    outcomes = replay_outcomes(200, seed=2)
    assert outcomes["critical"] <= 0.1
    assert outcomes["warned"] <= 0.5
