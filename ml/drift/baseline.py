"""What a version of a model was made with, frozen: its columns, its probabilities, how well it did, and what is borne.

Here belongs making it and its JSON form, which is kept with the version. Not here: one column (`feature`), where it is kept. It holds
counts, quantiles and names of categories, and no row.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from ml.columns import Coded, Column
from ml.drift.estimate import Calibration, calibrate
from ml.drift.feature import BaselineError, Feature, freeze_feature
from ml.drift.outcomes import NotEnough, Performance, performance
from ml.drift.policy import Policy

PREDICTION = "prediction"
"""The name of the model's probability among the columns."""

LEAST_ROWS = 200
"""Of a baseline, and of a segment that is judged by itself."""

FORM = 1


@dataclass(frozen=True, slots=True)
class Part:
    """Columns of all rows (`segment` is empty) or of those of one segment; the probability is the column `prediction`."""

    segment: str
    rows: int
    features: tuple[Feature, ...]


@dataclass(frozen=True, slots=True)
class Baseline:
    """Of one version. `parts` begins with that of all rows; `performance` and `calibration` are None without enough outcomes."""

    model: str
    version: int
    segmented_by: str
    parts: tuple[Part, ...]
    performance: Performance | None
    calibration: Calibration | None
    policy: Policy
    form: int = FORM

    def to_json(self) -> bytes:
        """Plain JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, text: bytes | str) -> "Baseline":
        """Read it back.

        Raises:
            BaselineError: it is not a baseline of this form; says where.
        """
        try:
            found = msgspec.json.decode(text, type=cls)
        except msgspec.DecodeError as error:
            raise BaselineError(f"no baseline can be read: {error}; freeze it again from the model's own rows") from error
        if found.form != FORM:
            raise BaselineError(f"a baseline of form {found.form}; this version reads form {FORM}: freeze it again")
        return found


def freeze(
    model: str,
    version: int,
    columns: Mapping[str, Column],
    prediction: ArrayLike,
    outcome: ArrayLike | None = None,
    segment: tuple[str, Coded] | None = None,
    policy: Policy = Policy(),  # noqa: B008 — frozen
) -> Baseline:
    """Freeze the baseline of a version: rows like those that it will meet, none used to fit it if outcomes are given.

    Args:
        model: its name.
        version: its number.
        columns: what goes in, each (rows,).
        prediction: the probability that came out, (rows,).
        outcome: 0 or 1, (rows,), NaN where it is not known.
        segment: a column's name and the column, by which rows are judged apart too.
        policy: what is borne.

    Raises:
        BaselineError: too few rows, lengths differ, or a column cannot be frozen.

    >>> rng = np.random.default_rng(0)
    >>> made = freeze("lead_scoring", 1, {"age": rng.normal(40, 9, 500)}, rng.random(500))
    >>> Baseline.from_json(made.to_json()) == made
    True
    """
    probability = np.asarray(prediction, dtype=np.float64)
    if probability.size < LEAST_ROWS:
        raise BaselineError(f"{model} {version}: {probability.size} rows; a baseline takes at least {LEAST_ROWS}")
    if PREDICTION in columns:
        raise BaselineError(f"{model} {version}: a column may not be called {PREDICTION!r}, that is the model's own probability")
    every: dict[str, Column] = {**columns, PREDICTION: probability}
    wrong = {name: len(column) for name, column in every.items() if len(column) != probability.size}
    if wrong:
        raise BaselineError(f"{model} {version}: {probability.size} predictions, but columns of other lengths: {wrong}")
    parts = [_part("", every, np.arange(probability.size))]
    if segment is not None:
        codes = np.asarray(segment[1].codes)
        for code, value in enumerate(segment[1].values):
            places = np.flatnonzero(codes == code)
            if places.size >= LEAST_ROWS:
                parts.append(_part(value, every, places))
    did, calibration = _with_outcomes(probability, outcome)
    return Baseline(model, version, "" if segment is None else segment[0], tuple(parts), did, calibration, policy)


def _with_outcomes(probability: np.ndarray, outcome: ArrayLike | None) -> tuple[Performance | None, Calibration | None]:
    if outcome is None:
        return None, None
    truth = np.asarray(outcome, dtype=np.float64)
    known = ~np.isnan(truth)
    found = performance(probability[known], truth[known])
    return (None, None) if isinstance(found, NotEnough) else (found, calibrate(probability[known], truth[known]))


def _part(segment: str, columns: Mapping[str, Column], places: np.ndarray) -> Part:
    return Part(segment, places.size, tuple(freeze_feature(name, take(column, places)) for name, column in columns.items()))


def take(column: Column, places: np.ndarray) -> Column:
    """The rows at these places."""
    return Coded(np.asarray(column.codes)[places], column.values) if isinstance(column, Coded) else np.asarray(column)[places]
