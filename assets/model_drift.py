"""A week of every model against its baseline: rows of both marts, entries of the journal, a sample for the report.

Here belongs putting together what `ml.drift` says. Not here: the statistics, how the ports read and write.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import numpy as np

from core.drift_ports import Baselines, DriftJournal, DriftVerdict, ModelDrift, ModelPerformance, ScoredRows, Served, StoredBaseline, Week
from core.warehouse_ports import Warehouse
from ml.columns import Coded, Column
from ml.drift.baseline import PREDICTION, Baseline, freeze, take
from ml.drift.decision import ColumnVerdict, Verdict, decide, tallies
from ml.drift.estimate import Blind, Estimate
from ml.drift.feature import column_of
from ml.drift.outcomes import NotEnough, Performance, performance
from ml.drift.tally import Tally

NO_MODEL = "no model is in service"


@dataclass(frozen=True, slots=True)
class WeekVerdict:
    """What a week came to: rows of both marts and of the journal; with no model at all, `state` says so and there are none."""

    state: str
    performance: list[ModelPerformance] = field(default_factory=list)
    drift: list[ModelDrift] = field(default_factory=list)
    verdicts: list[DriftVerdict] = field(default_factory=list)


def judge_week(
    rows: ScoredRows,
    baselines: Baselines,
    journal: DriftJournal,
    week: Week,
    as_of: datetime,
    only: tuple[str | None, str | None] = (None, None),
) -> WeekVerdict:
    """Every version that was in service in a week; `only` names a tenant and a model, None for all."""
    tenant_id, model = only
    served = rows.served(week, as_of)
    own = [each for each in served or () if tenant_id in {None, each.tenant_id} and model in {None, each.model}]
    if not own:
        where = " ".join(part for part in (f"of {tenant_id}" if tenant_id else "", f"by the name {model}" if model else "") if part)
        return WeekVerdict(
            f"{NO_MODEL}{f' {where}' if where else ''}" + ("" if served is None else f" in the week of {week.since:%Y-%m-%d}")
        )
    found = WeekVerdict("judged")
    for each in own:
        stored = baselines.baseline(each)
        if stored is None:
            why = f"version {each.version} of {each.model} has no baseline: nothing can be judged until one is frozen with it"
            found.performance.append(_unjudged(each, week, as_of, why))
            continue
        _judge(found, each, Baseline.from_json(stored.baseline), rows, journal, week, as_of)
    return found


def judge(
    warehouse: Warehouse,
    rows: ScoredRows,
    baselines: Baselines,
    journal: DriftJournal,
    week: Week,
    as_of: datetime,
    only: tuple[str | None, str | None] = (None, None),
) -> tuple[str, list[ModelPerformance]]:
    """Judge a week, write both marts and the journal; says what state that left and the rows of performance."""
    found = judge_week(rows, baselines, journal, week, as_of, only)
    replaced = {(each.tenant_id, each.model) for each in found.performance}
    there = warehouse.columns()
    held = {mart: warehouse.rows(mart) if mart in there else [] for mart in (ModelDrift.table, ModelPerformance.table)}
    drift = merged(held[ModelDrift.table], found.drift, ModelDrift, week, replaced)
    performance = merged(held[ModelPerformance.table], found.performance, ModelPerformance, week, replaced)
    warehouse.write({ModelDrift: drift, ModelPerformance: performance})
    journal.record(found.verdicts)  # last: what is in the journal is in the marts
    return found.state, found.performance


def baseline_of(
    served: Served, columns: Mapping[str, Any], probability: Any, outcome: Any, frozen_at: datetime, segmented_by: str = ""
) -> StoredBaseline:
    """What a version is to be kept with: its rows' features, (rows,) each and named as in `ftr_leads`, probabilities and outcomes.

    The rows are like those that it will meet, each lead once; where there are outcomes, none was used to fit it. `segmented_by` names a
    column of text by whose values rows are judged apart too.

    Raises:
        BaselineError: of these rows none can be made; says why.
    """
    made = {name: column_of(each) for name, each in columns.items()}
    by = made.get(segmented_by)
    segment = (segmented_by, by) if isinstance(by, Coded) else None
    return StoredBaseline(served, freeze(served.model, served.version, made, probability, outcome, segment).to_json(), frozen_at)


def columns_of(columns: Mapping[str, Any]) -> dict[str, Column]:
    """A batch's columns as `ml.drift` takes them."""
    return {name: Coded(*each) if isinstance(each, tuple) else each for name, each in columns.items()}


def _judge(
    found: WeekVerdict, served: Served, baseline: Baseline, rows: ScoredRows, journal: DriftJournal, week: Week, as_of: datetime
) -> None:
    tallied, told = tallies(baseline), []
    names = [each.name for each in baseline.parts[0].features if each.name != PREDICTION]
    for batch in rows.batches(served, sorted({*names, *filter(None, [baseline.segmented_by])}), week, as_of):
        every = columns_of(batch.columns)
        told.append(np.asarray(every[PREDICTION]))
        tallied[""].add(every, batch.rows)
        for segment, places in _segments(every.get(baseline.segmented_by), tallied):
            tallied[segment].add({name: take(column, places) for name, column in every.items()}, places.size)
    outcomes = performance(*rows.outcomes(served, week, as_of))
    probability = np.concatenate(told) if told else np.zeros(0)
    digest = _digest(tallied, outcomes)
    look = next_look(journal, served, week, digest)
    verdict = decide(baseline, tallied, probability, outcomes, look)
    found.performance.append(_performance(served, week, as_of, verdict, look))
    found.drift.extend(_drift(served, week, as_of, each) for each in verdict.columns)
    found.verdicts.append(
        DriftVerdict(
            served, week.since.date(), look, verdict.severity, verdict.state, verdict.reasons, verdict.rows, digest, verdict.level_warn,
            verdict.level_critical, as_of,
        )
    )  # fmt: skip


def _segments(column: Column | None, tallied: Mapping[str, Tally]) -> Iterator[tuple[str, Any]]:
    """Places of the rows of each segment that the baseline judges apart."""
    if isinstance(column, Coded):
        codes = np.asarray(column.codes)
        for code, value in enumerate(column.values):
            if value and value in tallied:
                yield value, np.flatnonzero(codes == code)


def next_look(journal: DriftJournal, served: Served, week: Week, digest: str) -> int:
    """The how manieth look at a week this is, from 1; a look at the very same rows is the same look."""
    before = [
        each for each in journal.verdicts(served.tenant_id, served.model) if each.served == served and each.week_date == week.since.date()
    ]
    same = [each.look for each in before if each.digest == digest]
    return same[0] if same else 1 + max((each.look for each in before), default=0)


def _digest(tallied: Mapping[str, Tally], outcomes: Performance | NotEnough) -> str:
    """Of all that a verdict is made of."""
    told: list[Any] = [repr(outcomes)]
    for segment, tally in sorted(tallied.items()):
        counts = [(name, each.rows, each.missing, each.unseen, each.bins.tolist()) for name, each in sorted(tally.counts.items())]
        told += [segment, tally.rows, counts]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _drift(served: Served, week: Week, as_of: datetime, each: ColumnVerdict) -> ModelDrift:
    far = each.distances
    return ModelDrift(
        **served._asdict(),
        segment=each.segment,
        feature=each.column,
        severity=each.severity,
        reason=each.reason,
        row_count=each.rows,
        psi=far.psi,
        jensen_shannon=far.jensen_shannon,
        kolmogorov_smirnov=far.kolmogorov_smirnov,
        wasserstein=far.wasserstein,
        missing_share=far.missing,
        missing_share_before=far.missing_before,
        unseen_share=far.unseen,
        p_values=each.p_values,
        p_missing=each.p_missing,
        p_unseen=each.p_unseen,
        week_date=week.since.date(),
        judged_at=as_of,
    )


_MEASURED = ("auc", "brier", "ece", "lift")
_NAMES = [f"{name}{part}" for name in _MEASURED for part in ("", "_low", "_high")]
_GUESSED = ("auc", "auc_low", "auc_high", "brier")


def _performance(served: Served, week: Week, as_of: datetime, verdict: Verdict, look: int) -> ModelPerformance:
    did, guess = verdict.performance, verdict.estimate
    numbers: dict[str, Any] = dict.fromkeys([*_NAMES, *(f"estimated_{name}" for name in _GUESSED)])
    if isinstance(did, Performance):
        for name in _MEASURED:
            measured = getattr(did, name)
            numbers |= {name: measured.value, f"{name}_low": measured.low, f"{name}_high": measured.high}
    if isinstance(guess, Estimate):
        numbers |= {f"estimated_{name}": getattr(guess, name) for name in _GUESSED}
    return ModelPerformance(
        **served._asdict(),
        **numbers,
        severity=verdict.severity,
        state=verdict.state,
        reason=verdict.reasons[0],
        reasons=json.dumps(verdict.reasons, ensure_ascii=False),
        row_count=verdict.rows,
        outcome_count=did.rows if isinstance(did, Performance) else 0,
        positive_count=did.positives if isinstance(did, Performance) else 0,
        not_measured=did.reason if isinstance(did, NotEnough) else "",
        blind="; ".join(guess.reasons) if isinstance(guess, Blind) else "",
        look=look,
        level_warn=verdict.level_warn,
        level_critical=verdict.level_critical,
        week_date=week.since.date(),
        judged_at=as_of,
    )


def _unjudged(served: Served, week: Week, as_of: datetime, why: str) -> ModelPerformance:
    none = NotEnough(why)
    nothing = Verdict("warn", "judged", (why,), 0, (), (), none, Blind((why,)), 0.0, 0.0)
    return msgspec.structs.replace(_performance(served, week, as_of, nothing, 0), state="no_baseline")


def merged(
    kept: Sequence[Mapping[str, Any]], new: Sequence[Any], struct: type[Any], week: Week, replaced: set[tuple[str, str]]
) -> list[Any]:
    """All rows of a mart after a week was judged: what it held, without that week of these tenants and models, and the new rows."""
    day = week.since.date()
    others = [row for row in kept if row["week_date"] != day or (row["tenant_id"], row["model"]) not in replaced]
    every = [*(struct(**row) for row in others), *new]
    return sorted(
        every,
        key=lambda row: (row.tenant_id, row.model, row.version, row.week_date, getattr(row, "segment", ""), getattr(row, "feature", "")),
    )
