"""What an experiment is declared to be before it starts: everything that inference may not choose by the results.

Here belong the declarations. Not here: whether several versions of one fit together (`findings`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ml.experiments.group_sequential import Spending


@dataclass(frozen=True, slots=True)
class Variant:
    """One arm. `share` is its allocation, from 0 to 1."""

    name: str
    share: float
    is_control: bool = False


@dataclass(frozen=True, slots=True)
class Goal:
    """The primary metric and its good direction."""

    metric: str
    higher_is_better: bool = True


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A metric that must not get worse than control's by more than `margin`, a share of control's (0.1: a tenth worse is still borne)."""

    metric: str
    higher_is_better: bool = False
    margin: float = 0.0


@dataclass(frozen=True, slots=True)
class CostCap:
    """What a unit of `metric` (tokens a conversation) may cost on average, in the metric's own unit."""

    metric: str
    cap: float


@dataclass(frozen=True, slots=True)
class LevelShares:
    """How the kill switch's level is split; what adds up to 1 holds jointly, by the union bound.

    Most is the primary metric's, then the guardrails', up to the horizon. `any_time` watches both with e-values besides: after the horizon,
    and where events are too few for a normal test. Exposure and cost are watched with e-values only, whose price for a small share is
    small: from 5 % to 0.15 % their bound on z grows by about a third.
    """

    primary: float = 0.80
    guardrails: float = 0.10
    any_time: float = 0.04
    exposure: float = 0.03
    cost: float = 0.03


@dataclass(frozen=True, slots=True)
class ExperimentConfig:
    """One version of an experiment, valid in [`valid_from`, `valid_to`). Moments in time carry an offset.

    `minimum_effect` is the difference worth finding, in the primary metric's unit. `planned_units` (all arms) tunes the e-values; it may be
    wrong, which costs power only. `alpha` is the chance that the kill switch ever stops an experiment without cause. `stale_after` is how
    old statistics may be before control is served. Looks with fewer than `least_units` an arm, or that expect fewer than `least_events`
    hits or misses in an arm, are not judged by normal tests. `most_crossovers` is the share of units that may be seen in two variants.
    """

    experiment_id: str
    variants: tuple[Variant, ...]
    primary: Goal
    valid_from: datetime
    horizon: timedelta
    unit: str = "lead"
    valid_to: datetime | None = None
    guardrails: tuple[Guardrail, ...] = ()
    cost: CostCap | None = None
    minimum_effect: float | None = None
    planned_units: float = 10_000.0
    alpha: float = 0.05
    level: LevelShares = field(default_factory=LevelShares)
    spending: Spending = "linear"
    stale_after: timedelta = timedelta(hours=36)
    least_units: float = 20.0
    least_events: float = 5.0
    most_crossovers: float = 0.01

    @property
    def control(self) -> Variant:
        """The arm that the others are compared with."""
        return next(variant for variant in self.variants if variant.is_control)

    @property
    def treatments(self) -> tuple[Variant, ...]:
        """The other arms, in their order."""
        return tuple(variant for variant in self.variants if not variant.is_control)

    @property
    def shares(self) -> Mapping[str, float]:
        """Allocation by variant."""
        return {variant.name: variant.share for variant in self.variants}
