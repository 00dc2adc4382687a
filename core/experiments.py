"""Experiments as the platform keeps them: rows of results and decisions, verdicts of the kill switch, and the actions that tell of them.

Here belong their shapes and the port to where they are kept. Not here: statistics (`ml.experiments`), how verdicts change the
configuration (`core.timeline`), who must be killed (`core.plans`).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import ClassVar, Literal, NamedTuple, Protocol

from msgspec import Struct

from core.actions import About, Action, key_of, telling
from core.reference import Experiment, ExperimentMetric

RULE = "experiment_switch"
"""The rule of actions that tell the operating system of a kill or of its end."""

Key = tuple[str, str]
"""Tenant and experiment."""


class ExperimentResult(Struct, kw_only=True, frozen=True):
    """One treatment against control, by metric and look. Without a number there is a `reason`; `is_srm`: the numbers are not to be trusted.

    `effect`, its two-sided 95 % interval and `p_value` hold at one look; the `always_*` columns at all looks. `statistic` passes `boundary`
    where the kill switch sees harm by the horizon, both one-sided z. `lift` is the effect relative to control. `p_holm` and `p_bh` are
    adjusted over the metrics and treatments of the look.
    """

    table: ClassVar[str] = "exp_results"
    tenant_id: str
    experiment_id: str
    variant: str
    metric: str
    role: Literal["primary", "guardrail", "cost", "other"]
    kind: Literal["proportion", "mean", "ratio"]
    decision: Literal["planned", "running", "killed", "ended"]
    reason: str
    findings: str
    is_srm: bool
    control_units: int
    treatment_units: int
    control: float | None
    treatment: float | None
    effect: float | None
    ci_low: float | None
    ci_high: float | None
    p_value: float | None
    lift: float | None
    lift_low: float | None
    lift_high: float | None
    always_low: float | None
    always_high: float | None
    always_p: float | None
    p_holm: float | None
    p_bh: float | None
    srm_p: float | None
    statistic: float | None
    boundary: float | None
    power: float | None
    look_date: date
    valid_from: datetime


class ExperimentDecision(Struct, kw_only=True, frozen=True):
    """What is to become of one version of an experiment; `evidence` and `findings` are JSON. Of a kill, `cause` and `reason` say why."""

    table: ClassVar[str] = "exp_decisions"
    tenant_id: str
    experiment_id: str
    status: Literal["planned", "running", "killed", "ended"]
    serve: Literal["experiment", "control"]
    cause: str
    reason: str
    variant: str
    metric: str
    verdict: str
    findings: str
    evidence: str
    is_current: bool
    look_count: int
    power: float | None
    triggered_at: datetime | None
    last_look_at: datetime | None
    valid_from: datetime
    valid_to: datetime | None


class Verdict(NamedTuple):
    """One entry of the journal of kills and of their ends. `follows` is the number of the one before it of the same experiment, or 0.

    `reason` is made of numbers and of names in the configuration; what a person wrote besides is kept sealed. `evidence` is JSON.
    """

    tenant_id: str
    experiment_id: str
    follows: int
    verdict: Literal["killed", "resumed"]
    decided_at: datetime
    decided_by: str
    cause: str
    reason: str
    evidence: str
    action_id: str
    number: int = 0


class Kill(NamedTuple):
    """A kill that is due."""

    tenant_id: str
    experiment_id: str
    cause: str
    reason: str
    evidence: str


class Configured(NamedTuple):
    """Rows of the configuration, dated, and when each tenant's was applied last."""

    variants: Sequence[Experiment]
    metrics: Sequence[ExperimentMetric]
    applied_at: Mapping[str, datetime] = {}


class Publication(NamedTuple):
    """The newest published decisions, and the moment of which they speak; None before the first."""

    as_of: datetime | None
    decisions: Sequence[ExperimentDecision]


def standing(verdicts: Iterable[Verdict]) -> Mapping[Key, Verdict]:
    """The newest verdict on each experiment."""
    return {(each.tenant_id, each.experiment_id): each for each in sorted(verdicts, key=lambda each: each.number)}


def switch_action(verdict: Verdict, lifetime: timedelta) -> Action:
    """What tells the operating system of a verdict: one id a verdict, however often it is asked for."""
    told = {
        "experiment_id": verdict.experiment_id,
        "verdict": verdict.verdict,
        "serve": "control" if verdict.verdict == "killed" else "experiment",
        "cause": verdict.cause,
        "reason": verdict.reason,
        "decided_at": verdict.decided_at.isoformat(),
        "evidence": json.loads(verdict.evidence),
    }
    kind = "kill_experiment" if verdict.verdict == "killed" else "resume_experiment"
    about = About(verdict.tenant_id, RULE, verdict.experiment_id, str(verdict.follows))
    return telling(about, kind, "callback", told, verdict.decided_at, lifetime, verdict.action_id)


def switch_id(tenant_id: str, experiment_id: str, follows: int) -> str:
    """The action id of the verdict that follows another."""
    return key_of(tenant_id, RULE, experiment_id, str(follows))


class Experiments(Protocol):
    """Configuration, published decisions and the journal of verdicts."""

    def configured(self, as_of: datetime) -> Configured:
        """All versions of all experiments, with what verdicts up to a moment made of them."""
        ...

    def timezones(self) -> Mapping[str, str]:
        """Of each tenant."""
        ...

    def verdicts(self, as_of: datetime) -> Sequence[Verdict]:
        """Up to a moment, in their order."""
        ...

    def published(self) -> Publication:
        """The newest."""
        ...

    def kill(self, kill: Kill, decided_at: datetime, decided_by: str) -> bool:
        """Record a kill and ask for its action, in one transaction; False where the experiment is killed already."""
        ...


class Pages(Protocol):
    """Where reports are read."""

    def names(self) -> Sequence[str]:
        """Every page that lies there, by its name."""
        ...

    def write(self, pages: Mapping[str, str]) -> None:
        """Replace whole pages, by their names."""
        ...
