"""The kill switch: whether an experiment may go on, as a pure function of its declaration, its looks and the moment.

Here belong the split of the level, the order of causes and the evidence. Not here: the single monitors (`monitors`), and carrying a kill
out (idempotent by its action's key, audited, undone by a manager only). Looking again cannot undo a kill: a look's verdict depends on the
looks before it alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np

from ml.experiments import monitors
from ml.experiments.config import ExperimentConfig
from ml.experiments.findings import check_config, check_looks
from ml.experiments.inference import compare_all
from ml.experiments.monitors import Alarm, Looks
from ml.experiments.pairs import pair_of
from ml.experiments.results import Comparison, Finding

Status = Literal["planned", "running", "killed", "ended"]
Cause = Literal["statistics", "exposure", "harm", "guardrail", "cost"]

_STATISTICS = ("missing", "stale", "impossible_moments", "shrinking", "metric_changed_kind")
_EXPOSURE = ("unknown_variant", "no_exposures", "crossovers", "zero_weight_exposed")


@dataclass(frozen=True, slots=True)
class Trigger:
    """One cause of a kill, with the numbers that it rests on."""

    cause: Cause
    at: datetime
    detail: str
    variant: str = ""
    metric: str = ""
    evidence: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be served: the experiment, or control to everybody. `triggers` say why, the earliest first."""

    status: Status
    serve: Literal["experiment", "control"]
    triggers: tuple[Trigger, ...] = ()
    findings: tuple[Finding, ...] = ()


def decide(config: ExperimentConfig, looks: Looks | None, as_of: datetime) -> Decision:
    """Kill or not, at the moment `as_of`. Whatever is missing, stale or impossible serves control.

    The chance that an experiment without harm, with true exposures and below its cost cap is ever killed by `harm`, `guardrail`, `exposure`
    or `cost` is at most `config.alpha`, however often it is looked at: each monitor holds its own part of the level at all looks together,
    and the parts add up to it (Bonferroni over triggers, guardrails and arms).

    Args:
        config: the version in force.
        looks: cumulative statistics of this version, fields (looks,); None where there are none.
        as_of: the moment of the decision, with an offset.

    Raises:
        ValueError: the configuration is not one that can be judged, or a look lies after `as_of`.

    >>> from datetime import UTC, datetime, timedelta
    >>> from ml.experiments.config import Goal, Variant
    >>> start = datetime(2026, 1, 1, tzinfo=UTC)
    >>> arms = Variant("a", 0.5, is_control=True), Variant("b", 0.5)
    >>> config = ExperimentConfig("greeting", arms, Goal("converted"), start, timedelta(days=30))
    >>> decide(config, None, start + timedelta(hours=1)).serve
    'experiment'
    >>> decide(config, None, start + timedelta(days=2)).triggers[0].detail
    'no statistics 2 days, 0:00:00 after the start; at most 1 day, 12:00:00 are borne'
    """
    wrong = check_config(config)
    if wrong:
        message = f"experiment {config.experiment_id} cannot be judged: " + "; ".join(finding.detail for finding in wrong)
        raise ValueError(message)
    if as_of < config.valid_from:
        return Decision("planned", "control")
    if looks is not None and looks.at and looks.at[-1] > as_of:
        message = f"a look at {looks.at[-1].isoformat()} lies after the moment of the decision, {as_of.isoformat()}"
        raise ValueError(message)
    findings = check_looks(config, looks, as_of)
    triggers = [_from_finding(config, finding, looks, as_of) for finding in findings if finding.kind in _STATISTICS + _EXPOSURE]
    if looks is not None and looks.at and not any(trigger.cause == "statistics" for trigger in triggers):
        triggers += [_from_alarm(config, alarm, looks) for alarm in alarms(config, looks) if int(alarm.first) >= 0]
    ordered = tuple(sorted(triggers, key=lambda trigger: (trigger.at, trigger.cause, trigger.variant, trigger.metric)))
    if ordered:
        return Decision("killed", "control", ordered, tuple(findings))
    over = as_of >= config.valid_from + config.horizon or (config.valid_to is not None and as_of >= config.valid_to)
    return Decision("ended" if over else "running", "experiment", (), tuple(findings))


def alarms(config: ExperimentConfig, looks: Looks) -> Iterator[Alarm]:
    """Every monitor's answer, each at its part of the level. Looks of any leading shape, so simulations run this too."""
    level, split = config.alpha, config.level
    if all(variant.name in looks.exposures for variant in config.variants):
        yield monitors.mismatch(config, looks, level * split.exposure)
    arms = [variant for variant in config.treatments if variant.share > 0]
    for variant in arms:
        for what in monitors.watched(config):
            if _told(config, looks, what.metric, variant.name):
                part = split.primary if what.kind == "harm" else split.guardrails / len(config.guardrails)
                rest = split.any_time / (1 + len(config.guardrails))
                yield monitors.worse_by_horizon(config, looks, variant, what, level * part / len(arms))
                yield monitors.worse_at_any_time(config, looks, variant, what, level * rest / len(arms))
        if config.cost is not None and _told(config, looks, config.cost.metric, variant.name):
            yield monitors.overspending(config, looks, variant, config.cost, level * split.cost / len(arms))


def _told(config: ExperimentConfig, looks: Looks, metric: str, variant: str) -> bool:
    return {config.control.name, variant} <= set(looks.metrics.get(metric, {}))


def _from_alarm(config: ExperimentConfig, alarm: Alarm, looks: Looks) -> Trigger:
    first = int(alarm.first)
    evidence = {
        "look": float(first + 1),
        "statistic": float(alarm.statistic[first]),
        "bound": float(alarm.bound[first]),
        "alpha": alarm.alpha,
    }
    if alarm.kind == "exposure":
        counts = {name: float(np.asarray(units)[first]) for name, units in looks.exposures.items()}
        shares = ", ".join(f"{name} {counts[name]:.0f}" for name in config.shares)
        detail = f"the arms do not hold their allocation ({shares}): sample ratio mismatch"
        return Trigger("exposure", looks.at[first], detail, evidence=evidence | {f"units_{name}": n for name, n in counts.items()})
    arms = looks.metrics[alarm.metric]
    control, treatment = arms[config.control.name], arms[alarm.variant]
    found = compare_all(pair_of(control, treatment))[first]
    told = ""
    if isinstance(found, Comparison):
        evidence |= {"control": found.control, "treatment": found.treatment, "effect": found.effect, "standard_error": found.standard_error}
        told = f": {found.treatment:.6g} against {found.control:.6g} in control"
    evidence |= {"control_units": float(np.asarray(control.n)[first]), "treatment_units": float(np.asarray(treatment.n)[first])}
    if alarm.kind == "cost" and config.cost is not None:
        evidence["cap"] = config.cost.cap
        detail = f"{alarm.metric} of {alarm.variant} is over the cap of {config.cost.cap:g}{told}"
        return Trigger("cost", looks.at[first], detail, alarm.variant, alarm.metric, evidence)
    cause: Cause = "guardrail" if alarm.kind == "guardrail" else "harm"
    return Trigger(cause, looks.at[first], f"{alarm.variant} is worse on {alarm.metric}{told}", alarm.variant, alarm.metric, evidence)


def _from_finding(config: ExperimentConfig, finding: Finding, looks: Looks | None, as_of: datetime) -> Trigger:
    at = looks.at[-1] if looks is not None and looks.at else as_of
    cause: Cause = "statistics" if finding.kind in _STATISTICS else "exposure"
    return Trigger(cause, at, finding.detail, finding.about if finding.about in config.shares else "", "", {})
