"""What every experiment came to: rows of `exp_results` for each look, and of `exp_decisions` for each version.

Here belongs putting together what `ml.experiments` says. Input that is broken is a named finding and leaves its numbers out. Not here:
the statistics, reading and writing (`assets.experiments`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np

from assets.experiment_looks import Row, Version, kind_of, versions
from core.experiments import Configured, ExperimentDecision, ExperimentResult
from ml.experiments import kill, srm
from ml.experiments.analysis import MomentTable, analyse
from ml.experiments.findings import check_config, check_versions
from ml.experiments.results import Comparison, Finding
from ml.experiments.words import power_reached, verdict

_FOR_EVER = timedelta(days=100_000)
_RUINED = {
    "unknown_variant", "zero_weight_exposed", "crossovers", "no_exposures", "impossible_moments", "metric_changed_kind", "shrinking",
    "missing", "overlapping", "bad_variants", "bad_allocation", "bad_horizon", "bad_level", "bad_metrics",
}  # fmt: skip
"""Findings under which a number would only look right."""

_FLOATS = ("share", "n", "mean", "variance", "other_mean", "other_variance", "covariance")
_NUMBERS = (
    "control", "treatment", "effect", "ci_low", "ci_high", "p_value", "lift", "lift_low", "lift_high", "always_low", "always_high",
    "always_p", "p_holm", "p_bh",
)  # fmt: skip


class Concluded(NamedTuple):
    """Rows of both marts."""

    results: list[ExperimentResult]
    decisions: list[ExperimentDecision]


class _Judged(NamedTuple):
    version: Version
    decision: kill.Decision
    findings: tuple[Finding, ...]
    is_current: bool
    bounds: Mapping[tuple[str, str], tuple[Any, Any]]
    """By treatment and metric: statistic and boundary, arrays (looks,)."""


class _Place(NamedTuple):
    judged: _Judged
    look: int
    day: date
    metric: str
    variant: str


def conclude(configured: Configured, moments: Sequence[Row], timezones: Mapping[str, str], as_of: datetime) -> Concluded:
    """All results and decisions.

    Args:
        configured: dated rows, killed spans cut out.
        moments: rows of `exp_moments`.
        timezones: of each tenant; a look is one of its local days.
        as_of: the moment of which the moments speak.
    """
    concluded = Concluded([], [])
    for own in versions(configured, moments, timezones, as_of).values():
        for judged in _judge(own, as_of):
            rows = list(_analysed(judged))
            concluded.results.extend(_result(place, row) for place, row in rows)
            concluded.decisions.append(_decision(judged, rows))
    return concluded


def _judge(own: Sequence[Version], as_of: datetime) -> Iterator[_Judged]:
    changes = check_versions([each.config for each in own])
    for each in own:
        config = each.config
        is_current = config.valid_from <= as_of and (config.valid_to is None or as_of < config.valid_to)
        # what is over has no fresh statistics and needs none
        asked = config if is_current else replace(config, stale_after=_FOR_EVER)
        told = tuple(finding for finding in changes if finding.about == config.valid_from.isoformat())
        wrong = check_config(config)
        if wrong:
            why = kill.Trigger("statistics", config.valid_from, "it cannot be judged: " + "; ".join(finding.detail for finding in wrong))
            yield _Judged(each, kill.Decision("killed", "control", (why,), tuple(wrong)), (*wrong, *told), is_current, {})
            continue
        decision = kill.decide(asked, each.looks, as_of)
        bounds: dict[tuple[str, str], tuple[Any, Any]] = {}
        if each.looks is not None and not any(trigger.cause == "statistics" for trigger in decision.triggers):
            for alarm in kill.alarms(config, each.looks):
                if alarm.kind in ("harm", "guardrail"):  # of each pair the one with a horizon comes first
                    bounds.setdefault((alarm.variant, alarm.metric), (alarm.statistic, alarm.bound))
        yield _Judged(each, decision, (*decision.findings, *told), is_current, bounds)


def _analysed(judged: _Judged) -> Iterator[tuple[_Place, dict[str, Any]]]:
    """Every treatment, metric and look of a version with its comparison, in one pass."""
    columns: dict[str, list[Any]] = {name: [] for name in MomentTable.__dataclass_fields__}
    places = []
    config, rows = judged.version.config, judged.version.rows
    for look, day in enumerate(judged.version.dates):
        for variant in config.variants:
            for name, metric in judged.version.metrics.items():
                row = rows.get((day, name, variant.name))
                if row is None:
                    continue
                arm = (look, name, variant.name, variant.is_control, variant.share, kind_of(metric))
                other_variance = (row["other_m2"] or 0.0) / max(row["n"] - 1, 1)
                own = (row["n"], row["mean"], row["variance"], row["other_mean"], other_variance, row["covariance"])
                for column, value in zip(columns.values(), (*arm, *(part or 0.0 for part in own)), strict=True):
                    column.append(value)
                if not variant.is_control:
                    places.append(_Place(judged, look, day, name, variant.name))
    if places:
        plain = {name: np.array(values) for name, values in columns.items()}
        floats = {name: plain[name].astype(float) for name in _FLOATS}
        yield from zip(places, analyse(MomentTable(**plain | floats), n_best=config.planned_units).rows(), strict=True)


def _result(place: _Place, row: Mapping[str, Any]) -> ExperimentResult:
    judged, version = place.judged, place.judged.version
    metric, config = version.metrics[place.metric], version.config
    control = version.rows[place.day, place.metric, config.control.name]
    treatment = version.rows[place.day, place.metric, place.variant]
    ruin = [each.detail for each in judged.findings if each.kind in _RUINED]
    numbers = {name: None if ruin else row[name] for name in _NUMBERS}
    statistic, boundary = judged.bounds.get((place.variant, place.metric), (None, None))
    return ExperimentResult(
        tenant_id=version.tenant_id,
        experiment_id=config.experiment_id,
        variant=place.variant,
        metric=place.metric,
        role=metric.role,
        kind=metric.kind,
        decision=_status(judged, place.look),
        reason=ruin[0] if ruin else row["reason"],
        findings=" ".join(sorted({each.kind for each in judged.findings})),
        is_srm=row["srm_p"] is not None and row["srm_p"] < srm.ALPHA,
        control_units=control["n"],
        treatment_units=treatment["n"],
        srm_p=row["srm_p"],
        statistic=None if ruin or statistic is None else _finite(statistic[place.look]),
        boundary=None if boundary is None else _finite(boundary[place.look]),
        power=None if ruin else _power(place, control, treatment),
        look_date=place.day,
        valid_from=config.valid_from,
        **numbers,
    )


def _status(judged: _Judged, look: int) -> Any:
    """As it was at that look."""
    looks, config = judged.version.looks, judged.version.config
    if looks is None:
        return judged.decision.status
    at = looks.at[look]
    if any(trigger.at <= at for trigger in judged.decision.triggers):
        return "killed"
    return "ended" if at >= config.valid_from + config.horizon else "running"


def _power(place: _Place, control: Row, treatment: Row) -> float | None:
    config, metric = place.judged.version.config, place.judged.version.metrics[place.metric]
    if metric.role != "primary" or config.minimum_effect is None or control["mean"] is None or metric.kind == "ratio":
        return None
    effect = config.minimum_effect if metric.is_higher_better else -config.minimum_effect
    sd = control["variance"] ** 0.5 if control["variance"] else None
    return power_reached(metric.kind, control["mean"], sd, (control["n"], treatment["n"]), effect)


def _decision(judged: _Judged, rows: Sequence[tuple[_Place, Mapping[str, Any]]]) -> ExperimentDecision:
    version, decision = judged.version, judged.decision
    config, looks = version.config, version.looks
    last = [(place, row) for place, row in rows if place.look == len(version.dates) - 1 and place.metric == config.primary.metric]
    ruin = any(each.kind in _RUINED for each in judged.findings)
    found = [
        (place.variant, Comparison(**{name: row[name] for name in Comparison.__dataclass_fields__}), row["always_low"], row["always_high"])
        for place, row in last
        if not ruin and not row["reason"] and row["always_low"] is not None and None not in (row["effect"], row["control"])
    ]
    first = decision.triggers[0] if decision.triggers else None
    controls = [version.rows[place.day, place.metric, config.control.name] for place, _ in last]
    powers = [
        _power(place, control, version.rows[place.day, place.metric, place.variant])
        for (place, _), control in zip(last, controls, strict=True)
    ]
    told = [{"kind": each.kind, "detail": each.detail, "about": each.about} for each in judged.findings]
    return ExperimentDecision(
        tenant_id=version.tenant_id,
        experiment_id=config.experiment_id,
        status=decision.status,
        serve=decision.serve,
        cause=first.cause if first else "",
        reason=first.detail if first else "",
        variant=first.variant if first else "",
        metric=first.metric if first else "",
        verdict=verdict(config, decision, found),
        findings=json.dumps(told, sort_keys=True),
        evidence=json.dumps({name: _finite(value) for name, value in first.evidence.items()} if first else {}, sort_keys=True),
        is_current=judged.is_current,
        look_count=len(version.dates),
        power=min((each for each in powers if each is not None), default=None),
        triggered_at=first.at if first else None,
        last_look_at=looks.at[-1] if looks is not None and looks.at else None,
        valid_from=config.valid_from,
        valid_to=config.valid_to,
    )


def _finite(value: Any) -> float | None:
    """JSON and marts have no infinity."""
    number = float(value)
    return number if np.isfinite(number) else None
