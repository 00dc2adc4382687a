"""What a model may know of a row: its features, checked against the future, and turned into numbers.

Here belong the contract of features, the guard against what could come from after the moment, and the encoder. Not here: fitting
(`ml.training`), which features leads have (`assets.models`). How a column is read is in `ml.columns`:
numbers with NaN where nothing is known, texts with None; for scoring, texts may be coded.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml.columns import Column, FeatureError, Floats, numbers, places, texts

FEWEST_OF_LEVEL = 20
"""Rows below which a category is counted with all other rare ones."""
MOST_LEVELS = 100
"""Categories of one feature that are told apart, the most frequent first; trees take 255 at most."""


class LeakageError(FeatureError):
    """A feature whose value could come from after the moment that it speaks of."""


class Finding(NamedTuple):
    """Something about the input that was dealt with and is to be told: its kind, the feature, and what was done."""

    kind: str
    about: str
    detail: str


class Feature(NamedTuple):
    """One declared feature. `known` says when its value is known: at the `moment`, or only `after` it; without a word it is refused."""

    name: str
    kind: Literal["number", "category"]
    known: Literal["moment", "after", ""] = ""


@dataclass(frozen=True, slots=True)
class Contract:
    """The declared features of a model, in order."""

    features: tuple[Feature, ...]

    @property
    def sha256(self) -> str:
        """Of names, kinds and when they are known: what two versions must share to read the same rows."""
        return hashlib.sha256(json.dumps(self.features).encode()).hexdigest()

    def row_sha256(self, row: Mapping[str, Any]) -> str:
        """Of the values of a row's features, in their order: the same values give the same hash."""
        return hashlib.sha256(json.dumps([row[each.name] for each in self.features]).encode()).hexdigest()


def guard(
    contract: Contract,
    columns: Mapping[str, ArrayLike],
    moments: ArrayLike,
    known_at: Mapping[str, ArrayLike] | None = None,
    outcomes_at: ArrayLike | None = None,
) -> list[Finding]:
    """Refuse features that could know what came after the moment; tell of columns that are not declared and therefore not used.

    Args:
        contract: what is declared.
        columns: the values, by feature; arrays (rows,).
        moments: of each row, any numbers that grow with time.
        known_at: for any feature, when each value became known, in the moments' numbers; NaN where there is no value.
        outcomes_at: when each row's outcome became known; NaN where it is not.

    Raises:
        LeakageError: a feature is declared as known after the moment or not declared at all, a value became known after the moment, or
            an outcome was known at it already.
        FeatureError: a declared feature has no column, or one of another length.
    """
    at = np.asarray(moments, dtype=float)
    for each in contract.features:
        if each.known != "moment":
            why = "is known only after the moment" if each.known == "after" else "does not say when it is known"
            raise LeakageError(f"feature {each.name} {why}: a model that learns from it promises what it cannot keep. Leave it out")
        if each.name not in columns:
            raise FeatureError(f"feature {each.name} has no column; there are: {', '.join(sorted(columns)) or 'none'}")
        if np.shape(columns[each.name]) != at.shape:
            raise FeatureError(f"feature {each.name} has the shape {np.shape(columns[each.name])}; there are {at.size} rows")
    for name, when in (known_at or {}).items():
        late = np.flatnonzero(np.asarray(when, dtype=float) > at)
        if late.size:
            raise LeakageError(f"feature {name} became known after the moment in {late.size} of {at.size} rows, first in row {late[0]}")
    if outcomes_at is not None:
        early = np.flatnonzero(np.asarray(outcomes_at, dtype=float) <= at)
        if early.size:
            raise LeakageError(f"{early.size} of {at.size} outcomes were known at the moment already, first in row {early[0]}")
    new = sorted(set(columns) - {each.name for each in contract.features})
    return [Finding("new_column", name, "not declared, so not used") for name in new]


class NumberScale(NamedTuple):
    """How one number is read: its median stands for a missing one; `centre` and `spread` standardise it, for a line through its arsinh.

    Near its centre the arsinh is the number itself, far from it its logarithm: one enormous budget does not bend the line, and a number
    beyond all that were seen does not carry the score away.
    """

    name: str
    median: float
    centre: float
    spread: float
    has_missing: bool


class CategoryLevels(NamedTuple):
    """The categories that are told apart; any other is `rest`, coded after the last, as is one that is missing after that.

    `rates`, one a code: the share of positives, drawn to that of all rows by `FEWEST_OF_LEVEL` rows. Trees read a category by it, for the
    best split of categories in two is one of this order (Fisher 1958); so no list of codes is needed, nor the types to keep it.
    """

    name: str
    levels: tuple[str, ...]
    rates: tuple[float, ...]


Reader = NumberScale | CategoryLevels


class Encoded(NamedTuple):
    """Rows as numbers: `linear` (rows, columns) for the logistic member, `raw` (rows, features) for the trees, NaN for a missing number."""

    linear: Floats
    raw: Floats


@dataclass(frozen=True, slots=True)
class Encoder:
    """How each feature becomes numbers, as it was learnt. Constant features are not among them."""

    readers: tuple[Reader, ...]

    @property
    def owners(self) -> NDArray[np.intp]:
        """The feature, by its place, of each column of `Encoded.linear`."""
        return np.repeat(np.arange(len(self.readers)), [_width(each) for each in self.readers])

    def encode(self, columns: Mapping[str, Column]) -> Encoded:
        """The rows as numbers. Infinite numbers count as missing, categories never seen as `rest`.

        Raises:
            FeatureError: a column is missing, or is not of its kind.
        """
        rows = len(columns[self.readers[0].name]) if self.readers and self.readers[0].name in columns else 0
        raw = np.empty((rows, len(self.readers)), order="F")
        linear = np.zeros((rows, len(self.owners)), order="F")
        at = 0
        for place, each in enumerate(self.readers):
            if each.name not in columns:
                raise FeatureError(f"feature {each.name} has no column")
            if isinstance(each, NumberScale):
                values = numbers(each.name, columns[each.name])
                raw[:, place] = values
                missing = np.isnan(values)
                linear[:, at] = np.arcsinh((np.where(missing, each.median, values) - each.centre) / each.spread)
                if each.has_missing:
                    linear[:, at + 1] = missing
            else:
                codes = places(each.name, columns[each.name], each.levels)
                raw[:, place] = np.array(each.rates)[codes]
                linear[np.arange(rows), at + codes] = 1.0
            at += _width(each)
        return Encoded(linear, raw)

    def read(self, columns: Mapping[str, Column], line: Floats) -> tuple[Floats, Floats]:
        """`Encoded.raw` of the rows, and `Encoded.linear @ line` without making it: half the time, and a third of the memory.

        Raises:
            FeatureError: as `encode`.
        """
        raw, total = None, 0.0
        at = 0
        for place, each in enumerate(self.readers):
            if each.name not in columns:
                raise FeatureError(f"feature {each.name} has no column")
            own = line[at : at + _width(each)]
            if isinstance(each, NumberScale):
                values = numbers(each.name, columns[each.name])
                missing = np.isnan(values)
                part = np.arcsinh((np.where(missing, each.median, values) - each.centre) / each.spread) * own[0]
                part = part + missing * own[1] if each.has_missing else part
            else:
                codes = places(each.name, columns[each.name], each.levels)
                values, part = np.array(each.rates)[codes], own[codes]
            raw = np.empty((len(values), len(self.readers)), order="F") if raw is None else raw
            raw[:, place] = values
            total = total + part
            at += _width(each)
        return (np.empty((0, 0)) if raw is None else raw), np.asarray(total)


def learn(contract: Contract, columns: Mapping[str, ArrayLike], outcome: Floats) -> tuple[Encoder, list[Finding]]:
    """How to read each feature, from these rows; and what was found: constant features are left out, infinities counted as missing."""
    readers: list[Reader] = []
    findings = []
    for each in contract.features:
        if each.kind == "category":
            words = texts(each.name, columns[each.name])
            seen, counts = np.unique(words, return_counts=True)
            order = np.argsort(-counts, kind="stable")
            levels = tuple(str(seen[i]) for i in order if seen[i] and counts[i] >= FEWEST_OF_LEVEL)[:MOST_LEVELS]
            if len(seen) < 2 or not levels:
                findings.append(Finding("constant", each.name, "one value, or none often enough to learn from: left out"))
            else:
                readers.append(_with_rates(CategoryLevels(each.name, levels, ()), words, outcome))
            continue
        values = numbers(each.name, columns[each.name])
        infinite = int(np.isinf(np.asarray(columns[each.name], dtype=float)).sum())
        if infinite:
            findings.append(Finding("infinite", each.name, f"{infinite} values count as missing"))
        known = values[~np.isnan(values)]
        if not known.size or (np.ptp(known) == 0 and known.size == values.size):
            findings.append(Finding("constant", each.name, "one value: left out" if known.size else "no value at all: left out"))
            continue
        spread = float(known.std()) or 1.0
        readers.append(NumberScale(each.name, float(np.median(known)), float(known.mean()), spread, known.size < values.size))
    if not readers:
        raise FeatureError("every feature is constant: nothing can be learnt from them")
    return Encoder(tuple(readers)), findings


def _with_rates(reader: CategoryLevels, values: NDArray[np.str_], outcome: Floats) -> CategoryLevels:
    codes, size = places(reader.name, values, reader.levels), _width(reader)
    hits = np.bincount(codes, weights=outcome, minlength=size) + FEWEST_OF_LEVEL * outcome.mean()
    rates = hits / (np.bincount(codes, minlength=size) + FEWEST_OF_LEVEL)
    return reader._replace(rates=tuple(rates.tolist()))


def unseen(encoder: Encoder, columns: Mapping[str, Column]) -> list[Finding]:
    """Categories of these rows that the encoder never saw (or too rarely), by feature."""
    findings = []
    for each in encoder.readers:
        if isinstance(each, CategoryLevels):
            values = texts(each.name, columns[each.name])
            strange = np.setdiff1d(values, (*each.levels, ""))
            if strange.size:
                rows = int(np.isin(values, strange).sum())
                findings.append(Finding("unseen", each.name, f"{strange.size} categories in {rows} rows count as other"))
    return findings


def _width(reader: Reader) -> int:
    return len(reader.levels) + 2 if isinstance(reader, CategoryLevels) else 1 + reader.has_missing
