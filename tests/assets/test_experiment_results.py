"""From moments to results and decisions: numbers that a second library gives too, and a named finding where there is none to give."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from statsmodels.stats.proportion import proportions_ztest

from assets.experiment_pages import Said, pages_of
from assets.experiment_results import Concluded, conclude
from core.experiments import Configured, ExperimentDecision
from core.reference import Experiment, ExperimentMetric
from ml.reports.site.parts import Site

START = datetime(2026, 6, 1, tzinfo=UTC)
DAYS = 10
AS_OF = START + timedelta(days=DAYS)


def configured(
    valid_from: datetime = START, shares: tuple[int, ...] = (50, 50), metric: str = "m", to: datetime | None = None
) -> Configured:
    common: dict[str, Any] = {"tenant_id": "t", "experiment_id": "x", "valid_from": valid_from, "valid_to": to}
    return Configured(
        [
            Experiment(
                **common, variant=name, is_control=name == "a", allocation_ppm=share * 10_000, primary_metric=metric, minimum_effect=0.05
            )
            for name, share in zip("abc", shares, strict=False)
        ],
        [ExperimentMetric(**common, metric=metric, role="primary", kind="proportion", event=metric, window_seconds=60)],
    )


def moments(rates: dict[str, float], daily: int = 40, metric: str = "m", days: int = DAYS, **changes: Any) -> list[dict[str, Any]]:
    """Cumulative rows of days on which each arm gets so many units and keeps to its rate."""
    rows = []
    for day in range(1, days + 1):
        for variant, rate in rates.items():
            n, hits = daily * day, round(daily * day * rate)
            rows.append({
                "tenant_id": "t", "experiment_id": "x", "variant": variant, "metric": metric, "role": "primary", "kind": "proportion",
                "is_known_variant": True, "exposed_count": n, "crossover_count": 0, "n": n, "hits": hits, "mean": hits / n if n else None,
                "m2": hits * (1 - hits / n) if n else None, "variance": None, "other_mean": None, "other_m2": None, "comoment": None,
                "covariance": None, "look_date": date(2026, 6, day), "valid_from": START,
            } | changes)  # fmt: skip
    return rows


def concluded(rows: list[dict[str, Any]], config: Configured | None = None, as_of: datetime = AS_OF) -> Concluded:
    return conclude(config or configured(), rows, {"t": "UTC"}, as_of)


def only(found: Concluded) -> ExperimentDecision:
    [decision] = found.decisions
    return decision


def test_every_look_is_what_statsmodels_says() -> None:
    found = concluded(moments({"a": 0.5, "b": 0.45}))
    assert len(found.results) == DAYS
    for day, row in enumerate(found.results, start=1):
        n = 40 * day
        _, p = proportions_ztest([round(n * 0.45), round(n * 0.5)], [n, n])
        assert row.p_value == pytest.approx(p, rel=1e-9)
        assert (row.look_date, row.decision, row.is_srm) == (date(2026, 6, day), "running", False)
        assert row.effect is not None and row.ci_low is not None and row.always_low is not None
        assert row.always_low < row.ci_low < row.effect
    assert only(found).verdict.startswith("Running: b is not told from a on m")
    assert only(found).power == found.results[-1].power
    assert [row.power for row in found.results] == sorted(row.power for row in found.results)


def test_a_kill_stands_from_its_look_on_with_its_evidence() -> None:
    found = concluded(moments({"a": 0.8, "b": 0.3}))
    assert (only(found).status, only(found).serve, only(found).cause, only(found).variant) == ("killed", "control", "harm", "b")
    states = [row.decision for row in found.results]
    assert states == sorted(states, reverse=True)
    assert only(found).triggered_at == START + timedelta(days=states.count("running") + 1)
    assert '"statistic"' in only(found).evidence
    first = found.results[states.count("running")]
    assert first.statistic is not None and first.boundary is not None
    assert first.statistic > first.boundary or states.count("running") == 0


def test_a_better_variant_is_proposed_to_a_person() -> None:
    assert only(concluded(moments({"a": 0.3, "b": 0.6}))).verdict.endswith("Proposed for promotion, for a person to decide: b.")


def _unknown() -> list[dict[str, Any]]:
    return moments({"a": 0.5, "b": 0.5}) + [row | {"is_known_variant": False} for row in moments({"z": 0.5})]


def _crossed() -> list[dict[str, Any]]:
    return moments({"a": 0.5, "b": 0.5}, crossover_count=30)


def _negative() -> list[dict[str, Any]]:
    return [row | {"hits": row["n"] + 1} for row in moments({"a": 0.5, "b": 0.5})]


def _nobody() -> list[dict[str, Any]]:
    return moments({"a": 0.5}) + [row | {"exposed_count": 0, "n": 0, "hits": 0, "mean": None, "m2": None} for row in moments({"b": 0.5})]


@pytest.mark.parametrize(
    ("rows", "finding"),
    [(_unknown(), "unknown_variant"), (_crossed(), "crossovers"), (_negative(), "impossible_moments"), (_nobody(), "no_exposures")],
)
def test_broken_input_is_a_named_finding_and_never_a_number(rows: list[dict[str, Any]], finding: str) -> None:
    found = concluded(rows)
    assert f'"kind": "{finding}"' in only(found).findings
    assert only(found).serve == "control"
    for row in found.results:
        assert finding in row.findings.split()
        assert (row.effect, row.ci_low, row.ci_high, row.p_value, row.always_low, row.power) == (None,) * 6
        assert row.reason


def test_no_statistics_at_all_serve_control_after_a_day_and_a_half() -> None:
    assert only(concluded([], as_of=START + timedelta(hours=36))).status == "running"
    late = only(concluded([], as_of=START + timedelta(hours=36, microseconds=1)))
    assert (late.status, late.cause) == ("killed", "statistics")


@pytest.mark.parametrize(
    ("change", "finding"),
    [({"shares": (20, 80)}, "allocation_changed"), ({"metric": "renamed"}, "metric_renamed"), ({"shares": (100,)}, "shrinking")],
)
def test_changes_on_the_way_are_named_in_the_version_that_they_begin(change: dict[str, Any], finding: str) -> None:
    half = START + timedelta(days=5)
    old, new = configured(to=half), configured(half, **change)
    rows = moments({"a": 0.5, "b": 0.5}, days=5) + [
        row | {"valid_from": half, "look_date": row["look_date"] + timedelta(days=5)}
        for row in moments({"a": 0.5, "b": 0.5}, days=5, metric=change.get("metric", "m"))
    ]
    found = concluded(rows, Configured([*old.variants, *new.variants], [*old.metrics, *new.metrics]))
    first, second = found.decisions
    assert finding not in first.findings
    assert f'"kind": "{finding}"' in second.findings


def test_a_mismatch_is_flagged_on_every_number() -> None:
    rows = moments({"a": 0.5}) + moments({"b": 0.5}, daily=80)
    found = concluded(rows)
    assert found.results[-1].is_srm
    assert only(found).cause == "exposure"


def test_a_look_is_a_day_of_the_tenant() -> None:
    rows = moments({"a": 0.5, "b": 0.5}, days=2)
    decision = only(conclude(configured(), rows, {"t": "Asia/Kolkata"}, START + timedelta(days=5)))
    assert decision.last_look_at == datetime(2026, 6, 2, 18, 30, tzinfo=UTC)


def test_pages_show_everything_and_ask_no_other_address() -> None:
    found = concluded(moments({"a": 0.8, "b": 0.3}))
    results = [{name: getattr(row, name) for name in row.__struct_fields__} for row in found.results]
    decisions = [{name: getattr(row, name) for name in row.__struct_fields__} for row in found.decisions]
    split = {"tenant_id": "t", "experiment_id": "x", "valid_from": START, "metric": "m", "channel": "whatsapp", "n": 400, "variance": 0.2}
    channels = [split | {"variant": "a", "mean": 0.8}, split | {"variant": "b", "mean": 0.3}]
    pages = pages_of(Said(results, decisions, channels, []), Site((), {"t": "UTC"}, AS_OF, "/dagster"))
    page = pages["experiments/t--x.html"]
    for words in (
        "Stopped: b is worse on m",
        "sequential boundary",
        "Sample ratio mismatch",
        "By tenant",
        "By channel",
        "95 % at all looks",
        "Power reached",
    ):
        assert words in page, words
    assert "http" not in page
    assert pages["data/t/experiments--t--x--effect--m--b.csv"].splitlines()[0] == "look_date,effect,ci_low,ci_high,always_low,always_high"
