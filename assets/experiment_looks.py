"""From rows of the configuration and of `exp_moments` to what `ml.experiments` takes.

Here belongs that translation, since neither core nor ml knows the other. Not here: any inference.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from core.experiments import Configured, Key
from core.reference import Experiment, ExperimentMetric
from ml.experiments.analysis import Kind
from ml.experiments.config import CostCap, ExperimentConfig, Goal, Guardrail, Variant
from ml.experiments.monitors import Looks
from ml.moments import AnyMoments, Counts, CovariateMoments, Moments, RatioMoments

_PPM = 1_000_000
Row = Mapping[str, Any]


class Version(NamedTuple):
    """One version of an experiment as it is judged: its configuration, the metrics' rows by name, and its moments by look."""

    tenant_id: str
    config: ExperimentConfig
    metrics: Mapping[str, ExperimentMetric]
    dates: Sequence[date]
    rows: Mapping[tuple[date, str, str], Row]
    """By date of the look, metric and variant."""
    looks: Looks | None


def versions(configured: Configured, moments: Sequence[Row], timezones: Mapping[str, str], as_of: datetime) -> dict[Key, list[Version]]:
    """Every version that is not a killed span, by experiment, oldest first."""
    rows: dict[tuple[str, str, datetime], list[Row]] = defaultdict(list)
    for row in moments:
        rows[row["tenant_id"], row["experiment_id"], row["valid_from"].astimezone(UTC)].append(row)
    variants: dict[tuple[str, str, datetime], list[Experiment]] = defaultdict(list)
    metrics: dict[tuple[str, str, datetime], list[ExperimentMetric]] = defaultdict(list)
    for variant in configured.variants:
        if not variant.is_killed:
            variants[variant.tenant_id, variant.experiment_id, variant.valid_from].append(variant)
    for metric in configured.metrics:
        metrics[metric.tenant_id, metric.experiment_id, metric.valid_from].append(metric)
    found: dict[Key, list[Version]] = defaultdict(list)
    for key in sorted(variants):
        config = config_of(variants[key], metrics[key])
        own = {each.metric: each for each in metrics[key]}
        by_place = {(row["look_date"], row["metric"], row["variant"]): row for row in rows[key]}
        kinds = {name: kind_of(each) for name, each in own.items()}
        looks = _looks(config, kinds, by_place, ZoneInfo(timezones[key[0]]), as_of) if by_place else None
        found[key[:2]].append(Version(key[0], config, own, sorted({day for day, _, _ in by_place}), by_place, looks))
    return found


def config_of(variants: Sequence[Experiment], metrics: Sequence[ExperimentMetric]) -> ExperimentConfig:
    """One version, from the rows of its variants (one at least) and metrics."""
    first = variants[0]
    primary = next((each for each in metrics if each.metric == first.primary_metric), None)
    cost = next((CostCap(each.metric, each.cap) for each in metrics if each.cap is not None), None)
    guardrails = [Guardrail(each.metric, each.is_higher_better, each.margin) for each in metrics if each.role == "guardrail"]
    return ExperimentConfig(
        experiment_id=first.experiment_id,
        variants=tuple(Variant(each.variant, each.allocation_ppm / _PPM, each.is_control) for each in variants),
        primary=Goal(first.primary_metric, primary.is_higher_better if primary is not None else True),
        valid_from=first.valid_from,
        horizon=timedelta(days=first.horizon_days),
        unit=first.unit,
        valid_to=first.valid_to,
        guardrails=tuple(guardrails),
        cost=cost,
        minimum_effect=first.minimum_effect,
        planned_units=_planned(first.minimum_effect, primary),
        stale_after=timedelta(hours=first.stale_after_hours),
    )


def _planned(effect: float | None, primary: ExperimentMetric | None) -> float:
    """Units of both arms that find the effect of a proportion four times in five, whatever its rate: 16 times 1/4 over its square, an arm.

    It tunes what holds at all looks and must not depend on the data. Where nothing is declared, 10,000.
    """
    if effect is None or primary is None or primary.kind != "proportion":
        return 10_000.0
    return max(100.0, 8 / effect**2)


def kind_of(metric: ExperimentMetric) -> Kind:
    """The kind of `ml.experiments.analysis`: a mean with a covariate is adjusted by it."""
    return "cuped" if metric.kind == "mean" and metric.covariate_seconds else metric.kind


def _looks(
    config: ExperimentConfig, kinds: Mapping[str, Kind], rows: Mapping[tuple[date, str, str], Row], zone: ZoneInfo, as_of: datetime
) -> Looks:
    dates, metrics = sorted({day for day, _, _ in rows}), sorted({metric for _, metric, _ in rows})
    arms = sorted({variant for _, _, variant in rows})
    first = config.primary.metric if config.primary.metric in metrics else metrics[0]
    moments = {metric: {arm: _moments(kinds[metric], [rows[day, metric, arm] for day in dates]) for arm in arms} for metric in metrics}
    return Looks(
        at=tuple(min(_end_of(day, zone), as_of) for day in dates),
        exposures={arm: _column([rows[day, first, arm] for day in dates], "exposed_count") for arm in arms},
        metrics=moments,
        crossovers=np.sum([_column([rows[day, first, arm] for day in dates], "crossover_count") for arm in arms], axis=0),
    )


def _moments(kind: Kind, rows: Sequence[Row]) -> AnyMoments:
    n = _column(rows, "n")
    if kind == "proportion":
        return Counts(n, _column(rows, "hits"))
    own = n, _column(rows, "mean"), _column(rows, "m2")
    if kind == "mean":
        return Moments(*own)
    made = RatioMoments if kind == "ratio" else CovariateMoments
    return made(*own, _column(rows, "other_mean"), _column(rows, "other_m2"), _column(rows, "comoment"))


def _column(rows: Sequence[Row], name: str) -> Any:
    """Zero where there is nothing: a moment of no units."""
    return np.array([0.0 if row[name] is None else float(row[name]) for row in rows])


def _end_of(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
