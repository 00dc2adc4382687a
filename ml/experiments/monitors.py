"""What the kill switch watches: each monitor says at which look it first raised an alarm, at its own part of the level.

Here belongs one function a trigger, over cumulative looks; all take arrays (..., looks), so that a simulation of ten thousand experiments
runs the very code that decides on one. Not here: how the level is split and what follows from an alarm (`kill`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.experiments import always_valid, group_sequential
from ml.experiments.config import CostCap, ExperimentConfig, Variant
from ml.experiments.deviates import sharpened, z_of_pair
from ml.experiments.inference import least_met
from ml.experiments.normal import z_of
from ml.experiments.pairs import Mask, Pair, pair_of
from ml.moments import AnyMoments, Counts, Floats


@dataclass(frozen=True, slots=True)
class Looks:
    """Cumulative statistics at each look, in order of time.

    Attributes:
        at: the moments that the statistics speak of, (looks,).
        exposures: units by variant, (..., looks).
        metrics: by metric and variant, cumulative moments (..., looks).
        crossovers: units seen in two variants, left out of all others, (..., looks) or 0.
    """

    at: tuple[datetime, ...]
    exposures: Mapping[str, Floats]
    metrics: Mapping[str, Mapping[str, AnyMoments]]
    crossovers: Floats | float = 0.0


@dataclass(frozen=True, slots=True)
class Alarm:
    """A monitor's answer: `first` (...,) is the look at which `statistic` (..., looks) passed `bound` (looks,), or -1.

    For boundaries both are z statistics, for e-values logarithms of evidence; harm is positive.
    """

    kind: str
    variant: str
    metric: str
    alpha: float
    statistic: Floats
    bound: Floats
    first: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Watched:
    """A metric that must not get worse: the primary one, or a guardrail with what it bears (`margin`, a share of control's)."""

    kind: str
    metric: str
    higher_is_better: bool
    margin: float = 0.0


def watched(config: ExperimentConfig) -> list[Watched]:
    """The primary metric and the guardrails."""
    guardrails = [Watched("guardrail", each.metric, each.higher_is_better, each.margin) for each in config.guardrails]
    return [Watched("harm", config.primary.metric, config.primary.higher_is_better), *guardrails]


def worse_by_horizon(config: ExperimentConfig, looks: Looks, variant: Variant, what: Watched, alpha: float) -> Alarm:
    """Treatment is worse, one-sided: group-sequential, so nothing more is found after the horizon."""
    control, treatment, pair = _arms(config, looks, what, variant)
    times = [(at - config.valid_from) / config.horizon for at in looks.at]
    units = np.maximum.accumulate(pair.n.reshape(-1, len(looks.at)).mean(0))  # replicates of one design share their boundaries
    bound = group_sequential.boundaries(alpha, times, units.tolist(), config.spending)
    is_plain = isinstance(control, Counts) and isinstance(treatment, Counts) and not what.margin
    z = sharpened(control, treatment, pair) if is_plain else z_of_pair(pair)
    judged = least_met(pair, control, treatment, units=config.least_units, events=config.least_events)
    return _alarm(what.kind, variant.name, what.metric, alpha, -z if what.higher_is_better else z, bound, judged)


def worse_at_any_time(config: ExperimentConfig, looks: Looks, variant: Variant, what: Watched, alpha: float) -> Alarm:
    """Treatment is worse, one-sided, with no horizon: exact for counted events however few, by the normal mixture for other kinds."""
    control, treatment, pair = _arms(config, looks, what, variant)
    if isinstance(control, Counts) and isinstance(treatment, Counts):
        evidence = _event_evidence(config.control.share, variant.share, control, treatment, what)
    else:
        units = config.planned_units * (config.control.share + variant.share)
        judged = least_met(pair, control, treatment, units=config.least_units, events=0.0)
        found = always_valid.log_e_value(pair, units, alpha, "smaller" if what.higher_is_better else "larger")
        evidence = np.where(judged, found, -np.inf)
    return _alarm(what.kind, variant.name, what.metric, alpha, evidence, _evidence_bound(alpha, evidence))


def mismatch(config: ExperimentConfig, looks: Looks, alpha: float) -> Alarm:
    """The arms do not hold their shares: exact at every exposure; units in an arm without allocation are infinite evidence."""
    counts = np.stack([np.asarray(looks.exposures[variant.name], dtype=float) for variant in config.variants], axis=-1)
    evidence = always_valid.exposure_e_value(counts, [variant.share for variant in config.variants])
    return _alarm("exposure", "", "", alpha, evidence, _evidence_bound(alpha, evidence))


def overspending(config: ExperimentConfig, looks: Looks, variant: Variant, cost: CostCap, alpha: float) -> Alarm:
    """Treatment costs more than the cap: one-sided normal mixture on the arm alone."""
    arm = looks.metrics[cost.metric][variant.name]
    pair = pair_of(arm, arm)  # one arm: its estimate and variance
    with np.errstate(all="ignore"):
        z = z_of((pair.treatment - cost.cap) / np.sqrt(pair.treatment_variance), pair.df)
    judged = least_met(pair, arm, arm, units=config.least_units, events=0.0)
    rho2 = always_valid.rho_squared(config.planned_units * variant.share, alpha, "larger")
    evidence = always_valid.mixture(np.where(judged, z, np.nan), pair.treatment_n, rho2, "larger")
    return _alarm("cost", variant.name, cost.metric, alpha, evidence, _evidence_bound(alpha, evidence))


def _arms(config: ExperimentConfig, looks: Looks, what: Watched, variant: Variant) -> tuple[Any, Any, Pair]:
    """Control, treatment and their pair, against control's share that is borne: what a guardrail bears is no harm."""
    arms = looks.metrics[what.metric]
    control, treatment = arms[config.control.name], arms[variant.name]
    pair = pair_of(control, treatment)
    if what.margin:
        share = 1 - what.margin if what.higher_is_better else 1 + what.margin
        variance = pair.control_variance * share**2
        null = variance + pair.treatment_variance
        pair = replace(pair, control=pair.control * share, control_variance=variance, null_variance=null)
    return control, treatment, pair


def _event_evidence(here: float, there: float, control: Counts, treatment: Counts, what: Watched) -> Floats:
    if what.higher_is_better:  # what is missing in treatment is too much in control
        return always_valid.event_e_value(treatment.hits, control.hits, here / (here + there * (1 - what.margin)))
    borne = there * (1 + what.margin)
    return always_valid.event_e_value(control.hits, treatment.hits, borne / (here + borne))


def _evidence_bound(alpha: float, evidence: Floats) -> Floats:
    return np.full(evidence.shape[-1], -np.log(alpha))


def _alarm(kind: str, variant: str, metric: str, alpha: float, statistic: Floats, bound: Floats, judged: Mask | bool = True) -> Alarm:
    with np.errstate(invalid="ignore"):
        crossed = (statistic > bound) & judged
    first = np.where(crossed.any(-1), crossed.argmax(-1), -1)
    return Alarm(kind, variant, metric, alpha, statistic, bound, first)
