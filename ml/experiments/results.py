"""What an inference answers: a comparison, or why there is none.

Here belong the shapes of answers. A number that cannot be had is `NotEnoughData` with its reason (NaN and a code inside arrays), never a
plausible default. Not here: how anything is computed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ml.moments import Floats

Alternative = Literal["two-sided", "larger", "smaller"]
Codes = NDArray[np.int8]

ENOUGH, NO_EXPOSURES, TOO_FEW, NO_VARIATION, ZERO_DENOMINATOR, IMPOSSIBLE, BELOW_LEAST = range(7)
REASONS = (
    "",
    "an arm has no exposures",
    "an arm has fewer than two units",
    "nothing varies: all units of both arms have the same value",
    "the mean of the denominator is zero",
    "the moments are impossible: negative variance, more hits than units, or no number",
    "fewer units or events than the experiment asks for",
)


@dataclass(frozen=True, slots=True)
class NotEnoughData:
    """No answer, and why. False in a condition."""

    reason: str

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with the input: `kind` for machines, `detail` for people, `about` the variant, metric or moment it speaks of."""

    kind: str
    detail: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Treatment against control, in the metric's own unit; `lift` is the effect relative to control (0.1 is 10 % more).

    `df` is infinite for a z statistic. `p_value` is never 0: below 5e-324 that number is an upper bound of it. The lift and its interval
    are NaN where there is none (control at or below zero, or not told from zero).
    """

    control: float
    treatment: float
    effect: float
    standard_error: float
    statistic: float
    df: float
    p_value: float
    ci_low: float
    ci_high: float
    lift: float
    lift_low: float
    lift_high: float


@dataclass(frozen=True, slots=True)
class Comparisons:
    """Many comparisons: each field of `Comparison` as an array of one shape, NaN where `reason` (a code of `REASONS`) is not 0."""

    control: Floats
    treatment: Floats
    effect: Floats
    standard_error: Floats
    statistic: Floats
    df: Floats
    p_value: Floats
    ci_low: Floats
    ci_high: Floats
    lift: Floats
    lift_low: Floats
    lift_high: Floats
    reason: Codes

    def __getitem__(self, place: Any) -> Comparison | NotEnoughData:
        """The comparison at one place; of arrays without dimensions, at `()`."""
        reason = int(self.reason[place])
        if reason != ENOUGH:
            return NotEnoughData(REASONS[reason])
        return Comparison(*(float(getattr(self, field.name)[place]) for field in fields(Comparison)))

    def __iter__(self) -> Iterator[Comparison | NotEnoughData]:
        """One by one, for arrays (rows,)."""
        columns = [getattr(self, field.name).tolist() for field in fields(Comparison)]
        for reason, *values in zip(self.reason.tolist(), *columns, strict=True):
            yield Comparison(*values) if reason == ENOUGH else NotEnoughData(REASONS[reason])
