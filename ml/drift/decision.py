"""One verdict on one look at a model: ok, warn or critical, with every reason.

Here belongs putting p-values, sizes and levels together. Not here: any of the three (`evidence`, `measures`, `policy`), wording (`words`).
A change counts where chance is ruled out at the look's level, over all columns, segments and tests of the look (Holm), *and* where it
is large enough to matter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ml.drift import words
from ml.drift.baseline import PREDICTION, Baseline
from ml.drift.estimate import Blind, Estimate, blind_reasons, estimate
from ml.drift.evidence import Evidence, evidence
from ml.drift.feature import Feature
from ml.drift.measures import Distances, distances
from ml.drift.outcomes import Measured, NotEnough, Performance, Z
from ml.drift.policy import SEVERITIES, Limits, Severity
from ml.drift.tally import Counts, Tally
from ml.experiments.multiplicity import holm
from ml.moments import Floats


@dataclass(frozen=True, slots=True)
class ColumnVerdict:
    """One column of one segment; `p_*` are adjusted over the look. `severity` is the worst of its three tests."""

    segment: str
    column: str
    rows: int
    distances: Distances
    p_values: float
    p_missing: float
    p_unseen: float
    severity: Severity
    reason: str


@dataclass(frozen=True, slots=True)
class OutcomeVerdict:
    """One test of how well the model does, against the baseline; `p` is adjusted over the look."""

    kind: Literal["auc", "brier", "calibration", "estimated_auc"]
    size: float
    p: float
    severity: Severity
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one look. `state` is `judged`, or why nothing was; `reasons` begin with the worst."""

    severity: Severity
    state: Literal["judged", "no_rows", "too_few_rows"]
    reasons: tuple[str, ...]
    rows: int
    columns: tuple[ColumnVerdict, ...]
    outcomes: tuple[OutcomeVerdict, ...]
    performance: Performance | NotEnough
    estimate: Estimate | Blind
    level_warn: float
    level_critical: float


def tallies(baseline: Baseline) -> dict[str, Tally]:
    """An empty tally for each segment of the baseline, that of all rows under ''."""
    return {part.segment: Tally(part.features) for part in baseline.parts}


def decide(
    baseline: Baseline,
    tallied: Mapping[str, Tally],
    probability: ArrayLike,
    outcomes: Performance | NotEnough,
    look: int = 1,
) -> Verdict:
    """The verdict.

    Args:
        baseline: of the version.
        tallied: its rows of the week by segment, as `tallies` begins.
        probability: that came out for these rows, or for a sample of them, (rows,).
        outcomes: performance on rows whose outcome became known in the week.
        look: the how manieth at this week, from 1.
    """
    rows = tallied[""].rows
    warn, critical = baseline.policy.levels(look)
    told = np.asarray(probability, dtype=np.float64)
    if rows < baseline.policy.least_rows and isinstance(outcomes, NotEnough):
        state: Literal["no_rows", "too_few_rows"] = "too_few_rows" if rows else "no_rows"
        why = words.too_few(rows, baseline.policy.least_rows)
        return Verdict("ok", state, (why,), rows, (), (), outcomes, Blind((why,)), warn, critical)
    columns = _columns(baseline, tallied, warn, critical) if rows >= baseline.policy.least_rows else ()
    guess = _guess(baseline, columns, told)
    found = by_outcomes(baseline, outcomes, guess, warn, critical)
    both: list[ColumnVerdict | OutcomeVerdict] = [*found, *columns]
    alarms = [each for each in both if each.severity != "ok"]
    alarms.sort(key=lambda each: (-SEVERITIES.index(each.severity), -_weight(each)))
    severity = alarms[0].severity if alarms else "ok"
    reasons = tuple(each.reason for each in alarms) or (words.nothing(rows, len(columns)),)
    return Verdict(severity, "judged", reasons, rows, columns, found, outcomes, guess, warn, critical)


def _weight(each: ColumnVerdict | OutcomeVerdict) -> float:
    return 1e9 if isinstance(each, OutcomeVerdict) else (each.distances.psi or 0.0) + each.distances.unseen


def _columns(baseline: Baseline, tallied: Mapping[str, Tally], warn: float, critical: float) -> tuple[ColumnVerdict, ...]:
    places: list[tuple[str, Feature, Counts, Evidence]] = []
    for part in baseline.parts:
        own = tallied[part.segment]
        if own.rows:
            places += [(part.segment, each, own.counts[each.name], evidence(each, own.counts[each.name])) for each in part.features]
    raw = np.array([[each.values, each.missing, each.unseen] for _, _, _, each in places])
    adjusted = holm(raw.ravel()).reshape(raw.shape)
    least = baseline.policy.least_segment * tallied[""].rows
    return tuple(
        _column(baseline, place, adjusted[at], (warn, critical if not place[0] or place[2].rows >= least else -1.0))
        for at, place in enumerate(places)
    )


def _column(baseline: Baseline, place: tuple[str, Feature, Counts, Evidence], p: Floats, levels: tuple[float, float]) -> ColumnVerdict:
    segment, feature, counts, found = place
    warn, critical = levels
    policy, far = baseline.policy, distances(feature, counts)
    sizes: list[tuple[Limits, float, str]] = [
        (policy.values, far.psi or 0.0, words.values(feature, far, found, policy.values)),
        (policy.missing, far.missing - far.missing_before, words.missing(far)),
        (policy.unseen, far.unseen, words.unseen(feature, far)),
    ]
    judged = [
        (limits.severity(size, may_warn=bool(p[at] <= warn), may_be_critical=bool(p[at] <= critical)), reason)
        for at, (limits, size, reason) in enumerate(sizes)
    ]
    worst = max((severity for severity, _ in judged), key=SEVERITIES.index)
    reasons = "; ".join(reason for severity, reason in judged if severity != "ok")
    name = feature.name + (f" where {baseline.segmented_by} is {segment}" if segment else "")
    reason = f"{name}: {reasons}" if reasons else ""
    return ColumnVerdict(segment, feature.name, counts.rows, far, float(p[0]), float(p[1]), float(p[2]), worst, reason)


def _guess(baseline: Baseline, columns: tuple[ColumnVerdict, ...], told: Floats) -> Estimate | Blind:
    shares = [(each.column, each.distances.unseen) for each in columns if not each.segment and each.column != PREDICTION]
    outside = max(shares, default=None, key=lambda pair: pair[1])
    told = told[np.isfinite(told)]
    reasons = blind_reasons(baseline.calibration, told, outside, (baseline.policy.blind_error, baseline.policy.blind_unseen))
    return Blind(tuple(reasons)) if reasons or baseline.calibration is None else estimate(baseline.calibration, told)


def by_outcomes(
    baseline: Baseline, outcomes: Performance | NotEnough, guess: Estimate | Blind, warn: float, critical: float
) -> tuple[OutcomeVerdict, ...]:
    """The tests of how well the model does, at the look's levels; without outcomes that of the estimate, if there is one."""
    before, policy = baseline.performance, baseline.policy
    if before is None:
        return ()
    tests: list[tuple[Literal["auc", "brier", "calibration", "estimated_auc"], float, float, Limits, str]] = []
    if isinstance(outcomes, Performance):
        base = before.positives / before.rows
        fall = before.auc.value - outcomes.auc.value
        tests.append(("auc", fall, _worse(_logit(before.auc), _logit(outcomes.auc)), policy.auc, words.auc(before.auc, outcomes.auc)))
        rise = outcomes.brier.value / before.brier.value - 1 if before.brier.value else 0.0
        negated = [Measured(-each.value, each.error, 0, 0) for each in (before.brier, outcomes.brier)]
        tests.append(("brier", rise, _worse(*negated), policy.brier, words.brier(before.brier, outcomes.brier)))
        off = outcomes.bias.value - before.bias.value
        p = min(1.0, 2 * _worse(Measured(abs(off), outcomes.bias.error, 0, 0), Measured(0, before.bias.error, 0, 0)))
        tests.append(("calibration", abs(off) / base, p, policy.calibration, words.calibration(outcomes)))
    elif isinstance(guess, Estimate):
        error = (guess.auc_high - guess.auc_low) / (2 * Z)
        expected = Measured(guess.auc, error, guess.auc_low, guess.auc_high)
        p = _worse(_logit(before.auc), _logit(expected))
        tests.append(("estimated_auc", before.auc.value - guess.auc, p, policy.auc, words.estimated(before.auc, guess)))
    adjusted = holm([p for _, _, p, _, _ in tests]) if tests else np.zeros(0)
    return tuple(
        OutcomeVerdict(
            kind,
            size,
            float(at),
            # an estimate is no outcome: it warns, and rolls nothing back
            limits.severity(size, may_warn=bool(at <= warn), may_be_critical=bool(at <= critical) and kind != "estimated_auc"),
            reason,
        )
        for at, (kind, size, _, limits, reason) in zip(adjusted, tests, strict=True)
    )


def _logit(each: Measured) -> Measured:
    value = min(max(each.value, 1e-6), 1 - 1e-6)
    return Measured(float(np.log(value / (1 - value))), each.error / (value * (1 - value)), 0, 0)


def _worse(before: Measured, now: Measured) -> float:
    """One-sided p-value of a fall, by the normal curve."""
    error = float(np.hypot(before.error, now.error))
    if error == 0:
        return 1.0 if before.value <= now.value else 0.0
    return float(special.ndtr((now.value - before.value) / error))
