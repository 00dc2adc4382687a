"""How much is too much, and how often a false alarm is borne: frozen with the model's version, so that history is judged by its own.

Here belong limits and the level of each look. Not here: applying them (`decision`).
"""

from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["ok", "warn", "critical"]
SEVERITIES: tuple[Severity, ...] = ("ok", "warn", "critical")

WEEKS_A_YEAR = 52


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes from which a change matters, whatever its p-value."""

    warn: float
    critical: float

    def severity(self, size: float, *, may_warn: bool, may_be_critical: bool) -> Severity:
        """By size, as far as chance is ruled out at either level."""
        if may_be_critical and size >= self.critical:
            return "critical"
        return "warn" if may_warn and size >= self.warn else "ok"


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits by what changed, and false alarms a year of one model on rows that have not drifted, as expected numbers.

    `values` is a PSI, `missing` and `unseen` are shares of the rows (of missing: the rise), `auc` the fall, `brier` the relative rise,
    `calibration` the change of the mean probability against the share of positives, relative to the baseline's share. A segment is
    critical only where it holds `least_segment` of the rows; under `least_rows` nothing is judged. `blind_*`: where the label-free estimate
    is refused.
    """

    critical_a_year: float = 0.1
    warn_a_year: float = 1.0
    values: Limits = field(default=Limits(0.1, 0.25))
    missing: Limits = field(default=Limits(0.02, 0.10))
    unseen: Limits = field(default=Limits(0.01, 0.05))
    auc: Limits = field(default=Limits(0.02, 0.05))
    brier: Limits = field(default=Limits(0.10, 0.25))
    calibration: Limits = field(default=Limits(0.20, 0.50))
    least_rows: int = 50
    least_segment: float = 0.2
    blind_error: float = 0.05
    blind_unseen: float = 0.05

    def levels(self, look: int) -> tuple[float, float]:
        """The levels of warnings and of criticals at the `look`th look at one week, from 1.

        The year's numbers are spent in equal parts on its weeks (Lan and DeMets 1983), half of a week's on its first look, a quarter on
        its second, and so on: however often somebody looks, no week spends more than its part. Half of a look's level is for what goes
        in and comes out of the model, half for its outcomes.

        >>> [round(52 * level, 4) for level in Policy().levels(1)]
        [0.25, 0.025]
        """
        part = 0.5**look / WEEKS_A_YEAR / 2
        return self.warn_a_year * part, self.critical_a_year * part
