"""The kill switch as a whole, on streams with planted truth: how often it is wrong, how soon it is right.

Figures at full size (`--large`) are printed and stand in docs/decisions.md.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from ml.experiments.config import CostCap, Variant
from ml.experiments.inference import compare_all
from ml.experiments.monitors import Looks, overspending
from ml.experiments.pairs import pair_of
from ml.moments import Counts, Moments
from tests.ml.simulated import GUARDRAILS, config, killed_on, looks

_ALPHA = 0.05


def _growthbook(stream: Looks) -> float:
    """How often gbstats 0.8 (SequentialTwoSidedTTest, relative effect, its default tuning) ever excludes zero."""
    pair = pair_of(stream.metrics["converted"]["a"], stream.metrics["converted"]["b"])
    with np.errstate(all="ignore"):
        variance = pair.treatment_variance / pair.control**2 + pair.control_variance * pair.treatment**2 / pair.control**4
        z = (pair.treatment - pair.control) / pair.control / np.sqrt(variance)
    grown = pair.n * (-2 * np.log(_ALPHA) + np.log(-2 * np.log(_ALPHA) + 1)) / 5000
    return float((np.abs(z) > np.sqrt((grown + 1) / grown * np.log((grown + 1) / _ALPHA**2))).any(axis=1).mean())


def _upper(events: int, runs: int) -> float:
    """Upper 95 % bound of Clopper and Pearson."""
    return float(stats.beta.ppf(0.95, events + 1, runs - events))


@pytest.mark.parametrize("runs", [pytest.param(10_000, id="small"), pytest.param(40_000, id="large", marks=pytest.mark.large)])
def test_without_harm_a_month_of_daily_looks_kills_at_most_as_often_as_said(runs: int) -> None:
    stream = looks(runs, seed=1)
    ever = int(np.isfinite(killed_on(config(), stream)).sum())
    pair = pair_of(stream.metrics["converted"]["a"], stream.metrics["converted"]["b"])
    fixed = float((compare_all(pair).p_value < _ALPHA).any(axis=1).mean())
    print(f"false alarms: {ever / runs:.4f} (upper {_upper(ever, runs):.4f}); fixed test {fixed:.4f}; GrowthBook {_growthbook(stream):.4f}")
    assert _upper(ever, runs) <= _ALPHA
    assert fixed > 0.25  # the trap is there


@pytest.mark.parametrize(("treated", "power"), [(0.04, 0.70), (0.025, 0.999)])
def test_harm_is_stopped_within_the_month(treated: float, power: float) -> None:
    runs = 2500
    stream = looks(runs, seed=2, treated=treated)
    day = killed_on(config(), stream)
    print(f"{treated}: stopped {np.isfinite(day).mean():.4f}, median day {np.median(day):.0f}; GrowthBook {_growthbook(stream):.4f}")
    assert np.isfinite(day).mean() >= power
    if treated == 0.025:
        assert np.median(day) <= 5


@pytest.mark.parametrize("share", [0.1, 0.9])
@pytest.mark.parametrize("higher_is_better", [True, False])
@pytest.mark.parametrize("base", [0.05, 0.005])
def test_unequal_arms_and_rare_events_kill_no_more_often(share: float, higher_is_better: bool, base: float) -> None:
    runs = 800
    stream = looks(runs, seed=3, share=share, base=base, treated=base)
    ever = int(np.isfinite(killed_on(config(share, higher_is_better=higher_is_better), stream)).sum())
    assert ever <= stats.binom.ppf(0.9999, runs, _ALPHA)


def test_looking_on_after_the_horizon_kills_no_more_often() -> None:
    runs = 800
    stream = looks(runs, seed=4, days=90)
    assert int(np.isfinite(killed_on(config(days=30), stream)).sum()) <= stats.binom.ppf(0.9999, runs, _ALPHA)


@pytest.mark.parametrize(("guardrail", "times", "within"), [("opt_out", 2.0, 0.85), ("error", 1.5, 0.5), ("complaint", 3.0, 0.95)])
def test_a_breached_guardrail_is_stopped(guardrail: str, times: float, within: float) -> None:
    day = killed_on(config(), looks(500, seed=5, harms={guardrail: times}), ["guardrail"])
    print(f"{guardrail} x {times}: {np.isfinite(day).mean():.3f}, median day {np.median(day):.0f}")
    assert np.isfinite(day).mean() >= within


def test_a_lost_tenth_of_treatment_is_found_and_a_lost_hundredth_is_left_alone() -> None:
    found = killed_on(config(), looks(500, seed=6, exposed=0.45 / 0.95), ["exposure"])
    assert np.isfinite(found).mean() > 0.95
    assert np.median(found) <= 20
    small = killed_on(config(), looks(500, seed=7, exposed=0.495 / 0.995), ["exposure"])
    assert np.isfinite(small).mean() < 0.05


def test_three_arms_without_harm_are_killed_no_more_often_than_said() -> None:
    """The level is split over both treatments, whose streams share their control."""
    runs = 1500
    first, second = looks(runs, seed=8), looks(runs, seed=9)
    arms = Variant("a", 1 / 3, is_control=True), Variant("b", 1 / 3), Variant("c", 1 / 3)
    rng = np.random.default_rng(10)
    daily = rng.multinomial(600, [1 / 3] * 3, (runs, 30))
    units = {name: np.cumsum(daily[..., place], -1).astype(float) for place, name in enumerate("abc")}
    rates = {"converted": 0.05} | GUARDRAILS
    metrics = {
        name: {arm: Counts(units[arm], np.cumsum(rng.binomial(daily[..., place], rate), -1)) for place, arm in enumerate("abc")}
        for name, rate in rates.items()
    }
    settings = replace(config(), variants=arms, planned_units=18_000)
    ever = int(np.isfinite(killed_on(settings, Looks(first.at, units, metrics))).sum())
    print(f"three arms, false alarms: {ever / runs:.4f}")
    assert ever <= stats.binom.ppf(0.9999, runs, _ALPHA)
    harmed = {name: dict(each) for name, each in metrics.items()}
    harmed["converted"]["c"] = Counts(units["c"], np.cumsum(rng.binomial(daily[..., 2], 0.025), -1))
    day = killed_on(settings, Looks(second.at, units, harmed))
    print(f"three arms, one of half the conversion: {np.isfinite(day).mean():.3f}, median day {np.median(day):.0f}")
    assert np.isfinite(day).mean() > 0.99


@pytest.mark.parametrize(("mean", "least", "most"), [(1.0, 0.0, 0.05), (0.97, 0.0, 0.01), (1.15, 0.95, 1.0)])
def test_the_cost_monitor_keeps_its_level_at_the_cap_and_finds_what_is_over_it(mean: float, least: float, most: float) -> None:
    """Gamma costs of skewness 1.4, a cap of 1, thirty looks, the whole level given to the monitor of the one arm."""
    runs, daily = 1000, 200
    rng = np.random.default_rng(11)
    costs = rng.gamma(2, mean / 2, (runs, 30, daily)).astype(np.float64)
    day_mean = costs.mean(-1)
    arm = Moments(np.full((runs, 30), float(daily)), day_mean, ((costs - day_mean[..., None]) ** 2).sum(-1)).accumulate()
    settings = replace(config(), cost=CostCap("tokens", 1.0))
    stream = Looks(looks(1, seed=1).at, {}, {"tokens": {"a": arm, "b": arm}})
    ever = (overspending(settings, stream, settings.treatments[0], CostCap("tokens", 1.0), _ALPHA).first >= 0).mean()
    print(f"cost of {mean} against a cap of 1: {ever:.4f}")
    assert least <= ever <= most
