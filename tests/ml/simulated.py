"""Streams of simulated experiments, many at once, with planted truth; the kill switch under test runs on them as it is."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from ml.experiments.config import ExperimentConfig, Goal, Guardrail, Variant
from ml.experiments.kill import alarms
from ml.experiments.monitors import Looks
from ml.moments import Counts

START = datetime(2026, 1, 1, tzinfo=UTC)
GUARDRAILS = {"opt_out": 0.01, "complaint": 0.005, "error": 0.02}


def config(share: float = 0.5, days: int = 30, daily: int = 400, higher_is_better: bool = True) -> ExperimentConfig:
    """Two arms, three guardrails, one look a day."""
    return ExperimentConfig(
        experiment_id="greeting",
        variants=(Variant("a", 1 - share, is_control=True), Variant("b", share)),
        primary=Goal("converted", higher_is_better),
        valid_from=START,
        horizon=timedelta(days=days),
        guardrails=tuple(Guardrail(name) for name in GUARDRAILS),
        planned_units=daily * days,
    )


def looks(
    runs: int,
    seed: int,
    treated: float = 0.05,
    base: float = 0.05,
    share: float = 0.5,
    days: int = 30,
    daily: int = 400,
    harms: dict[str, float] | None = None,
    exposed: float | None = None,
) -> Looks:
    """`runs` streams of `days` looks: `daily` units a day fall into treatment with chance `share` (or in truth `exposed`).

    `harms` multiplies a guardrail's rate in treatment.
    """
    rng = np.random.default_rng(seed)
    there = rng.binomial(daily, share if exposed is None else exposed, (runs, days))
    here = daily - there
    rates = {"converted": (base, treated)} | {name: (rate, rate * (harms or {}).get(name, 1.0)) for name, rate in GUARDRAILS.items()}
    units = {"a": np.cumsum(here, -1).astype(float), "b": np.cumsum(there, -1).astype(float)}
    daily_units = {"a": here, "b": there}
    metrics = {
        name: {arm: Counts(units[arm], np.cumsum(rng.binomial(daily_units[arm], rate), -1)) for arm, rate in zip("ab", both, strict=True)}
        for name, both in rates.items()
    }
    return Looks(tuple(START + timedelta(days=day + 1) for day in range(days)), units, metrics)


def one(many: Looks, run: int = 0, upto: int | None = None) -> Looks:
    """One stream of many, up to a number of looks."""
    part = (run, slice(0, upto))
    metrics = {name: {arm: moments[part] for arm, moments in arms.items()} for name, arms in many.metrics.items()}
    return Looks(many.at[:upto], {arm: units[part] for arm, units in many.exposures.items()}, metrics)


def killed_on(settings: ExperimentConfig, stream: Looks, kinds: Sequence[str] = ("harm", "guardrail", "exposure", "cost")) -> np.ndarray:
    """The day on which each stream is killed, from 1; infinity if never."""
    first = np.stack([np.where(alarm.first < 0, np.inf, alarm.first + 1) for alarm in alarms(settings, stream) if alarm.kind in kinds])
    return np.asarray(first.min(axis=0))
