"""Measures of probabilities against scikit-learn, plain definitions and simulation; thresholds against trying them all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from ml import evaluation
from ml.evaluation import EvaluationError, compare, quality
from ml.thresholds import Costs, cheapest, tiers

ROWS = st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.7, 0.9, 1.0])), min_size=1, max_size=40)


def drawn(count: int = 500, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.random(count)
    return (rng.random(count) < p).astype(float), p, np.clip(p + rng.normal(0, 0.2, count), 0.001, 0.999)


@given(ROWS)
def test_measures_are_those_of_sklearn_and_of_plain_definitions(rows: list[tuple[int, float]]) -> None:
    y, p = np.array([row[0] for row in rows], dtype=float), np.array([row[1] for row in rows])
    found = quality(y, p)
    assert found.brier == pytest.approx(metrics.brier_score_loss(y, p, pos_label=1) if 0 < y.sum() < len(y) else np.mean((p - y) ** 2))
    if not 0 < y.sum() < len(y):
        assert found.auc is None
        return
    assert found.auc == pytest.approx(metrics.roc_auc_score(y, p))
    assert found.log_loss == pytest.approx(metrics.log_loss(y, np.clip(p, evaluation.CLIP, 1 - evaluation.CLIP)))
    share = y.mean()
    assert found.alift == pytest.approx(share / 2 + (1 - share) * found.auc)  # an identity of the two areas


@given(ROWS, st.randoms(use_true_random=False))
def test_no_measure_depends_on_the_order_of_rows(rows: list[tuple[int, float]], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = (quality(*map(np.array, zip(*each, strict=True))) for each in (rows, shuffled))
    for name in one.__dataclass_fields__:
        assert getattr(one, name) == pytest.approx(getattr(other, name)), name


def test_the_best_half_counts_equal_scores_in_proportion() -> None:
    assert evaluation.best_share([1, 0, 1, 0], [0.5] * 4) == 0.5
    assert evaluation.best_share([1, 1, 0, 0], [0.9, 0.8, 0.1, 0.2]) == 1.0
    assert evaluation.best_share([0, 0], [0.1, 0.2]) is None


def test_calibration_error_is_zero_for_the_truth_and_the_shift_for_a_shift() -> None:
    y = np.repeat([0.0, 1.0, 0.0, 1.0], [90, 10, 10, 90])
    p = np.repeat([0.1, 0.9], 100)
    assert evaluation.ece(y, p) == pytest.approx(0)
    assert evaluation.ece(y, p + 0.05) == pytest.approx(0.05)


def test_two_models_are_told_apart_as_often_as_the_level_says() -> None:
    wrong, rng = 0, np.random.default_rng(1)
    for _ in range(400):
        p = rng.random(150)
        y = (rng.random(150) < p).astype(float)
        noise = rng.normal(0, 0.5, (2, 150))
        first, second = (1 / (1 + np.exp(-(np.log(p / (1 - p)) + each))) for each in noise)
        found = compare(y, first, second)
        wrong += found.gain_low > 0 or found.gain_high < 0
    assert stats.binomtest(wrong, 400, 0.05).pvalue > 0.001


def test_delong_is_the_plain_formula_over_all_pairs() -> None:
    y, p, q = drawn(60)
    ones, zeros = p[y == 1], p[y == 0]
    pairs = [np.sign(a[:, None] - b[None, :]) / 2 + 0.5 for a, b in ((ones, zeros), (q[y == 1], q[y == 0]))]
    gap = pairs[0] - pairs[1]
    variance = gap.mean(1).var(ddof=1) / len(ones) + gap.mean(0).var(ddof=1) / len(zeros)
    found = compare(y, p, q)
    assert found.first_auc == pytest.approx(pairs[0].mean())
    assert found.auc_p == pytest.approx(2 * stats.norm.sf(abs(gap.mean()) / variance**0.5))


@pytest.mark.parametrize(
    ("y", "p", "says"),
    [([], [], "one row at least"), ([0, 2], [0.1, 0.2], "outcome 2.0 in row 1"), ([0, 1], [0.1, np.nan], "score nan in row 1"),
     ([0, 1], [0.1, np.inf], "score inf"), ([0, 1], [0.5], "scores for"), ([0, 1], [0.5, 1.2], "1.2 in row 1 is no probability"),
     ([0, np.nan], [0.1, 0.2], "outcome nan in row 1")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_its_row(y: list[float], p: list[float], says: str) -> None:
    with pytest.raises(EvaluationError, match=says):
        quality(y, p)


def test_the_cheapest_threshold_is_that_of_trying_all() -> None:
    y, p, _ = drawn(400)
    costs = Costs(1, 4)
    found = cheapest(y, p, costs, np.random.default_rng(0))
    tried = [((p < cut) & (y == 1)).sum() * 4 + ((p >= cut) & (y == 0)).sum() for cut in np.r_[np.unique(p), 1.1]]
    assert found.cost == pytest.approx(min(tried) / 400)
    assert ((p < found.value) & (y == 1)).sum() * 4 + ((p >= found.value) & (y == 0)).sum() == min(tried)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= costs.fair <= found.high  # the scores are true probabilities


def test_with_few_outcomes_the_costs_alone_say_the_threshold_and_why() -> None:
    found = cheapest([0, 1, 1], [0.2, 0.5, 0.9], Costs(1, 3), np.random.default_rng(0))
    assert (found.value, found.low, found.cost) == (0.25, None, None)
    assert "2 of 3 rows are positive" in found.reason
    with pytest.raises(EvaluationError, match="above zero"):
        Costs(0, 1)
    with pytest.raises(EvaluationError, match="lies above"):
        tiers([0.5], 0.2, 0.3)
