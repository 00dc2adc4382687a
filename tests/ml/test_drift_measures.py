"""Distances from frozen bins: against scipy and slow definitions, whatever the order and the batches, and one row moves none of them."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance

from ml.columns import Coded
from ml.drift.feature import BaselineError, freeze_feature
from ml.drift.measures import distances, jensen_shannon, kolmogorov_smirnov, psi, wasserstein
from ml.drift.tally import Tally, count

CLOSE = {"rel": 1e-10, "abs": 1e-10}
both_counts = st.integers(2, 20).flatmap(
    lambda bins: st.tuples(
        st.lists(st.integers(0, 10_000), min_size=bins, max_size=bins).filter(sum),
        st.lists(st.integers(0, 10_000), min_size=bins, max_size=bins).filter(sum),
    )
)


@given(both_counts)
@example(([1, 0], [0, 1]))
def test_each_distance_is_what_scipy_and_its_definition_give(both: tuple[list[int], list[int]]) -> None:
    before, here = both
    p, q = np.array(before) / sum(before), np.array(here) / sum(here)
    found = float(jensen_shannon(before, here))
    assert found**2 == pytest.approx(float(distance.jensenshannon(p, q, base=2)) ** 2, **CLOSE)  # the root of 1e-16 is 1e-8
    centres = np.cumsum(np.arange(1, len(before) + 1)) ** 1.5
    moved = stats.wasserstein_distance(centres, centres, p, q) / 3
    assert float(wasserstein(before, here, centres, 3.0)) == pytest.approx(moved, **CLOSE)
    below = [abs(Fraction(sum(before[: at + 1]), sum(before)) - Fraction(sum(here[: at + 1]), sum(here))) for at in range(len(before))]
    assert float(kolmogorov_smirnov(before, here)) == pytest.approx(float(max(below)), **CLOSE)
    half = [[(each + 0.5) / (sum(side) + 0.5 * len(side)) for each in side] for side in both]
    slow = math.fsum((there - then) * math.log(there / then) for then, there in zip(*half, strict=True))
    assert float(psi(before, here)) == pytest.approx(slow, **CLOSE)


@given(st.integers(0, 2**32 - 1), st.integers(5, 400), st.integers(5, 400))
@settings(max_examples=40)
def test_rows_put_at_their_centres_have_scipys_distances(seed: int, before: int, here: int) -> None:
    rng = np.random.default_rng(seed)
    rows, now = np.round(rng.normal(size=before), 1), np.round(rng.normal(0.4, 2, size=here), 1)
    feature = freeze_feature("x", rows)
    found = distances(feature, count(feature, now))
    put = [np.array(feature.centres)[np.searchsorted(feature.edges, each, side="left")] for each in (rows, now)]
    assert found.kolmogorov_smirnov == pytest.approx(float(stats.ks_2samp(*put, method="asymp").statistic), **CLOSE)
    assert found.wasserstein == pytest.approx(float(stats.wasserstein_distance(*put)) / feature.scale, **CLOSE)


def test_the_divergence_is_exact_to_ten_digits() -> None:
    before, here = [400, 300, 200, 100, 0], [100, 200, 300, 350, 50]
    p, q = ([each / sum(side) for each in side] for side in (before, here))
    halves = [math.fsum(a * math.log2(a / ((a + b) / 2)) for a, b in zip(one, other, strict=True) if a) for one, other in ((p, q), (q, p))]
    assert float(jensen_shannon(before, here)) == pytest.approx(math.sqrt(sum(halves) / 2), **CLOSE)


values = st.lists(st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([0.0, 1.0, 2.0])), min_size=1, max_size=200)


@given(values, values, st.integers(0, 5))
def test_counting_is_what_a_loop_counts_in_any_batches(before: list[float], now: list[float], cut: int) -> None:
    if not any(map(math.isfinite, before)):
        return
    feature = freeze_feature("x", np.array(before))
    low, high = min(filter(math.isfinite, before)), max(filter(math.isfinite, before))
    bins, unseen, missing = [0] * len(feature.counts), 0, 0
    for value in now:
        if not math.isfinite(value):
            missing += 1
            continue
        bins[sum(value > edge for edge in feature.edges)] += 1
        unseen += not low <= value <= high
    tally = Tally([feature])
    for part in (now[:cut], now[cut:]):
        tally.add({"x": np.array(part)}, len(part))
    found = tally.counts["x"]
    assert (found.bins.tolist(), found.unseen, found.missing, found.rows) == (bins, unseen, missing, len(now))
    assert sum(feature.counts) == feature.present
    assert count(feature, np.array(before)).bins.tolist() == list(feature.counts)
    assert count(feature, np.array(before)).unseen == 0
    assert all(feature.counts)


words = st.lists(st.one_of(st.none(), st.integers(0, 30).map(str)), min_size=1, max_size=300)


@given(words, words)
def test_categories_are_counted_as_a_loop_counts_them(before: list[str | None], now: list[str | None]) -> None:
    if not any(before):
        return
    feature = freeze_feature("x", Coded.of(before))
    met = {each for each in before if each is not None}
    found = count(feature, Coded.of(now))
    assert found.unseen == sum(each is not None and each not in met for each in now)
    assert found.missing == sum(each is None for each in now)
    assert found.bins.sum() == sum(each in met for each in now)
    assert count(feature, Coded.of(before)).bins.tolist() == list(feature.counts)
    assert [found.bins[at] for at, value in enumerate(feature.values[:19])] == [now.count(value) for value in feature.values[:19]]


outliers = st.sampled_from([1e300, -1e300, math.inf, -math.inf, math.nan, 1e9, -7.0])


@given(st.integers(0, 2**32 - 1), outliers, outliers, st.sampled_from([-1.0, 1.0]), st.sampled_from(["normal", "gamma", "whole"]))
@settings(max_examples=60)
def test_one_outlier_hides_a_one_sigma_shift_from_no_measure(seed: int, old: float, new: float, way: float, kind: str) -> None:
    rng = np.random.default_rng(seed)
    draw = {
        "normal": lambda rows: rng.normal(50, 5, rows),
        "gamma": lambda rows: rng.gamma(4, 2.5, rows),
        "whole": lambda rows: rng.poisson(25, rows).astype(float),
    }[kind]
    before, now = draw(2000), draw(500) + way * 5
    plain = freeze_feature("x", before)
    clean = distances(plain, count(plain, now))
    damaged = freeze_feature("x", np.append(before, old))
    found = distances(damaged, count(damaged, np.append(now, new)))
    for name, least, close in (
        ("psi", 0.25, 0.15),
        ("jensen_shannon", 0.2, 0.03),
        ("kolmogorov_smirnov", 0.25, 0.02),
        ("wasserstein", 0.6, 0.25),
    ):
        seen = getattr(found, name)
        assert seen > least, name
        assert seen == pytest.approx(getattr(clean, name), abs=close), name


def test_a_constant_column_that_changes_lies_wholly_outside_what_was_seen() -> None:
    feature = freeze_feature("x", np.full(500, 3.0))
    assert distances(feature, count(feature, np.full(90, 3.0))).unseen == 0
    found = distances(feature, count(feature, np.full(90, 4.0)))
    assert (found.unseen, found.psi, found.wasserstein) == (1.0, 0.0, 0.0)


def test_a_column_without_a_value_or_of_words_is_refused_by_name() -> None:
    with pytest.raises(BaselineError, match="age: no row has a finite value"):
        freeze_feature("age", np.full(9, np.nan))
    with pytest.raises(BaselineError, match="city: no row has a value"):
        freeze_feature("city", Coded.of([None, None]))
    with pytest.raises(BaselineError, match="note: 1001 categories in 1001 rows"):
        freeze_feature("note", Coded.of([f"n{at}" for at in range(1001)]))


def test_a_column_that_changed_its_type_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="age: text where the baseline has numbers"):
        count(freeze_feature("age", np.arange(3.0)), Coded.of(["a"]))
    with pytest.raises(ValueError, match="age: 2 values in a batch of 3 rows"):
        Tally([freeze_feature("age", np.arange(3.0))]).add({"age": np.arange(2.0)}, 3)


def test_a_column_that_a_batch_lacks_is_missing_there() -> None:
    tally = Tally([freeze_feature("age", np.arange(3.0))])
    tally.add({}, 4)
    assert (tally.counts["age"].missing, tally.counts["age"].rows) == (4, 4)


def test_nothing_is_measured_of_no_rows() -> None:
    feature = freeze_feature("age", np.arange(30.0))
    found = distances(feature, count(feature, np.array([])))
    assert (found.psi, found.wasserstein) == (None, None)
    assert math.isnan(found.missing)
