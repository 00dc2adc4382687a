"""How well a model does: against scikit-learn, slow definitions and simulation; and the guess without outcomes, against outcomes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import brier_score_loss, roc_auc_score

from ml.drift.estimate import Calibration, Estimate, _area, blind_reasons, calibrate, estimate
from ml.drift.outcomes import NotEnough, Performance, performance
from tests.ml.drift_frames import LOAN_AUCS, loan

EXACT = Calibration((0.0, 1.0), (0.0, 1.0), 0.0, 1000)


def did(p: np.ndarray, y: np.ndarray) -> Performance:
    found = performance(p, y)
    assert isinstance(found, Performance)
    return found


@given(st.integers(0, 2**32 - 1), st.integers(60, 300), st.booleans())
@settings(max_examples=40)
def test_numbers_are_those_of_scikit_learn_and_of_the_definitions(seed: int, rows: int, is_coarse: bool) -> None:
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 2, rows)
    p = np.round(p, 1) if is_coarse else p
    y = rng.random(rows) < 0.2 + 0.6 * p
    if min(y.sum(), rows - y.sum()) < 10:
        return
    found = did(p, y)
    assert found.auc.value == pytest.approx(roc_auc_score(y, p), abs=1e-10)
    assert found.brier.value == pytest.approx(brier_score_loss(y, p), abs=1e-10)
    assert found.bias.value == pytest.approx(math.fsum(p) / rows - y.sum() / rows, abs=1e-10)
    # DeLong's variance as DeLong wrote it, pair by pair
    psi = (p[y][:, None] > p[~y]) + 0.5 * (p[y][:, None] == p[~y])
    slow = math.sqrt(psi.mean(axis=1).var(ddof=1) / y.sum() + psi.mean(axis=0).var(ddof=1) / (~y).sum())
    assert found.auc.error == pytest.approx(slow, abs=1e-10)
    top = max(1, round(0.1 * rows))
    # ties at the edge count in part: the mean over every order of them
    edge = np.sort(p)[::-1][top - 1]
    sure, tied = y[p > edge], y[p == edge]
    caught = sure.sum() + (top - sure.size) * tied.mean()
    assert found.lift.value == pytest.approx(caught / top / y.mean(), abs=1e-10)
    for each in (found.auc, found.brier, found.ece, found.lift, found.bias):
        assert each.low <= each.value <= each.high


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    big = rng.beta(1, 3, 400_000)
    truth = did(big, rng.random(big.size) < big)
    names = ("auc", "brier", "lift", "bias")
    held = dict.fromkeys(names, 0)
    for _ in range(250):
        p = rng.beta(1, 3, 500)
        found = did(p, rng.random(500) < p)
        for name in names:
            each = getattr(found, name)
            held[name] += each.low <= getattr(truth, name).value <= each.high
    assert all(0.91 <= hits / 250 <= 0.99 for hits in held.values()), held


def test_too_few_outcomes_of_a_kind_are_no_performance() -> None:
    p = np.linspace(0, 1, 500)
    assert performance(p, p > 0.99) == NotEnough("5 positive and 495 negative outcomes; 10 of each are needed")
    assert isinstance(performance([], []), NotEnough)


@pytest.mark.parametrize(("p", "y", "why"), [([0.5, 1.2], [0, 1], "outside 0 to 1"), ([0.5], [2], "neither 0 nor 1"), ([0.5], [0, 1], "shape"),
                                              ([0.5, math.nan], [0, 1], "no number")])  # fmt: skip
def test_what_is_no_probability_and_no_outcome_is_refused(p: list[float], y: list[int], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        performance(p, y)


def test_the_published_areas_of_the_car_loans_come_out() -> None:
    frame = loan("analysis")
    p, y = frame["y_pred_proba"].to_numpy(), frame["repaid"].to_numpy()
    found = [did(p[at : at + 5000], y[at : at + 5000]).auc.value for at in range(0, 50_000, 5000)]
    assert found == pytest.approx(LOAN_AUCS, abs=5e-5)


@given(st.integers(0, 2**32 - 1))
def test_the_expected_area_is_that_of_every_pair_weighed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = np.sort(np.round(rng.random(60), 1))
    starts = np.concatenate([[0], np.flatnonzero(np.diff(p)) + 1])
    above = (p[:, None] > p) + 0.5 * (p[:, None] == p)
    weights = p[:, None] * (1 - p)
    assert float(_area(p[None], starts)[0]) == pytest.approx(float((weights * above).sum() / (p.sum() * (1 - p).sum())), abs=1e-10)


def test_outcomes_that_follow_lie_in_the_interval_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    held = []
    for _ in range(100):
        p = rng.beta(*rng.uniform(0.5, 4, 2), 600)  # rows that change from week to week, and mean what they meant
        guess, found = estimate(EXACT, p), performance(p, rng.random(600) < p)
        if isinstance(found, Performance):
            held.append(guess.auc_low <= found.auc.value <= guess.auc_high and guess.brier_low <= found.brier.value <= guess.brier_high)
    assert len(held) > 80
    assert np.mean(held) > 0.86  # two intervals of 95 %


def test_the_car_loans_later_areas_are_foreseen_without_outcomes() -> None:
    reference, frame = loan("reference"), loan("analysis")
    calibration = calibrate(reference["y_pred_proba"], reference["repaid"])
    assert calibration.error < 0.01
    p = frame["y_pred_proba"].to_numpy()
    guesses = [estimate(calibration, p[at : at + 5000]) for at in range(0, 50_000, 5000)]
    assert [each.auc for each in guesses] == pytest.approx(LOAN_AUCS, abs=0.006)
    assert max(each.auc_high for each in guesses[5:]) < min(each.auc for each in guesses[:5])
    assert sum(each.auc_low <= truth <= each.auc_high for each, truth in zip(guesses, LOAN_AUCS, strict=True)) >= 9


def test_a_sample_of_many_rows_gives_the_narrow_interval_of_all() -> None:
    p = np.random.default_rng(4).random(100_000)
    found = estimate(EXACT, p)
    few = estimate(EXACT, p[:2000])
    assert (found.auc_high - found.auc_low) == pytest.approx((few.auc_high - few.auc_low) / 50**0.5, rel=0.25)
    assert isinstance(found, Estimate)


def test_it_is_blind_where_an_assumption_fails_and_says_which() -> None:
    limits = (0.05, 0.05)
    p = np.linspace(0.1, 0.9, 300)
    assert blind_reasons(EXACT, p, ("age", 0.01), limits) == []
    assert blind_reasons(None, p, None, limits) == ["calibration was never verified: the baseline holds no outcomes"]
    wrong = Calibration((0.0, 1.0), (0.0, 1.0), 0.12, 500)
    told = blind_reasons(wrong, p[:20], ("age", 0.3), limits)
    assert [each.split(":")[0].split(";")[0] for each in told] == [
        "probabilities were not calibrated when the baseline was made", "20 rows", "30.0% of age lies outside of what the model was made with (more than 5%)",
    ]  # fmt: skip


@given(st.lists(st.floats(0, 1), min_size=40, max_size=200))
@settings(max_examples=40)
def test_a_calibration_rises_and_stays_within_0_and_1(p: list[float]) -> None:
    y = np.arange(len(p)) % 3 == 0
    found = calibrate(p, y)
    assert list(found.seen) == sorted(found.seen)
    assert ((found(np.linspace(0, 1, 50)) >= 0) & (found(np.linspace(0, 1, 50)) <= 1)).all()


def test_lift_of_a_ranking_without_sense_is_one() -> None:
    rng = np.random.default_rng(8)
    found = did(rng.random(20_000), rng.random(20_000) < 0.1)
    assert found.lift.low < 1 < found.lift.high
    assert stats.norm.cdf(abs(found.auc.value - 0.5) / found.auc.error) < 0.999
