"""The worked examples of docs/decisions.md, heading "Experiments"."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ml.experiments import always_valid, group_sequential
from ml.experiments.config import ExperimentConfig, Goal, Guardrail, LevelShares, Variant
from ml.experiments.findings import check_versions
from ml.experiments.inference import compare, newcombe
from ml.experiments.kill import decide
from ml.experiments.monitors import Looks
from ml.experiments.multiplicity import benjamini_hochberg, holm
from ml.experiments.pairs import pair_of
from ml.experiments.power import Proportion, sample_size
from ml.experiments.results import Comparison, NotEnoughData
from ml.experiments.srm import SampleRatio, sample_ratio
from ml.moments import Counts, CovariateMoments, Moments

_START = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_fall_from_five_to_four_percent() -> None:
    found = compare(Counts(6000, 300), Counts(6000, 240))
    assert isinstance(found, Comparison)
    assert (round(found.statistic, 3), round(found.p_value, 4)) == (-2.642, 0.0082)
    assert (round(found.ci_low, 5), round(found.ci_high, 5)) == (-0.01742, -0.00258)
    assert (round(found.lift, 3), round(found.lift_low, 3), round(found.lift_high, 3)) == (-0.2, -0.324, -0.056)


def test_nothing_is_told_of_nothing() -> None:
    assert compare(Counts(100, 0), Counts(100, 0)) == NotEnoughData("nothing varies: all units of both arms have the same value")
    found = compare(Counts(20, 0), Counts(20, 20))
    assert isinstance(found, Comparison) and np.isnan(found.ci_low)
    assert round(float(newcombe(Counts(20, 0), Counts(20, 20))[0]), 3) == 0.772


def test_cuped_takes_out_what_was_known_before() -> None:
    arms = [CovariateMoments.from_covariance(100, mean, 25.0, before, 16.0, 16.0) for mean, before in ((10.0, 8.0), (11.5, 8.5))]
    found, plain = compare(*arms), compare(*(Moments(arm.n, arm.mean, arm.m2) for arm in arms))
    assert isinstance(found, Comparison) and isinstance(plain, Comparison)
    assert (round(plain.effect, 3), round(plain.standard_error, 3)) == (1.5, 0.707)
    assert (round(found.effect, 3), round(found.standard_error, 3)) == (1.0, 0.424)


def test_four_questions_are_one_family() -> None:
    p = [0.01, 0.02, 0.03, 0.2]
    assert holm(p).round(3).tolist() == [0.04, 0.06, 0.06, 0.2]
    assert benjamini_hochberg(p).round(3).tolist() == [0.04, 0.04, 0.04, 0.2]


def test_one_unit_in_an_arm_without_allocation_is_a_mismatch() -> None:
    found = [sample_ratio([510, leak, 490], [1, 0, 1]) for leak in (0, 1)]
    assert [(each.is_srm, round(each.p_value, 3)) for each in found if isinstance(each, SampleRatio)] == [(False, 0.527), (True, 0.0)]
    small = sample_ratio([7, 0], [1, 1])
    assert isinstance(small, SampleRatio)
    assert (small.method, round(small.p_value, 4)) == ("exact", 0.0156)


def test_units_to_find_a_point() -> None:
    assert sample_size(Proportion(0.05), -0.01) == 6745


def test_the_price_of_peeking() -> None:
    pair = pair_of(Counts(6000, 300), Counts(6000, 240))
    low, high = always_valid.interval(pair, 12_000)
    assert (round(float(low), 4), round(float(high), 4)) == (-0.0215, 0.0015)


def test_boundaries_of_a_month() -> None:
    bounds = group_sequential.boundaries(0.04, [day / 30 for day in range(1, 31)])
    assert bounds[[0, 4, 14, 29]].round(2).tolist() == [3.0, 2.79, 2.48, 2.22]


def _config() -> ExperimentConfig:
    arms = Variant("a", 0.5, is_control=True), Variant("b", 0.5)
    return ExperimentConfig("greeting", arms, Goal("converted"), _START, timedelta(days=30), guardrails=(Guardrail("opt_out"),))


def _looks(converted: tuple[int, int], opted_out: tuple[int, int] = (50, 50)) -> Looks:
    """One look, on the morning of January 6."""
    metrics = {"converted": converted, "opt_out": opted_out}
    arms = {
        name: {arm: Counts(np.array([1000.0]), np.array([float(hits)])) for arm, hits in zip("ab", both, strict=True)}
        for name, both in metrics.items()
    }
    return Looks((_START + timedelta(days=5),), {arm: np.array([1000.0]) for arm in "ab"}, arms)


def test_half_the_conversions_on_the_fifth_day() -> None:
    found = decide(_config(), _looks((50, 25)), _START + timedelta(days=5))
    assert (found.status, found.serve) == ("killed", "control")
    assert found.triggers[0].detail == "b is worse on converted: 0.025 against 0.05 in control"
    assert round(found.triggers[0].evidence["statistic"], 2) == 2.95
    assert round(found.triggers[0].evidence["bound"], 2) == 2.47  # one look has what five days may spend
    assert decide(_config(), _looks((50, 45)), _START + timedelta(days=5)).status == "running"
    assert decide(_config(), _looks((50, 50), (5, 25)), _START + timedelta(days=5)).triggers[0].cause == "guardrail"


def test_seventeen_opt_outs_against_none() -> None:
    part = 0.05 * LevelShares().any_time / 4  # primary metric and three guardrails, one treatment
    found = [float(always_valid.event_e_value(0, events, 0.5)) >= -np.log(part) for events in (16, 17)]
    assert found == [False, True]


def test_a_day_and_a_half_without_statistics() -> None:
    stale = _START + timedelta(days=6, hours=12)
    assert decide(_config(), _looks((50, 50)), stale).serve == "experiment"
    assert decide(_config(), _looks((50, 50)), stale + timedelta(microseconds=1)).serve == "control"


def test_the_level_is_split() -> None:
    assert sum(
        (LevelShares().primary, LevelShares().guardrails, LevelShares().any_time, LevelShares().exposure, LevelShares().cost)
    ) == pytest.approx(1)


def test_a_new_allocation_is_a_new_version() -> None:
    turn = _START + timedelta(days=10)
    early = replace(_config(), valid_to=turn)
    late = replace(_config(), valid_from=turn, variants=(Variant("a", 0.2, is_control=True), Variant("b", 0.8)))
    [found] = check_versions([early, late])
    assert found.kind == "allocation_changed"
    assert "a 0.5 to 0.2, b 0.5 to 0.8" in found.detail
