"""One column as it was when the model was made: frozen bins with open ends, what was missing, what had been seen.

Here belongs freezing a column and its shape. Not here: counting later rows (`tally`), comparing (`measures`, `evidence`).
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml.columns import Coded, Column
from ml.moments import Floats

MOST_BINS = 20
"""Of a column. With ten, as is usual for PSI, the Wasserstein distance of a shift of one sigma is 0.86, with twenty 0.92."""

MOST_CATEGORIES = 1000
"""A column of text with more is an identifier or somebody's words, and neither is a feature."""

_SKETCH = 101
# Categories of one row alone (Good 1953) say too little of what was never met: with 2,000 rows of 60 categories (Zipf) there was none of
# one row by chance, and the 7 that were never met raised a false alarm in 37 of 52 weeks. With up to 5 rows: in none of 52,000.
_RARE = 5


class BaselineError(ValueError):
    """A column that no baseline can be made of; the message names it and says what to do."""


def column_of(values: ArrayLike) -> Column:
    """Any array, (rows,), as a column: booleans and numbers as floats, all else as text; None is missing.

    >>> column_of([True, None, False])
    array([ 1., nan,  0.])
    """
    plain = np.asarray(values)
    if plain.dtype.kind in "biuf":
        return plain.astype(np.float64)
    items = plain.tolist()
    if all(each is None or isinstance(each, bool | int | float) for each in items):
        return np.array([np.nan if each is None else float(each) for each in items])
    return Coded.of([None if each is None else str(each) for each in items])


@dataclass(frozen=True, slots=True)
class Feature:
    """A frozen column. `counts` are the baseline's rows by bin, (bins,); the rest of `rows` is `missing`.

    Of numbers `edges`, (bins - 1,), are inner edges, each bin closed on its right: the first and the last bin are open. `centres`, (bins,),
    are medians of the bins, `scale` the sigma of a normal curve with the same quartiles, `sketch` the quantiles 0 %, 1 %, …, 100 %. Of text
    `values` are the categories by falling frequency; those beyond the last bin share it. `lone` is what says how much was never met: a
    single smallest or largest number, categories of at most 5 rows.
    """

    name: str
    kind: Literal["number", "category"]
    rows: int
    missing: int
    lone: int
    counts: tuple[int, ...]
    edges: tuple[float, ...] = ()
    centres: tuple[float, ...] = ()
    scale: float = 1.0
    sketch: tuple[float, ...] = ()
    values: tuple[str, ...] = ()

    @property
    def present(self) -> int:
        """Rows with a value."""
        return self.rows - self.missing

    def label(self, first: int, last: int) -> str:
        """What lies in bins first to last, in words."""
        if self.kind == "category":
            return "further categories" if first == len(self.counts) - 1 < len(self.values) - 1 else repr(self.values[first])
        low = "" if first == 0 else f"above {self.edges[first - 1]:.6g}"
        high = "" if last == len(self.counts) - 1 else f"at most {self.edges[last]:.6g}"
        return " and ".join(part for part in (low, high) if part) or "anywhere"


def freeze_feature(name: str, column: Column, bins: int = MOST_BINS) -> Feature:
    """Freeze a column.

    Numbers of at most `bins` distinct values get a bin each, others bins of about equal rows, cut at values that occur.

    Raises:
        BaselineError: no row has a value, or a text has too many categories.

    >>> freeze_feature("age", np.array([20.0, 30, 30, 40, np.nan])).counts
    (1, 2, 1)
    """
    return _frozen_text(name, column, bins) if isinstance(column, Coded) else _frozen_numbers(name, column, bins)


def _frozen_text(name: str, column: Coded, bins: int) -> Feature:
    counts = np.bincount(np.asarray(column.codes, dtype=np.int64) + 1, minlength=len(column.values) + 1)
    by_value = [(int(count), value) for count, value in zip(counts[1:], column.values, strict=True) if count]
    if not by_value:
        raise BaselineError(f"{name}: no row has a value; leave it out of the model or of the baseline")
    if len(by_value) > MOST_CATEGORIES:
        raise BaselineError(
            f"{name}: {len(by_value)} categories in {len(column)} rows, more than {MOST_CATEGORIES}: "
            "that is an identifier or free text; leave it out, or group it"
        )
    by_value.sort(key=lambda pair: (-pair[0], pair[1]))
    own = [count for count, _ in by_value]
    if len(own) > bins:
        own = [*own[: bins - 1], sum(own[bins - 1 :])]
    return Feature(
        name=name,
        kind="category",
        rows=len(column),
        missing=int(counts[0]),
        lone=sum(count <= _RARE for count, _ in by_value),
        counts=tuple(own),
        values=tuple(value for _, value in by_value),
    )


def _frozen_numbers(name: str, column: NDArray[Any], bins: int) -> Feature:
    plain = np.asarray(column, dtype=np.float64)
    present = np.sort(plain[np.isfinite(plain)])
    if not present.size:
        raise BaselineError(f"{name}: no row has a finite value; leave it out of the model or of the baseline")
    edges = _edges(present, bins)
    places = np.searchsorted(present, edges, side="right")
    starts, ends = np.concatenate([[0], places]), np.concatenate([places, [present.size]])
    low, high = present[0], present[-1]
    sketch = np.quantile(present, np.linspace(0, 1, _SKETCH), method="inverted_cdf")  # no sum of two huge values
    return Feature(
        name=name,
        kind="number",
        rows=plain.size,
        missing=int(plain.size - present.size),
        lone=int(np.count_nonzero(present == low) == 1) + int(np.count_nonzero(present == high) == 1),
        counts=tuple(int(count) for count in ends - starts),
        edges=tuple(float(edge) for edge in edges),
        centres=tuple(float(present[(start + end - 1) // 2]) for start, end in zip(starts, ends, strict=True)),
        scale=_scale(sketch),
        sketch=tuple(float(each) for each in sketch),
    )


def _edges(present: Floats, bins: int) -> Floats:
    distinct = np.unique(present)
    if distinct.size <= bins:
        return distinct[:-1]
    cuts = np.unique(np.quantile(present, np.arange(1, bins) / bins, method="inverted_cdf"))
    return np.asarray(cuts[cuts < distinct[-1]])  # the last bin holds at least one row


def _scale(sketch: Floats) -> float:
    """Sigma of a normal curve with these quartiles; where they are one value, with these 5 % and 95 %, or 1 % and 99 %; else 1."""
    for low, sigmas in ((25, 0.6744897501960817), (5, 1.6448536269514722), (1, 2.3263478740408408)):
        wide = float(sketch[100 - low]) - float(sketch[low])  # plain floats: of huge values it is infinite, without a warning
        if wide:
            return min(wide / (2 * sigmas), float(np.finfo(np.float64).max))
    return 1.0
