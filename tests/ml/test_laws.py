"""Laws that hold for every kind of metric, and extremes that none may turn into a number that looks right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.experiments import always_valid
from ml.experiments.inference import compare, compare_all
from ml.experiments.normal import p_value
from ml.experiments.pairs import pair_of
from ml.experiments.results import REASONS, Comparison, NotEnoughData
from ml.moments import AnyMoments, Counts, CovariateMoments, Moments, RatioMoments
from tests.ml.catalogue import KINDS, NAMES, Kind, arms

_EACH = pytest.mark.parametrize("kind", KINDS, ids=NAMES)
_SEEDS = st.integers(0, 10**6)


def _sure(control: AnyMoments, treatment: AnyMoments) -> Comparison:
    found = compare(control, treatment)
    assert isinstance(found, Comparison)
    return found


@_EACH
@given(seed=_SEEDS)
def test_swapping_the_arms_turns_the_sign_and_keeps_the_p_value(kind: Kind, seed: int) -> None:
    one, other = arms(kind, seed)
    there, back = _sure(one, other), _sure(other, one)
    assert back.effect == pytest.approx(-there.effect, rel=1e-9, abs=1e-12)
    assert back.p_value == pytest.approx(there.p_value, rel=1e-9)
    assert (-back.ci_high, -back.ci_low) == pytest.approx((there.ci_low, there.ci_high), rel=1e-9, abs=1e-12)
    evidence = [float(always_valid.log_e_value(pair_of(*each), 500)) for each in ((one, other), (other, one))]
    assert evidence[0] == pytest.approx(evidence[1], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.can_scale], ids=[kind.name for kind in KINDS if kind.can_scale])
@given(seed=_SEEDS, scale=st.sampled_from([1e-6, 0.01, 3.0, 1e6]))
def test_the_unit_of_the_value_changes_effects_and_no_conclusion(kind: Kind, seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    columns = [kind.draw(rng, 90), kind.draw(rng, 110)]
    plain = _sure(*(kind.make(*each) for each in columns))
    scaled = _sure(*(kind.make(each[0] * scale, *each[1:]) for each in columns))
    assert scaled.effect == pytest.approx(plain.effect * scale, rel=1e-8)
    assert (scaled.ci_low, scaled.ci_high) == pytest.approx((plain.ci_low * scale, plain.ci_high * scale), rel=1e-7)
    assert scaled.p_value == pytest.approx(plain.p_value, rel=1e-7)
    assert scaled.lift == pytest.approx(plain.lift, rel=1e-8)


@pytest.mark.parametrize("kind", [KINDS[1], KINDS[3]], ids=["mean", "cuped"])
@given(seed=_SEEDS, shift=st.sampled_from([-1e6, -3.0, 1e4, 1e8]))
def test_a_shift_of_all_values_changes_nothing(kind: Kind, seed: int, shift: float) -> None:
    rng = np.random.default_rng(seed)
    columns = [kind.draw(rng, 90), kind.draw(rng, 110)]
    plain = _sure(*(kind.make(*each) for each in columns))
    shifted = _sure(*(kind.make(each[0] + shift, *each[1:]) for each in columns))
    assert shifted.effect == pytest.approx(plain.effect, rel=1e-6, abs=1e-6)
    assert shifted.p_value == pytest.approx(plain.p_value, rel=1e-5)


@_EACH
@given(seed=_SEEDS)
def test_the_order_and_the_parts_of_rows_do_not_matter(kind: Kind, seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns = [kind.draw(rng, 90), kind.draw(rng, 110)]
    whole = _sure(*(kind.make(*each) for each in columns))
    order = [rng.permutation(90), rng.permutation(110)]
    parts = [
        kind.make(*(column[place[:30]] for column in each)) + kind.make(*(column[place[30:]] for column in each))
        for each, place in zip(columns, order, strict=True)
    ]
    merged = _sure(*parts)
    assert merged.p_value == pytest.approx(whole.p_value, rel=1e-8)
    assert merged.effect == pytest.approx(whole.effect, rel=1e-9, abs=1e-12)


@_EACH
@given(seed=_SEEDS)
def test_the_interval_holds_zero_just_when_the_p_value_is_above_alpha(kind: Kind, seed: int) -> None:
    found = _sure(*arms(kind, seed))
    if kind.name != "proportion":  # there the p-value is by the pooled variance
        assert (found.ci_low <= 0 <= found.ci_high) == (found.p_value >= 0.05)
    assert found.ci_low < found.effect < found.ci_high


def test_a_statistic_of_forty_has_a_positive_p_value() -> None:
    for statistic in (30.0, 37.0, 38.6, 40.0, 1e6):
        assert float(p_value(statistic)) > 0
        assert float(p_value(statistic, 1e9)) > 0
    found = _sure(Counts(10**6, 100_000), Counts(10**6, 120_000))
    assert found.statistic > 40
    assert found.p_value > 0
    assert float(p_value(30.0)) == pytest.approx(9.813e-198, rel=1e-3)


@pytest.mark.parametrize(("mean", "sd", "rel"), [(1e8, 1.0, 1e-5), (1e9, 1e-3, 5e-3)])
def test_a_large_mean_gives_the_p_value_of_the_small_one(mean: float, sd: float, rel: float) -> None:
    """At 1e9 a double is rounded to 1.2e-7, which moves an effect of 1e-4 by 0.1 %; sums of squares about zero would give no digit."""
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal(4000), rng.standard_normal(4000) + 0.06
    small = _sure(Moments.from_rows(a), Moments.from_rows(b))
    large = _sure(Moments.from_rows(mean + sd * a), Moments.from_rows(mean + sd * b))
    assert large.statistic == pytest.approx(small.statistic, rel=rel)


def test_many_units_stay_right() -> None:
    found = _sure(Counts(10**15, 10**13), Counts(10**15, 10**13 + 10**7))
    assert found.statistic == pytest.approx(10**7 / np.sqrt(2 * 10**13 * 0.99), rel=1e-6)


_REASONED: list[tuple[AnyMoments, AnyMoments, int]] = [
    (Counts(0, 0), Counts(100, 5), 1),
    (Moments(0, 0.0, 0.0), Moments(5, 1.0, 1.0), 1),
    (Moments(1, 3.0, 0.0), Moments(50, 1.0, 10.0), 2),
    (Counts(100, 0), Counts(100, 0), 3),
    (Counts(100, 100), Counts(100, 100), 3),
    (Moments(50, 2.0, 0.0), Moments(50, 3.0, 0.0), 3),
    (RatioMoments(50, 2.0, 3.0, 0.0, 0.0, 0.0), RatioMoments(50, 2.0, 3.0, 1.0, 0.0, 0.0), 4),
    (Moments(50, 2.0, -1.0), Moments(50, 2.0, 5.0), 5),
    (Moments(50, float("nan"), 1.0), Moments(50, 2.0, 5.0), 5),
    (Moments(50, 2.0, float("nan")), Moments(50, 2.0, 5.0), 5),
    (Counts(100, 101), Counts(100, 5), 5),
    (Counts(100, -1), Counts(100, 5), 5),
    (Counts(-5, 0), Counts(100, 5), 5),
    (CovariateMoments(50, 2.0, 1.0, 1.0, -4.0, 0.0), CovariateMoments(50, 2.0, 1.0, 1.0, 5.0, 0.0), 5),
    (CovariateMoments(50, 2.0, 1.0, 1.0, 1.0, 9.0), CovariateMoments(50, 2.0, 1.0, 1.0, 1.0, 9.0), 5),  # covariance beyond the variances
]


@pytest.mark.parametrize(("control", "treatment", "reason"), _REASONED)
def test_what_cannot_be_told_is_a_value_with_its_reason(control: AnyMoments, treatment: AnyMoments, reason: int) -> None:
    for one, other in ((control, treatment), (treatment, control)):
        found = compare(one, other)
        assert found == NotEnoughData(REASONS[reason])
        assert not found
        every = compare_all(pair_of(one, other))
        assert np.isnan([every.effect, every.p_value, every.ci_low, every.ci_high, every.lift]).all()
        assert float(always_valid.log_e_value(pair_of(one, other), 100)) == -np.inf


def test_all_against_none_has_a_p_value_and_no_point_for_an_interval() -> None:
    found = _sure(Counts(20, 0), Counts(20, 20))
    assert found.p_value == pytest.approx(2.54e-10, rel=0.01)
    assert np.isnan([found.ci_low, found.ci_high, found.lift]).all()


def test_no_relative_effect_where_control_is_not_told_from_zero() -> None:
    found = _sure(Counts(1000, 2), Counts(1000, 9))
    assert found.lift == pytest.approx(3.5)
    assert np.isnan(found.lift_low) and np.isnan(found.lift_high)
    below = _sure(Moments(100, -1.0, 50.0), Moments(100, 2.0, 50.0))
    assert np.isnan(below.lift)
