"""Experiment moments, the slow way: every look walks all units and all events, in fractions, and the textbook's definition of each moment."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracles.common import Row, valid

Cell = tuple[str, str, datetime, str, str, date]
Unit = tuple[str, str, str]  # tenant, experiment, unit
UnitOf = Callable[[str, Row], str | None]

_LIMIT = Fraction(10) ** 10


def moments(
    events: Iterable[Row], own: Iterable[tuple[str, Row, int]], reference: dict[str, list[Any]], zones: dict[str, str], unit_of: UnitOf
) -> dict[Cell, dict[str, Any]]:
    """By tenant, experiment, version, variant, metric and day: n, hits, and the moments as fractions.

    Args:
        events: exposures and observed values.
        own: what the warehouse knows by itself: the metric event's name, the event, its value.
        unit_of: the unit (of the kind `lead` or `conversation`) of an event.
    """
    told = list(events)
    first, crossed = _units(told, reference, unit_of)
    values: dict[tuple[str, str, str], list[tuple[str | None, str, datetime, Fraction]]] = defaultdict(list)
    observed = ((row["metric"], row, row["value"]) for row in told if row["kind"] == "observed")
    for name, row, value in (*observed, *own):
        if abs(value) <= _LIMIT:
            for kind in ("lead", "conversation"):
                if (unit := unit_of(kind, row)) is not None:
                    values[row["tenant_id"], kind, unit].append((row.get("experiment_id"), name, row["occurred_at"], _steps(value)))

    def day(tenant: str, moment: datetime) -> date:
        return moment.astimezone(ZoneInfo(zones[tenant])).date()

    found: dict[Cell, dict[str, Any]] = {}
    versions = {(row.tenant_id, row.experiment_id, row.valid_from) for row in reference["experiments"]}
    for tenant, experiment, begin in versions:
        units = {key: row for key, (row, version) in first.items() if key[:2] == (tenant, experiment) and version.valid_from == begin}
        metrics = [
            row
            for row in reference["experiment_metrics"]
            if (row.tenant_id, row.experiment_id, row.valid_from) == (tenant, experiment, begin)
        ]
        arms = {row.variant for row in reference["experiments"] if (row.tenant_id, row.experiment_id) == (tenant, experiment)}
        arms |= {row["variant"] for row in units.values()}
        kind = next(row.unit for row in reference["experiments"] if (row.tenant_id, row.experiment_id) == (tenant, experiment))
        series = {
            (key, metric.metric): _series(metric, experiment, row["occurred_at"], values[tenant, kind, key[2]])
            for key, row in units.items()
            if key not in crossed
            for metric in metrics
        }
        days = {day(tenant, row["occurred_at"]) for row in units.values()} | {day(tenant, crossed[key]) for key in units if key in crossed}
        days |= {day(tenant, at) for each in series.values() for at, _, _, _ in each}
        for look in days:
            for variant in arms:
                mine = [key for key, row in units.items() if row["variant"] == variant and day(tenant, row["occurred_at"]) <= look]
                for metric in metrics:
                    pairs = []
                    for key in mine:
                        if key in crossed:
                            continue
                        until = [each for each in series[key, metric.metric] if day(tenant, each[0]) <= look]
                        did = any(is_hit for _, _, _, is_hit in until)
                        x = Fraction(did) if metric.kind == "proportion" else sum((each[1] for each in until), Fraction())
                        pairs.append((x, sum((each[2] for each in until), Fraction())))
                    cell = _cell(metric, pairs)
                    cell["crossover_count"] = sum(1 for key in units if units[key]["variant"] == variant and key in crossed
                                                  and day(tenant, crossed[key]) <= look)  # fmt: skip
                    found[tenant, experiment, begin, variant, metric.metric, look] = cell
    return found


def _units(told: list[Row], reference: dict[str, list[Any]], unit_of: UnitOf) -> tuple[dict[Unit, tuple[Row, Any]], dict[Unit, datetime]]:
    """First exposures with the version valid then, and when a second variant was seen."""
    first: dict[Unit, tuple[Row, Any]] = {}
    crossed: dict[Unit, datetime] = {}
    for row in sorted((row for row in told if row["kind"] == "exposed"), key=lambda row: (row["occurred_at"], row["event_id"])):
        version = valid(reference["experiments"], row["tenant_id"], row["occurred_at"], experiment_id=row["experiment_id"])
        unit = version and unit_of(version.unit, row)
        if unit is None:
            continue
        key = (row["tenant_id"], row["experiment_id"], unit)
        if key not in first:
            first[key] = (row, version)
        elif row["variant"] != first[key][0]["variant"]:
            crossed.setdefault(key, row["occurred_at"])
    return first, crossed


def _steps(value: float) -> Fraction:
    """Kept to five decimals, halves up."""
    return Fraction((Fraction(value * 100_000 + 0.5)).__floor__(), 100_000)


def _series(metric: Any, experiment: str, exposed_at: datetime, told: list[Any]) -> list[tuple[datetime, Fraction, Fraction, bool]]:
    """What counts: when it became known, value, covariate or denominator, whether it is a hit."""
    found = []
    for of, name, at, value in told:
        if of not in (None, experiment) or name not in (metric.event, metric.denominator_event):
            continue
        if exposed_at <= at < exposed_at + timedelta(seconds=metric.window_seconds):
            top = value if name == metric.event else Fraction()
            below = value if metric.kind == "ratio" and name == metric.denominator_event else Fraction()
            found.append((at, top, below, bool(top)))
        elif exposed_at - timedelta(seconds=metric.covariate_seconds) <= at < exposed_at:
            found.append((exposed_at, Fraction(), value if metric.kind == "mean" else Fraction(), False))
    return found


def _cell(metric: Any, pairs: list[tuple[Fraction, Fraction]]) -> dict[str, Any]:
    n = len(pairs)
    cell: dict[str, Any] = {"n": n, "hits": int(sum(x for x, _ in pairs)) if metric.kind == "proportion" else None, "pairs": pairs}
    if n:
        mean, other = sum(x for x, _ in pairs) / n, sum(y for _, y in pairs) / n
        cell |= {
            "mean": mean,
            "m2": sum((x - mean) ** 2 for x, _ in pairs),
            "other_mean": other,
            "other_m2": sum((y - other) ** 2 for _, y in pairs),
            "comoment": sum((x - mean) * (y - other) for x, y in pairs),
        }
    return cell
