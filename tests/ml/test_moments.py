"""Moments merge in any order and keep their digits."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.moments import Counts, CovariateMoments, Moments, PairMoments
from tests.ml.catalogue import KINDS, NAMES, Kind, close

_VALUES = st.lists(st.floats(-1e6, 1e6).map(lambda value: round(value, 3)), min_size=1, max_size=30)
_EACH = pytest.mark.parametrize("kind", KINDS, ids=NAMES)


@_EACH
@given(seed=st.integers(0, 10_000), cuts=st.tuples(st.integers(0, 40), st.integers(0, 40)))
def test_parts_merge_to_the_whole_in_any_order(kind: Kind, seed: int, cuts: tuple[int, int]) -> None:
    columns = kind.draw(np.random.default_rng(seed), 40)
    low, high = sorted(cuts)
    a, b, c = (kind.make(*(column[part] for column in columns)) for part in (slice(0, low), slice(low, high), slice(high, None)))
    whole = kind.make(*columns)
    assert a + b == b + a  # to the last bit
    assert close((a + b) + c, whole)
    assert close(a + (b + c), whole)
    assert close((c + a) + b, whole)


@_EACH
def test_total_and_accumulate_are_repeated_merging(kind: Kind) -> None:
    rng = np.random.default_rng(5)
    columns = kind.draw(rng, 600)
    group = rng.integers(0, 12, 600)
    group[group == 7] = 6  # one part is empty
    parts = kind.make(*columns, group, 12)
    running = parts[0]
    for place in range(1, 12):
        running = running + parts[place]
        assert close(parts.accumulate()[place], running)
    assert close(parts.total(), kind.make(*columns))


@_EACH
def test_groups_are_what_each_gives_alone(kind: Kind) -> None:
    rng = np.random.default_rng(6)
    columns, group = kind.draw(rng, 300), rng.integers(0, 5, 300)
    together = kind.make(*columns, group, 5)
    for place in range(5):
        assert close(together[place], kind.make(*(column[group == place] for column in columns)))


@given(values=_VALUES)
def test_mean_and_squares_are_those_of_exact_arithmetic(values: list[float]) -> None:
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    m2 = sum((value - mean) ** 2 for value in exact)
    found = Moments.from_rows(values)
    assert found.mean == pytest.approx(float(mean), rel=1e-12, abs=1e-9)
    assert found.m2 == pytest.approx(float(m2), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("mean", "sd"), [(1e8, 1.0), (1e9, 1e-3), (-1e9, 1e-3)])
def test_a_large_mean_costs_no_digits_of_the_spread(mean: float, sd: float) -> None:
    rng = np.random.default_rng(1)
    rows = mean + sd * rng.standard_normal(20_000)
    exact = [Fraction(float(row)) for row in rows]
    middle = sum(exact) / len(exact)
    m2 = float(sum((row - middle) ** 2 for row in exact))
    parts = Moments.from_rows(rows, np.arange(rows.size) % 30, 30)
    folded = parts[0]
    for place in range(1, 30):
        folded = folded + parts[place]
    for found in (Moments.from_rows(rows), parts.total(), parts.accumulate()[-1], folded):
        assert found.m2 == pytest.approx(m2, rel=1e-5)  # the rows themselves are rounded to 1.2e-7 at 1e9
        assert found.mean == pytest.approx(float(middle), rel=1e-15)
    assert Moments.from_rows(rows).m2 == pytest.approx(m2, rel=1e-9)


def test_huge_numbers_of_units_merge() -> None:
    big = Moments(n=1e15, mean=3.0, m2=2e15)
    assert (big + Moments.from_rows([3.0])).n == 1e15 + 1
    assert (big + big).m2 == 4e15
    assert Counts(2**52, 5) + Counts(2**52, 7) == Counts(2**53, 12)


def test_nothing_merged_is_nothing() -> None:
    assert Moments.from_rows([]) == Moments(0.0, 0.0, 0.0)
    assert Moments.from_rows([]) + Moments.from_rows([]) == Moments(0.0, 0.0, 0.0)
    assert Moments.from_rows([]) + Moments.from_rows([2.0]) == Moments(1.0, 2.0, 0.0)
    assert PairMoments.from_rows([], []) + PairMoments.from_rows([2.0], [3.0]) == PairMoments(1.0, 2.0, 0.0, 3.0, 0.0, 0.0)


def test_a_warehouse_row_is_the_same_as_its_rows() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(3, 2, 50), rng.normal(1, 1, 50)
    covariance = np.cov(x, y)
    row = CovariateMoments.from_covariance(50, x.mean(), covariance[0, 0], y.mean(), covariance[1, 1], covariance[0, 1])
    assert close(row, CovariateMoments.from_rows(x, y))
    assert close(Moments.from_variance(50, x.mean(), x.var(ddof=1)), Moments.from_rows(x))
    assert Moments.from_variance(0, 0.0, 0.0) == Moments(0, 0.0, 0.0)


def test_a_negative_square_never_hides_in_a_sum() -> None:
    bad, good = Moments(10, 1.0, -1.0), Moments(1000, 1.0, 1000.0)
    assert np.isnan((bad + good).m2)
    both = Moments(np.array([10.0, 1000.0]), np.array([1.0, 1.0]), np.array([-1.0, 1000.0]))
    assert np.isnan(both.total().m2)
    assert np.isnan(both.accumulate().m2).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Moments.from_rows([1.0, float("nan")]), "1 of 2 values are no finite numbers"),
        (lambda: Counts.from_rows([0, 2]), "a proportion is made of 0 and 1"),
        (lambda: PairMoments.from_rows([1.0], [1.0, 2.0]), "1 values beside 2 others"),
        (lambda: Moments.from_rows([1.0, 2.0], [0]), "2 values beside 1 groups"),
    ],
)
def test_rows_that_are_no_numbers_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
