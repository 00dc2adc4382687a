"""Moments: what inference needs of many rows, in a few numbers that merge.

Here belong counts, mean and squared deviations, and the pair of them with a co-moment (a ratio's denominator, a pre-period covariate),
their making from rows and their merging with `+`, `total` and `accumulate`. Not here: inference (`ml.experiments`), and which row counts
for whom (the warehouse). Every field is a number or an array; all functions work elementwise. Sums are kept about the mean, never about
zero: with a mean of 1e9 and a standard deviation of 1e-3 a sum of squares has no correct digit.
"""

from dataclasses import dataclass, fields
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Number = Any  # a float, or an array of floats: the shape of one field is the shape of all


def _share(part: Number, whole: Number) -> Number:
    """`part / whole`, zero where there is nothing."""
    return np.divide(part, whole, out=np.zeros(np.broadcast(part, whole).shape), where=np.asarray(whole) > 0)[()]


@dataclass(frozen=True, slots=True)
class _Mergeable:
    """What all moments share; `n` is the number of units."""

    n: Number

    @property
    def shape(self) -> tuple[int, ...]:
        """The common shape of the fields; `()` for one number each."""
        return np.broadcast(*(getattr(self, field.name) for field in fields(self))).shape

    def __getitem__(self, place: Any) -> Self:
        """The moments at a place of arrays."""
        return type(self)(*(np.broadcast_to(getattr(self, field.name), self.shape)[place] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Counts(_Mergeable):
    """Units and how many of them did it (a proportion). Whole numbers, so merging is exact up to 2**53.

    >>> Counts(n=1000, hits=50) + Counts(n=500, hits=10)
    Counts(n=1500, hits=60)
    """

    hits: Number

    @classmethod
    def from_rows(cls, hit: ArrayLike, group: ArrayLike | None = None, groups: int | None = None) -> Self:
        """One row a unit: `hit` (rows,) of 0 and 1, `group` (rows,) of 0 … groups-1, or one group.

        Raises:
            ValueError: a value is neither 0 nor 1.

        >>> Counts.from_rows([0, 1, 1])
        Counts(n=3.0, hits=2.0)
        """
        values, places, size = _rows(hit, group, groups)
        if not np.isin(values, (0.0, 1.0)).all():
            message = "a proportion is made of 0 and 1; for other values take Moments"
            raise ValueError(message)
        n, hits = np.bincount(places, minlength=size).astype(float), np.bincount(places, weights=values, minlength=size)
        return cls(n, hits) if group is not None else cls(float(n[0]), float(hits[0]))

    def __add__(self, other: Self) -> Self:
        return type(self)(self.n + other.n, self.hits + other.hits)

    def total(self, axis: int = -1) -> Self:
        """All along an axis as one."""
        return type(self)(np.sum(self.n, axis), np.sum(self.hits, axis))

    def accumulate(self, axis: int = -1) -> Self:
        """Running totals along an axis: daily counts become those of each look."""
        return type(self)(np.cumsum(self.n, axis), np.cumsum(self.hits, axis))


@dataclass(frozen=True, slots=True)
class Moments(_Mergeable):
    """Units, the mean of their values and the sum `m2` of squared deviations from it.

    Merging: Chan, Golub and LeVeque 1983, "Algorithms for computing the sample variance", equation 2.1.

    >>> Moments.from_rows([1.0, 2.0]) + Moments.from_rows([6.0]) == Moments.from_rows([1.0, 2.0, 6.0])
    True
    """

    mean: Number
    m2: Number

    @classmethod
    def from_rows(cls, values: ArrayLike, group: ArrayLike | None = None, groups: int | None = None) -> Self:
        """One row a unit: `values` (rows,), `group` (rows,) of 0 … groups-1, or one group.

        Raises:
            ValueError: a value is no finite number.
        """
        rows, places, size = _rows(values, group, groups)
        n = np.bincount(places, minlength=size).astype(float)
        mean, deviations = _centred(rows, places, n)
        made = cls(n, mean, _products(deviations, deviations, places, n))
        return made if group is not None else _one(made)

    @classmethod
    def from_variance(cls, n: Number, mean: Number, variance: Number) -> Self:
        """From a warehouse's row; `variance` is the sample variance (n - 1 below the line)."""
        return cls(n, mean, np.multiply(variance, np.maximum(np.subtract(n, 1), 0))[()])

    def __add__(self, other: Self) -> Self:
        n, mean, away = _merged(self.n, self.mean, other.n, other.mean)
        return type(self)(n, mean, _sound(self.m2) + _sound(other.m2) + away * (other.mean - self.mean) ** 2)

    def total(self, axis: int = -1) -> Self:
        """All along an axis as one."""
        n, mean, away = _totalled(self.n, self.mean, axis)
        return type(self)(n, mean, np.sum(_sound(self.m2) + self.n * away**2, axis))

    def accumulate(self, axis: int = -1) -> Self:
        """Running totals along an axis: daily moments become those of each look."""
        n, mean, away, drift = _running(self.n, self.mean, axis)
        return type(self)(n, mean, _above_zero(np.cumsum(_sound(self.m2) + self.n * away**2, axis) - n * drift**2))


@dataclass(frozen=True, slots=True)
class PairMoments(_Mergeable):
    """Two values of each unit: means, squared deviations and the sum `comoment` of the products of deviations."""

    mean: Number
    m2: Number
    other_mean: Number
    other_m2: Number
    comoment: Number

    @classmethod
    def from_rows(cls, values: ArrayLike, others: ArrayLike, group: ArrayLike | None = None, groups: int | None = None) -> Self:
        """One row a unit: `values` and `others` (rows,), `group` (rows,) of 0 … groups-1, or one group.

        Raises:
            ValueError: a value is no finite number, or the arrays differ in length.
        """
        rows, places, size = _rows(values, group, groups)
        other, _, _ = _rows(others, group, groups)
        if rows.shape != other.shape:
            message = f"{rows.size} values beside {other.size} others: both belong to the same units"
            raise ValueError(message)
        n = np.bincount(places, minlength=size).astype(float)
        mean, apart = _centred(rows, places, n)
        other_mean, other_apart = _centred(other, places, n)
        m2, other_m2, comoment = (
            _products(one, another, places, n) for one, another in ((apart, apart), (other_apart, other_apart), (apart, other_apart))
        )
        made = cls(n, mean, m2, other_mean, other_m2, comoment)
        return made if group is not None else _one(made)

    @classmethod
    def from_covariance(
        cls, n: Number, mean: Number, variance: Number, other_mean: Number, other_variance: Number, covariance: Number
    ) -> Self:
        """From a warehouse's row; variances and covariance are those of the sample (n - 1 below the line)."""
        below = np.maximum(np.subtract(n, 1), 0)
        m2, other_m2, comoment = (np.multiply(each, below)[()] for each in (variance, other_variance, covariance))
        return cls(n, mean, m2, other_mean, other_m2, comoment)

    def __add__(self, other: Self) -> Self:
        n, mean, away = _merged(self.n, self.mean, other.n, other.mean)
        _, other_mean, _ = _merged(self.n, self.other_mean, other.n, other.other_mean)
        gap, other_gap = other.mean - self.mean, other.other_mean - self.other_mean
        return type(self)(
            n,
            mean,
            _sound(self.m2) + _sound(other.m2) + away * gap**2,
            other_mean,
            _sound(self.other_m2) + _sound(other.other_m2) + away * other_gap**2,
            self.comoment + other.comoment + away * (gap * other_gap),
        )

    def total(self, axis: int = -1) -> Self:
        """All along an axis as one."""
        n, mean, away = _totalled(self.n, self.mean, axis)
        _, other_mean, other_away = _totalled(self.n, self.other_mean, axis)
        m2 = np.sum(_sound(self.m2) + self.n * away**2, axis)
        other_m2 = np.sum(_sound(self.other_m2) + self.n * other_away**2, axis)
        return type(self)(n, mean, m2, other_mean, other_m2, np.sum(self.comoment + self.n * away * other_away, axis))

    def accumulate(self, axis: int = -1) -> Self:
        """Running totals along an axis: daily moments become those of each look."""
        n, mean, away, drift = _running(self.n, self.mean, axis)
        _, other_mean, other_away, other_drift = _running(self.n, self.other_mean, axis)
        m2 = _above_zero(np.cumsum(_sound(self.m2) + self.n * away**2, axis) - n * drift**2)
        other_m2 = _above_zero(np.cumsum(_sound(self.other_m2) + self.n * other_away**2, axis) - n * other_drift**2)
        comoment = np.cumsum(self.comoment + self.n * away * other_away, axis) - n * drift * other_drift
        return type(self)(n, mean, m2, other_mean, other_m2, comoment)


class RatioMoments(PairMoments):
    """A ratio of two sums over units (tokens a conversation): `mean` of the numerator, `other_mean` of the denominator."""

    __slots__ = ()


class CovariateMoments(PairMoments):
    """A value of each unit beside one that was known before exposure (CUPED): `other_mean` is of the pre-period covariate."""

    __slots__ = ()


AnyMoments = Counts | Moments | RatioMoments | CovariateMoments


_M = TypeVar("_M", bound=_Mergeable)


def _rows(values: ArrayLike, group: ArrayLike | None, groups: int | None) -> tuple[Floats, NDArray[np.intp], int]:
    rows = np.asarray(values, dtype=float)
    if not np.isfinite(rows).all():
        message = f"{int((~np.isfinite(rows)).sum())} of {rows.size} values are no finite numbers"
        raise ValueError(message)
    places = np.zeros(rows.size, dtype=np.intp) if group is None else np.asarray(group, dtype=np.intp)
    if places.shape != rows.shape:
        message = f"{rows.size} values beside {places.size} groups"
        raise ValueError(message)
    return rows, places, groups or (int(places.max()) + 1 if places.size else 1)


def _centred(rows: Floats, places: NDArray[np.intp], n: Floats) -> tuple[Floats, Floats]:
    """Means by group, and deviations from them; the second pass takes out what rounding left of the first."""
    mean = np.zeros(n.size)
    for _ in range(2):
        mean = mean + _share(np.bincount(places, weights=rows - mean[places], minlength=n.size), n)
    return mean, rows - mean[places]


def _products(one: Floats, another: Floats, places: NDArray[np.intp], n: Floats) -> Floats:
    """Sums of products of deviations by group, less what the rounding of the means adds: at a mean of 1e9 that is 1e-7 a unit."""
    sums, one_left, another_left = (np.bincount(places, weights=each, minlength=n.size) for each in (one * another, one, another))
    found: Floats = sums - _share(one_left * another_left, n)
    return np.maximum(found, 0.0) if one is another else found


def _one(made: _M) -> _M:
    return type(made)(*(float(getattr(made, field.name)[0]) for field in fields(made)))


def _merged(n: Number, mean: Number, other_n: Number, other_mean: Number) -> tuple[Number, Number, Number]:
    """Size, mean, and the weight of the squared gap between both means; the same to the last bit in either order."""
    whole = n + other_n
    swapped = (np.asarray(other_n) > n) | ((np.asarray(other_n) == n) & (np.asarray(other_mean) < mean))
    base: Number = np.where(swapped, other_mean, mean)
    far: Number = np.where(swapped, mean, other_mean)
    return whole, (base + (far - base) * _share(np.where(swapped, n, other_n), whole))[()], _share(n * other_n, whole)


def _totalled(n: Number, mean: Number, axis: int) -> tuple[Number, Number, Number]:
    """Size and mean along an axis, and how far each part's mean lies from it."""
    whole: Number = np.sum(n, axis, keepdims=True)
    middle: Number = np.zeros_like(whole, dtype=float)
    for _ in range(2):
        middle = middle + _share(np.sum(n * (mean - middle), axis, keepdims=True), whole)
    return np.squeeze(whole, axis)[()], np.squeeze(middle, axis)[()], mean - middle


def _running(n: Number, mean: Number, axis: int) -> tuple[Number, Number, Number, Number]:
    """Running sizes and means, each part's distance from the mean of all, and the running means' distance from it."""
    away = _totalled(n, mean, axis)[2]
    sizes = np.cumsum(n, axis)
    drift = _share(np.cumsum(n * away, axis), sizes)
    return sizes, mean - away + drift, away, drift


def _sound(m2: Number) -> Number:
    """No number at all where a sum of squares is below zero: merged with others, it would look like one that is right."""
    return np.where(np.asarray(m2) < 0, np.nan, m2)[()]


def _above_zero(sums: Number) -> Number:
    return np.maximum(sums, 0.0)
