"""A week of models in a real warehouse, with the state in a real PostgreSQL: marts, journal, looks, pages, and what is not there."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from assets.drift import alarms
from assets.drift_pages import laid_out, sample
from assets.model_drift import baseline_of, judge, judge_week
from core.drift_ports import Batch, DriftVerdict, ModelPerformance, Served, Week
from ml.columns import Coded
from ml.drift.baseline import Baseline
from ml.drift.feature import freeze_feature
from ml.drift.policy import Policy
from orchestration.resources.drift import DriftError, PostgresDrift
from orchestration.resources.scored_rows import WarehouseScoredRows
from orchestration.resources.state import State
from orchestration.resources.warehouse import Warehouse

MONDAY = datetime(2026, 11, 9, tzinfo=UTC)
WEEK = Week(MONDAY, MONDAY + timedelta(days=7))
AFTER = WEEK.until + timedelta(hours=3)

PREDICTIONS = """
create schema if not exists marts;
create or replace table marts.fct_predictions (
    tenant_id text, lead_id text, model_name text, model_version bigint, probability double, outcome boolean,
    featured_at timestamptz, predicted_at timestamptz, outcome_at timestamptz
);
create or replace table marts.ftr_leads (
    tenant_id text, lead_id text, trigger_event_id text, featured_at timestamptz, score bigint, has_objection boolean, intent text
);
"""


class World:
    """A tenant's model over a warehouse of its own."""

    def __init__(self, folder: Path, state: State, tenant: str) -> None:
        self.path, self.tenant = folder / "warehouse.duckdb", tenant
        self.warehouse = Warehouse(self.path, folder / "lake", folder)
        self.rows, self.drift = WarehouseScoredRows(self.warehouse), PostgresDrift(state)
        self.served = Served(tenant, "lead_scoring", 1)
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute(PREDICTIONS)

    def draw(self, rng: np.random.Generator, rows: int, shift: float = 0.0) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Features and probabilities."""
        score = np.round(rng.normal(50 + shift, 15, rows)).clip(0, 100)
        objection = rng.random(rows) < 0.3
        intent = rng.choice(["buy", "ask", "rent"], rows)
        p = 1 / (1 + np.exp(-(score - 50) / 15 + objection))
        return {"score": score, "has_objection": objection, "intent": intent}, p

    def freeze(self, policy: Policy = Policy(), segmented_by: str = "") -> None:  # noqa: B008
        rng = np.random.default_rng(0)
        columns, p = self.draw(rng, 4000)
        made = baseline_of(self.served, columns, p, rng.random(4000) < p, MONDAY - timedelta(days=30), segmented_by)
        if policy != Policy():
            changed = replace(Baseline.from_json(made.baseline), policy=policy)
            made = made._replace(baseline=changed.to_json())
        self.drift.freeze(made)

    def predict(
        self, rows: int, seed: int = 1, shift: float = 0.0, at: datetime = MONDAY, name: str = "l", model: str = "lead_scoring"
    ) -> None:
        """One row a lead, a minute apart, with the features of a minute before and others of a minute after; outcomes a day later."""
        rng = np.random.default_rng(seed)
        columns, p = self.draw(rng, rows, shift)
        y = rng.random(rows) < p
        moments = [at + timedelta(seconds=each) for each in range(rows)]
        leads = [f"{name}{each}" for each in range(rows)]
        said = pa.table(
            {
                "tenant_id": [self.tenant] * rows, "lead_id": leads, "model_name": [model] * rows, "model_version": [1] * rows,
                "probability": p, "outcome": y, "featured_at": [each - timedelta(minutes=1) for each in moments],
                "predicted_at": moments, "outcome_at": [each + timedelta(days=1) for each in moments],
            }
        )  # fmt: skip
        known = [
            pa.table(
                {
                    "tenant_id": [self.tenant] * rows, "lead_id": leads, "trigger_event_id": ["t"] * rows,
                    "featured_at": [each + timedelta(minutes=late) for each in moments],
                    "score": columns["score"].astype(int) if late < 0 else np.full(rows, 999),
                    "has_objection": columns["has_objection"], "intent": columns["intent"],
                }
            )
            for late in (-1, 1)
        ]  # fmt: skip
        with duckdb.connect(str(self.path)) as connection:
            for table, given in (("fct_predictions", said), ("ftr_leads", pa.concat_tables(known))):
                connection.register("given", given)
                connection.execute(f"insert into marts.{table} by name from given")
                connection.unregister("given")

    def look(self, week: Week = WEEK, as_of: datetime = AFTER) -> tuple[str, list[ModelPerformance]]:
        return judge(self.warehouse, self.rows, self.drift, self.drift, week, as_of, (self.tenant, None))


@pytest.fixture
def world(tmp_path: Path, state: State) -> Iterator[World]:
    yield World(tmp_path, state, f"drift_{tmp_path.name}")


def test_without_predictions_no_model_is_in_service_and_both_marts_are_empty(world: World) -> None:
    assert world.look() == (f"no model is in service of {world.tenant}", [])
    assert world.warehouse.rows("fct_model_drift") == world.warehouse.rows("fct_model_performance") == []
    with duckdb.connect(str(world.path)) as connection:
        connection.execute("drop table marts.fct_predictions")
    assert judge_week(world.rows, world.drift, world.drift, WEEK, AFTER).state == "no model is in service"


def test_a_calm_week_is_ok_and_a_shifted_one_critical_by_the_column_and_both_are_kept(world: World) -> None:
    world.freeze()
    world.predict(600)
    state, [calm] = world.look()
    assert (state, calm.severity, calm.state, calm.row_count, calm.look) == ("judged", "ok", "judged", 600, 1)
    assert calm.outcome_count == 600
    assert calm.auc_low is not None
    assert calm.auc_low < 0.78 < (calm.auc_high or 0)
    assert calm.estimated_auc is not None
    later = Week(WEEK.until, WEEK.until + timedelta(days=7))
    world.predict(600, seed=2, shift=20, at=later.since, name="m")
    _, [shifted] = world.look(later, later.until)
    assert shifted.severity == "critical"
    assert "score: values moved" in shifted.reasons
    rows = world.warehouse.rows("fct_model_drift")
    assert {(row["week_date"], row["feature"]) for row in rows if row["severity"] == "critical"} == {
        (later.since.date(), "score"), (later.since.date(), "prediction"),
    }  # fmt: skip
    assert len(rows) == 2 * 4
    assert [row["severity"] for row in world.warehouse.rows("fct_model_performance")] == ["ok", "critical"]
    assert [(each.week_date, each.severity) for each in world.drift.verdicts(world.tenant)] == [
        (WEEK.since.date(), "ok"), (later.since.date(), "critical"),
    ]  # fmt: skip
    assert [each.week_date for each in alarms(world.drift.verdicts(world.tenant))] == [later.since.date()]


def test_a_segment_that_moves_is_judged_apart(world: World) -> None:
    world.freeze(segmented_by="intent")
    world.predict(900)
    world.look()
    found = {(row["segment"], row["severity"]) for row in world.warehouse.rows("fct_model_drift")}
    assert found == {("", "ok"), ("buy", "ok"), ("ask", "ok"), ("rent", "ok")}


def test_features_are_those_of_the_moment_and_each_lead_counts_once_a_week(world: World) -> None:
    world.freeze()
    world.predict(300)
    world.predict(300, at=MONDAY + timedelta(days=2))  # the same leads again
    world.predict(50, at=WEEK.until, name="next")
    world.predict(50, at=MONDAY - timedelta(seconds=50), name="last")
    _, [found] = world.look()
    assert found.row_count == 300
    assert found.outcome_count == 350  # those of the week before became known in this one
    [row] = [row for row in world.warehouse.rows("fct_model_drift") if row["feature"] == "score"]
    assert row["unseen_share"] == 0  # the 999 came a minute after each prediction


def test_the_same_rows_are_the_same_look_and_other_rows_one_more(world: World) -> None:
    world.freeze()
    world.predict(300)
    _, [first] = world.look(as_of=AFTER)
    _, [again] = world.look(as_of=AFTER + timedelta(hours=1))
    assert (first.look, again.look) == (1, 1)
    assert first.level_critical == pytest.approx(0.1 / 52 / 4)
    world.predict(10, at=MONDAY + timedelta(days=3), name="late")
    _, [second] = world.look(as_of=AFTER + timedelta(hours=2))
    assert (second.look, second.row_count) == (2, 310)
    assert second.level_critical == first.level_critical / 2
    assert [each.look for each in world.drift.verdicts(world.tenant)] == [1, 2]
    assert len(world.warehouse.rows("fct_model_performance")) == 1


def test_a_look_before_the_week_is_over_sees_what_had_happened(world: World) -> None:
    world.freeze()
    world.predict(300)
    _, [found] = world.look(as_of=MONDAY + timedelta(seconds=119))
    assert (found.row_count, found.outcome_count, found.state) == (120, 0, "judged")


def test_a_version_without_a_baseline_and_a_week_of_few_rows_are_stated(world: World) -> None:
    world.predict(60)
    _, [found] = world.look()
    assert (found.severity, found.state) == ("warn", "no_baseline")
    assert "version 1 of lead_scoring has no baseline" in found.reason
    world.freeze()
    few = Week(WEEK.until, WEEK.until + timedelta(days=7))
    world.predict(20, at=few.since + timedelta(days=6, hours=23), name="few")
    _, [found] = world.look(few, few.until)
    assert (found.severity, found.state) == ("ok", "too_few_rows")
    assert found.reason == found.blind == "20 predictions in this week, 50 are needed: nothing is judged"


def test_models_and_tenants_are_kept_apart(world: World, state: State, tmp_path: Path) -> None:
    world.freeze()
    world.predict(300)
    world.predict(300, model="other")
    _, rows = judge(world.warehouse, world.rows, world.drift, world.drift, WEEK, AFTER, (None, None))
    assert [(each.model, each.state) for each in rows] == [("lead_scoring", "judged"), ("other", "no_baseline")]
    judge(world.warehouse, world.rows, world.drift, world.drift, WEEK, AFTER, (world.tenant, "other"))
    assert len(world.warehouse.rows("fct_model_performance")) == 2
    assert judge(world.warehouse, world.rows, world.drift, world.drift, WEEK, AFTER, ("nobody", None))[1] == []


def test_a_baseline_is_frozen_once_for_a_version(world: World) -> None:
    world.freeze()
    world.freeze()
    with pytest.raises(DriftError, match=f"lead_scoring 1 of {world.tenant} has a baseline already, and another"):
        world.freeze(Policy(least_rows=7))
    assert (world.tenant, "lead_scoring") in world.drift.models()


def test_the_journal_is_added_to_and_never_changed(world: World, state: State) -> None:
    verdict = DriftVerdict(world.served, date(2026, 11, 9), 1, "ok", "judged", ["nothing"], 9, "d", 0.1, 0.01, AFTER)
    assert world.drift.record([verdict]) == 1
    assert world.drift.record([verdict._replace(severity="critical")]) == 0
    assert world.drift.verdicts(world.tenant) == [verdict]
    import psycopg

    with pytest.raises(psycopg.errors.InsufficientPrivilege), state.psycopg() as connection:
        connection.execute("update ops.drift_verdicts set severity = 'ok'")


def test_a_sample_is_the_same_each_time_even_and_of_bounded_size() -> None:
    def batches() -> Iterator[Batch]:
        for start in range(0, 50_000, 7_000):
            rows = min(7_000, 50_000 - start)
            yield Batch(rows, {"x": np.arange(start, start + rows, dtype=float), "c": (np.full(rows, 0), ["a"])})

    seen, found = sample(batches(), 2000)
    again = sample(batches(), 2000)[1]
    x = np.asarray(found["x"])
    assert (seen, len(x), set(np.asarray(found["c"]))) == (50_000, 2000, {"a"})
    assert np.array_equal(x, np.asarray(again["x"]))
    assert np.quantile(x, [0.1, 0.5, 0.9]) == pytest.approx([5_000, 25_000, 45_000], abs=1500)
    assert sample(batches(), 10**6)[0] == len(np.asarray(sample(batches(), 10**6)[1]["x"]))


def test_the_reference_of_a_page_is_spread_like_the_baseline() -> None:
    rng = np.random.default_rng(0)
    x = np.where(rng.random(3000) < 0.1, np.nan, rng.gamma(2, 3, 3000))
    out = laid_out(freeze_feature("x", x))
    assert np.isnan(out).mean() == pytest.approx(np.isnan(x).mean(), abs=0.001)
    assert np.nanquantile(out, [0.1, 0.5, 0.9]) == pytest.approx(np.nanquantile(x, [0.1, 0.5, 0.9]), rel=0.02)
    words = [*["a"] * 70, *["b"] * 20, *[None] * 10]
    shown = laid_out(freeze_feature("c", Coded.of(words))).tolist()
    assert [shown.count(each) for each in ("a", "b", None)] == [3500, 1000, 500]
    assert json.dumps(shown[:2]) == '["a", "a"]'
