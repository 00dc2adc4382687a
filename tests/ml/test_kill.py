"""One decision at a time: what is served, why, and what happens to statistics that are not there."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from ml.experiments.config import CostCap, ExperimentConfig, Goal, Guardrail, LevelShares, Variant
from ml.experiments.kill import alarms, decide
from ml.experiments.monitors import Looks
from ml.moments import AnyMoments, Counts, Moments, RatioMoments
from tests.ml.simulated import START, config, killed_on, looks, one

_HOUR = timedelta(hours=1)


def test_every_stream_is_decided_as_the_simulation_says_and_stays_killed() -> None:
    many = looks(25, seed=21, treated=0.03)
    days = killed_on(config(), many)
    for run in range(25):
        for upto in (3, 10, 30):
            found = decide(config(), one(many, run, upto), many.at[upto - 1] + _HOUR)
            assert (found.status == "killed") == (days[run] <= upto)
            if found.triggers:
                assert found.serve == "control"
                assert found.triggers[0].at == many.at[int(days[run]) - 1]


def test_harm_is_told_with_its_evidence() -> None:
    many = looks(1, seed=22, treated=0.02)
    found = decide(config(), one(many), many.at[-1])
    trigger = next(each for each in found.triggers if each.cause == "harm")
    assert (trigger.variant, trigger.metric) == ("b", "converted")
    assert trigger.evidence["statistic"] > trigger.evidence["bound"]
    assert trigger.evidence["alpha"] == pytest.approx(0.05 * LevelShares().primary)
    look = int(trigger.evidence["look"]) - 1
    assert trigger.evidence["control"] == pytest.approx(many.metrics["converted"]["a"].hits[0, look] / many.exposures["a"][0, look])
    assert trigger.detail.startswith("b is worse on converted: 0.0")


def test_good_news_is_no_harm() -> None:
    many = looks(1, seed=23, treated=0.08)
    found = decide(config(), one(many, upto=29), many.at[28])
    assert (found.status, found.serve, found.triggers) == ("running", "experiment", ())


def _with(settings: ExperimentConfig, stream: Looks, metric: str, a: AnyMoments, b: AnyMoments) -> Looks:
    return replace(stream, metrics=dict(stream.metrics) | {metric: {"a": a, "b": b}})


def test_cost_over_the_cap_is_stopped_and_under_it_is_not() -> None:
    rng = np.random.default_rng(24)
    settings = replace(config(), cost=CostCap("tokens_per_conversation", 1000.0))
    plain = one(looks(1, seed=24))

    def tokens(mean: float) -> RatioMoments:
        parts = [RatioMoments.from_rows(rng.gamma(2, mean, 200), 1.0 + rng.poisson(1, 200)) for _ in range(30)]
        joined = RatioMoments(*(np.array([getattr(part, name) for part in parts]) for name in RatioMoments.__dataclass_fields__))
        return joined.accumulate()

    cheap, dear = tokens(950), tokens(1150)
    fine = decide(settings, _with(settings, plain, "tokens_per_conversation", dear, cheap), plain.at[-2] + _HOUR * 24)
    assert not [each for each in fine.triggers if each.cause == "cost"]  # control may cost what it costs
    found = decide(settings, _with(settings, plain, "tokens_per_conversation", cheap, dear), plain.at[-1])
    trigger = next(each for each in found.triggers if each.cause == "cost")
    assert trigger.detail.startswith("tokens_per_conversation of b is over the cap of 1000: 11")
    assert trigger.evidence["cap"] == 1000.0


@pytest.mark.parametrize(("margin", "is_killed"), [(0.0, True), (0.5, False)])
@pytest.mark.parametrize("higher_is_better", [True, False])
def test_a_guardrail_bears_its_margin(margin: float, is_killed: bool, higher_is_better: bool) -> None:
    """SLA kept in 90 % against 80 % (or broken in 10 % against 14 %), as counts and as means."""
    stream = one(looks(1, seed=25))
    days = np.arange(1, 31)
    rates = (0.9, 0.8) if higher_is_better else (0.1, 0.14)
    kept = [Counts(200.0 * days, np.round(200 * rate * days)) for rate in rates]
    means = [Moments(200.0 * days, np.full(30, 10 * rate), 200.0 * days * 4) for rate in rates]
    for arms in (kept, means):
        settings = replace(config(), guardrails=(Guardrail("sla", higher_is_better, margin),))
        found = decide(settings, _with(settings, stream, "sla", *arms), stream.at[-1])
        assert any(each.cause == "guardrail" for each in found.triggers) == is_killed


def test_a_mismatch_is_told_with_its_counts() -> None:
    many = looks(1, seed=26, exposed=0.4)
    found = decide(config(), one(many), many.at[-1])
    trigger = next(each for each in found.triggers if each.cause == "exposure")
    assert "do not hold their allocation" in trigger.detail
    assert trigger.evidence["units_a"] + trigger.evidence["units_b"] == 400 * trigger.evidence["look"]


def test_missing_statistics_serve_control_to_the_microsecond() -> None:
    patience = config().stale_after
    for nothing in (None, Looks((), {}, {})):
        assert decide(config(), nothing, START + patience).status == "running"
        found = decide(config(), nothing, START + patience + timedelta(microseconds=1))
        assert (found.status, found.serve, found.triggers[0].cause) == ("killed", "control", "statistics")


def test_stale_statistics_serve_control_to_the_microsecond() -> None:
    stream = one(looks(1, seed=1), upto=5)
    last = stream.at[-1] + config().stale_after
    assert decide(config(), stream, last).status == "running"
    found = decide(config(), stream, last + timedelta(microseconds=1))
    assert found.triggers[0].detail.startswith("the last statistics are of 2026-01-06T00:00:00+00:00")
    assert found.serve == "control"


def test_before_the_start_control_is_served_and_after_the_horizon_it_has_ended() -> None:
    assert decide(config(), None, START - timedelta(microseconds=1)) == decide(config(), None, START - timedelta(days=9))
    assert decide(config(), None, START - timedelta(microseconds=1)).status == "planned"
    stream = one(looks(1, seed=1))
    short = one(looks(1, seed=1), upto=29)
    assert decide(config(), short, START + timedelta(days=30) - timedelta(microseconds=1)).status == "running"
    assert decide(config(), stream, START + timedelta(days=30)).status == "ended"
    assert decide(config(days=31), stream, START + timedelta(days=30)).status == "running"


def _without(stream: Looks, metric: str, arm: str) -> Looks:
    arms = {name: moments for name, moments in stream.metrics[metric].items() if name != arm}
    return replace(stream, metrics=dict(stream.metrics) | {metric: arms})


@pytest.mark.parametrize(
    ("change", "cause", "words"),
    [
        (lambda s: _without(s, "converted", "b"), "statistics", "converted is told for none of"),
        (lambda s: _without(s, "opt_out", "a"), "statistics", "opt_out is told for none of"),
        (lambda s: replace(s, exposures={"a": s.exposures["a"]}), "statistics", "no exposures are told for 'b'"),
        (lambda s: replace(s, exposures=dict(s.exposures) | {"z": s.exposures["a"]}), "exposure", "which is no variant"),
        (lambda s: replace(s, exposures=dict(s.exposures) | {"b": s.exposures["b"] * 0}), "exposure", "nobody was exposed to 'b'"),
        (lambda s: replace(s, exposures=dict(s.exposures) | {"b": s.exposures["b"][::-1]}), "statistics", "became fewer"),
        (lambda s: replace(s, crossovers=np.full(10, 400.0)), "exposure", "400 units were in two variants"),
        (
            lambda s: _with(config(), s, "converted", Counts(s.exposures["a"], s.exposures["a"] + 1), s.metrics["converted"]["b"]),
            "statistics",
            "more than units",
        ),
        (
            lambda s: _with(
                config(), s, "converted", Moments(s.exposures["a"], np.ones(10), np.full(10, -1.0)), s.metrics["converted"]["b"]
            ),
            "statistics",
            "a variance is negative",
        ),
        (
            lambda s: _with(config(), s, "converted", Moments(s.exposures["a"], np.ones(10), np.ones(10)), s.metrics["converted"]["b"]),
            "statistics",
            "redefined half-way",
        ),
    ],
)
def test_broken_statistics_serve_control_and_say_what_is_broken(change, cause: str, words: str) -> None:
    stream = one(looks(1, seed=1), upto=10)
    assert decide(config(), stream, stream.at[-1]).status == "running"
    found = decide(config(), change(stream), stream.at[-1])
    assert (found.status, found.serve) == ("killed", "control")
    assert any(each.cause == cause and words in each.detail for each in found.triggers)


def test_a_few_people_on_two_devices_do_not_stop_an_experiment() -> None:
    stream = replace(one(looks(1, seed=1), upto=2), crossovers=np.array([5.0, 19.0]))
    assert decide(config(), stream, stream.at[-1]).status == "running"


def test_what_is_not_there_yet_in_the_first_hours_is_waited_for() -> None:
    stream = _without(one(looks(1, seed=1), upto=1), "opt_out", "b")
    assert decide(config(), stream, stream.at[-1]).status == "running"


def test_an_experiment_that_cannot_be_judged_is_refused() -> None:
    arms = Variant("a", 0.5, is_control=True), Variant("b", 0.5, is_control=True)
    with pytest.raises(ValueError, match="exactly one variant is the control"):
        decide(replace(config(), variants=arms), None, START)
    stream = one(looks(1, seed=1))
    with pytest.raises(ValueError, match="lies after the moment of the decision"):
        decide(config(), stream, stream.at[-1] - timedelta(microseconds=1))


def test_the_parts_of_the_level_add_up_to_it_over_arms_and_guardrails() -> None:
    stream = one(looks(1, seed=1))
    variants = Variant("a", 0.4, is_control=True), Variant("b", 0.2), Variant("c", 0.4), Variant("off", 0.0)
    exposures = {"a": stream.exposures["a"], "b": stream.exposures["b"], "c": stream.exposures["b"], "off": stream.exposures["b"] * 0}
    metrics = {name: {"a": arms["a"], "b": arms["b"], "c": arms["b"]} for name, arms in stream.metrics.items()}
    settings = replace(config(), variants=variants, cost=CostCap("converted", 0.9))
    every = list(alarms(settings, Looks(stream.at, exposures, metrics)))
    assert len(every) == 1 + 2 * (2 * 4 + 1)
    assert sum(alarm.alpha for alarm in every) == pytest.approx(settings.alpha)
    assert decide(replace(settings, primary=Goal("converted")), Looks(stream.at, exposures, metrics), stream.at[-1]).findings == ()
