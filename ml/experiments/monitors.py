"""What the kill switch watches: each monitor says at which look it first raised an alarm, at its own part of the level.

Here belongs one function a trigger, over cumulative looks; all take arrays (..., looks), so that a simulation of ten thousand experiments
runs the very code that decides on one. Not here: how the level is split and what follows from an alarm (`kill`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from ml.experiments import always_valid, group_sequential
from ml.experiments.config import CostCap, ExperimentConfig, Guardrail, Variant
from ml.experiments.inference import least_met
from ml.experiments.deviates import sharpened, z_of_pair
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


def harm(config: ExperimentConfig, looks: Looks, variant: Variant, alpha: float) -> Alarm:
    """Treatment is worse on the primary metric: group-sequential up to the horizon, one-sided."""
    control, treatment = _arms(config, looks, config.primary.metric, variant)
    pair = pair_of(control, treatment)
    times = [(at - config.valid_from) / config.horizon for at in looks.at]
    units = np.maximum.accumulate(pair.n.reshape(-1, len(looks.at)).mean(0))  # replicates of one design share their boundaries
    bound = group_sequential.boundaries(alpha, times, units.tolist(), config.spending)
    z = sharpened(control, treatment, pair) if isinstance(control, Counts) and isinstance(treatment, Counts) else z_of_pair(pair)
    statistic = -z if config.primary.higher_is_better else z
    judged = least_met(pair, control, treatment, units=config.least_units, events=config.least_events)
    return _alarm("harm", variant.name, config.primary.metric, alpha, statistic, bound, judged)


def harm_without_horizon(config: ExperimentConfig, looks: Looks, variant: Variant, alpha: float) -> Alarm:
    """Treatment is worse on the primary metric: one-sided normal mixture, which goes on after the horizon."""
    control, treatment = _arms(config, looks, config.primary.metric, variant)
    return _worse(config, "harm", variant, config.primary.metric, alpha, control, treatment, config.primary.higher_is_better)


def breach(config: ExperimentConfig, looks: Looks, variant: Variant, guardrail: Guardrail, alpha: float) -> Alarm:
    """Treatment is worse than the guardrail bears: exact for counted events, by the normal mixture for other kinds."""
    control, treatment = _arms(config, looks, guardrail.metric, variant)
    if not (isinstance(control, Counts) and isinstance(treatment, Counts)):
        return _worse(
            config, "guardrail", variant, guardrail.metric, alpha, control, treatment, guardrail.higher_is_better, guardrail.margin
        )
    here, there = config.control.share, variant.share
    if guardrail.higher_is_better:  # what is missing in treatment is too much in control
        share = here / (here + there * (1 - guardrail.margin))
        evidence = always_valid.event_e_value(treatment.hits, control.hits, share)
    else:
        share = there * (1 + guardrail.margin) / (here + there * (1 + guardrail.margin))
        evidence = always_valid.event_e_value(control.hits, treatment.hits, share)
    return _alarm("guardrail", variant.name, guardrail.metric, alpha, evidence, _evidence_bound(alpha, evidence))


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


def _worse(  # noqa: PLR0913 - one question, all of it
    config: ExperimentConfig,
    kind: str,
    variant: Variant,
    metric: str,
    alpha: float,
    control: AnyMoments,
    treatment: AnyMoments,
    higher_is_better: bool,
    margin: float = 0.0,
) -> Alarm:
    pair = pair_of(control, treatment)
    if margin:
        pair = _with_margin(pair, 1 - margin if higher_is_better else 1 + margin)
    units = config.planned_units * (config.control.share + variant.share)
    judged = least_met(pair, control, treatment, units=config.least_units, events=config.least_events)
    evidence = always_valid.log_e_value(pair, units, alpha, "smaller" if higher_is_better else "larger")
    return _alarm(kind, variant.name, metric, alpha, np.where(judged, evidence, -np.inf), _evidence_bound(alpha, evidence))


def _with_margin(pair: Pair, share: float) -> Pair:
    """Against a share of control: what the guardrail bears is no harm."""
    control, variance = pair.control * share, pair.control_variance * share**2
    return replace(pair, control=control, control_variance=variance, null_variance=variance + pair.treatment_variance)


def _arms(config: ExperimentConfig, looks: Looks, metric: str, variant: Variant) -> tuple[AnyMoments, AnyMoments]:
    arms = looks.metrics[metric]
    return arms[config.control.name], arms[variant.name]


def _evidence_bound(alpha: float, evidence: Floats) -> Floats:
    return np.full(evidence.shape[-1], -np.log(alpha))


def _alarm(kind: str, variant: str, metric: str, alpha: float, statistic: Floats, bound: Floats, judged: Mask | bool = True) -> Alarm:
    with np.errstate(invalid="ignore"):
        crossed = (statistic > bound) & judged
    first = np.where(crossed.any(-1), crossed.argmax(-1), -1)
    return Alarm(kind, variant, metric, alpha, statistic, bound, first)
