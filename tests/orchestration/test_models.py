"""The registry with MLflow over a real PostgreSQL: versions, champions, drift answered, predictions, refusals, and who is told."""

import json
import threading
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import psycopg
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from assets.model_governance import AUTOMATIC, first, promote, respond, roll_back_by_hand
from assets.model_rows import CONTRACT, MODEL, latest, snapshot
from assets.model_scoring import in_service, score_all, unreadable, with_outcomes
from assets.model_training import Made, train_all
from assets.models import predictions, train_models
from core.models import Change, GovernanceError, ModelPolicy, ModelVersion, champions, change_id, earlier_champions
from orchestration.cli import app
from orchestration.resources.audit import PostgresAudit
from orchestration.resources.clock import FixedClock
from orchestration.resources.drift import PostgresDrift
from orchestration.resources.registry import MlflowRegistry, registered
from orchestration.resources.state import State
from orchestration.resources.vault import Vault
from orchestration.resources.warehouse import Warehouse
from tests.orchestration.effects import Scene
from tests.orchestration.model_world import HORIZON, START, leads

DAY = timedelta(days=1)
POLICY = ModelPolicy(30, 1, 3, 1, 19)
Row = dict[str, Any]


@dataclass
class World:
    """One tenant's leads, and a registry; each era is 60 days and 900 leads."""

    tenant: str
    registry: MlflowRegistry
    features: list[Row] = field(default_factory=list)
    outcomes: list[Row] = field(default_factory=list)
    end: datetime = START

    def live(self, turn: float, seed: int, count: int = 900) -> datetime:
        """Another era; the moment at which all its outcomes are known."""
        until = self.end + 60 * DAY
        features, outcomes = leads(self.tenant, count, self.end, until, seed=seed, turn=turn)
        self.features += features
        self.outcomes += outcomes
        self.end = until
        return until + HORIZON

    def train(self, as_of: datetime) -> Made:
        found = snapshot(self.features, self.outcomes, as_of, 30)
        return train_all(self.registry, found, POLICY, as_of, "test", [self.tenant])[0]

    def respond(self, as_of: datetime, severity: Any = "critical", reason: str = "confidence drifts") -> Any:
        found = snapshot(self.features, self.outcomes, as_of, 30)
        return respond(self.registry, found, (self.tenant, MODEL), severity, reason, as_of, lambda: self.train(as_of))

    @property
    def journal(self) -> list[Change]:
        return [each for each in self.registry.changes() if each.tenant_id == self.tenant]


@pytest.fixture(scope="module")
def registry(state: State, vault: Vault, tmp_path_factory: pytest.TempPathFactory) -> MlflowRegistry:
    return MlflowRegistry(state, vault, tmp_path_factory.mktemp("models"))


@pytest.fixture
def world(registry: MlflowRegistry) -> World:
    return World(f"t{uuid.uuid4().hex[:10]}", registry)


@pytest.fixture(scope="module")
def calm(registry: MlflowRegistry) -> tuple[World, datetime, Made]:
    """A world in which nothing moves, with its first champion."""
    world = World(f"t{uuid.uuid4().hex[:10]}", registry)
    as_of = world.live(1.0, seed=1)
    made = world.train(as_of)
    verdict = first(registry, made, as_of, "test")
    assert verdict is not None
    assert verdict.kind == "promote", verdict
    return world, as_of, made


def test_the_first_champion_is_better_than_the_share_of_positives_and_its_card_and_alias_say_so(calm: tuple[World, datetime, Made]) -> None:
    world, _, made = calm
    assert made.version is not None
    [entry] = world.journal
    assert (entry.cause, entry.version, entry.follows) == ("first", made.version.version, 0)
    assert json.loads(entry.evidence)["shadows"][0]["gain_low"] > 0
    card = json.loads(made.version.card)
    assert {"quality", "reliability", "groups", "limits", "thresholds", "findings", "owner"} <= card.keys()
    assert set(card["quality"]) == {"model", "logistic", "base_rate", "points"}
    assert 0 < made.version.warm_threshold <= made.version.hot_threshold < 1
    world.registry.mirror()
    client = world.registry._client()
    assert int(client.get_model_version_by_alias(registered(world.tenant, MODEL), "champion").version) == made.version.version


def test_too_few_outcomes_are_a_stated_result_and_no_version(world: World) -> None:
    as_of = world.live(1.0, seed=2, count=40)
    made = world.train(as_of)
    assert made.version is None
    assert "of 40 rows with an outcome are positive: 30 of either outcome are wanted" in made.reason
    assert World(world.tenant, world.registry).train(as_of).reason == "there is no lead yet"
    assert world.registry.versions(world.tenant) == []
    with pytest.raises(GovernanceError, match="has no champion"):
        world.respond(as_of)


def test_drift_is_answered_by_retraining_then_by_the_last_good_version_and_each_is_told(scene: Scene, registry: MlflowRegistry) -> None:
    world = World(scene.tenant, registry)
    as_of = world.live(1.0, seed=3)
    first(registry, world.train(as_of), as_of, "test")
    as_of = world.live(-1.0, seed=4)
    assert world.respond(as_of, "warn").kind == "none"
    assert len(world.journal) == 1
    verdict = world.respond(as_of)
    assert verdict.kind == "promote"
    assert [each.cause for each in world.journal] == ["first", "retrained"]
    assert world.respond(as_of).kind == "none"  # the same drift, answered already
    as_of = world.live(1.0, seed=5)
    verdict = world.respond(as_of)
    assert (verdict.kind, verdict.version) == ("roll_back", 1)
    assert [(each.cause, each.version, each.decided_by) for each in world.journal] == [
        ("first", 1, "test"), ("retrained", 2, AUTOMATIC), ("rollback", 1, AUTOMATIC),
    ]  # fmt: skip
    assert earlier_champions(world.journal, (scene.tenant, MODEL)) == [2]
    scene.now = as_of + timedelta(hours=1)
    scene.publish([])
    scene.deliver()
    told = [each.json() for each in scene.receiver.requests if each.path == f"/hook/{scene.tenant}"]
    causes = [each["details"]["cause"] for each in told]
    assert causes == ["rollback"]  # older ones had expired by then, and are shown so
    assert told[0]["details"]["version"] == 1
    log = [each for each in PostgresAudit(scene.state, scene.vault).entries(scene.tenant) if each.action.startswith("model.")]
    assert [each.action for each in log] == ["model.stored", "model.first", "model.stored", "model.retrained", "model.rollback"]


def test_a_champion_is_kept_where_nothing_is_shown_to_be_better_and_that_is_written_down(calm: tuple[World, datetime, Made]) -> None:
    world, _, _ = calm
    as_of = world.live(1.0, seed=6, count=60)
    before = champions(world.journal)[world.tenant, MODEL].version
    verdict = world.respond(as_of, reason="age_seconds drifts")
    assert verdict.kind == "keep"
    assert "there was no champion before; retrained: " in verdict.reason
    assert "not enough data on the retrained version" in verdict.reason
    assert (world.journal[-1].cause, world.journal[-1].version) == ("kept", before)
    assert world.respond(as_of, reason="age_seconds drifts").kind == "none"
    assert world.journal[-1].follows == world.journal[-2].number


def test_promotion_needs_a_significant_gain_on_rows_that_neither_was_fitted_to(calm: tuple[World, datetime, Made]) -> None:
    world, _, _ = calm
    as_of = world.end + HORIZON
    made = world.train(as_of)
    assert made.version is not None
    found = snapshot(world.features, world.outcomes, as_of, 30)
    verdict = promote(world.registry, found, made.version, as_of, "test")
    assert verdict.kind == "keep"
    assert verdict.reason.startswith(f"not enough data on version {made.version.version}: 0 rows")  # it was fitted to all there is
    later = world.live(1.0, seed=7)
    verdict = promote(world.registry, snapshot(world.features, world.outcomes, later, 30), made.version, later, "test")
    assert verdict.kind == "keep"
    assert " rows (" in verdict.reason
    with pytest.raises(GovernanceError, match="they are not compared"):
        promote(world.registry, found, msgspec.structs.replace(made.version, horizon_days=7), later, "test")


def test_champion_and_challenger_score_each_open_lead_once_and_the_truth_comes_at_the_end_of_the_horizon(
    calm: tuple[World, datetime, Made],
) -> None:
    world, _, _ = calm
    versions = [each for each in in_service(world.registry, world.end) if each.tenant_id == world.tenant]
    features, outcomes = leads(world.tenant, 20, world.end, world.end + DAY, seed=8)
    at = world.end + DAY
    scored = score_all(world.registry, features, outcomes, at)
    own = [each for each in scored.predictions if each.tenant_id == world.tenant]
    assert len(own) == 20 * len(versions)
    assert {each.role for each in own} == ({"champion", "shadow"} if len(versions) == 2 else {"champion"})
    assert (world.registry.log(own), world.registry.log(own)) == (len(own), 0)
    for each in own:
        parts = json.loads(each.parts)
        assert sum(parts.values()) == each.score_millionths
    logged = [each for each in world.registry.logged(at) if each.tenant_id == world.tenant]
    aliases = [{"tenant_id": world.tenant, "alias_id": own[0].lead_id, "lead_id": "merged"}]
    for moment, is_known in ((own[0].featured_at + HORIZON - timedelta(microseconds=1), False), (own[0].featured_at + HORIZON, True)):
        rows = with_outcomes(logged, world.registry.versions(world.tenant), outcomes, [], moment)
        [row] = [each for each in rows if each.lead_id == own[0].lead_id and each.role == "champion"]
        assert (row.outcome is not None) == is_known
        assert row.outcome_at == (own[0].featured_at + HORIZON if is_known else None)
    assert "merged" in {each.lead_id for each in with_outcomes(logged, world.registry.versions(world.tenant), outcomes, aliases, at)}


def test_labels_told_twice_are_one_and_the_last_word_within_the_horizon_counts() -> None:
    features, _ = leads("t", 2, START, START + DAY, seed=9)
    lead = features[0]["lead_id"]

    def word(event: str, outcome: str, days: float) -> Row:
        return {
            "tenant_id": "t",
            "lead_id": lead,
            "event_id": event,
            "outcome": outcome,
            "occurred_at": features[0]["featured_at"] + days * DAY,
        }

    as_of = START + 40 * DAY
    for words, expected in (
        ([word("a", "won", 1)], 1), ([word("a", "won", 1)] * 2, 1), ([word("b", "lost", 2), word("a", "won", 1)], 0),
        ([word("a", "won", 30)], 1), ([word("a", "won", 30.000001)], 0), ([], 0),
    ):  # fmt: skip
        found = snapshot(features, words, as_of, 30)
        assert found.outcome[0] == expected, words
    closed = snapshot(features, [word("a", "won", 0)], as_of, 30)  # won at the very moment: no longer open
    assert len(closed.rows) == 1
    twice = snapshot([*features, features[0] | {"featured_at": START + 2 * DAY}], [], as_of, 30)
    assert len(latest(twice).rows) == 2


def test_a_tampered_file_is_refused_and_the_other_tenants_go_on(calm: tuple[World, datetime, Made], world: World) -> None:
    good, as_of, _ = calm
    as_of = max(world.live(1.0, seed=10), good.end)
    made = world.train(as_of)
    first(world.registry, made, as_of, "test")
    assert made.version is not None
    path = world.registry._folder / made.version.place
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    features = [*leads(world.tenant, 3, as_of, as_of + DAY, seed=11)[0], *leads(good.tenant, 3, as_of, as_of + DAY, seed=12)[0]]
    scored = score_all(world.registry, features, [], as_of + DAY)
    assert {each.tenant_id for each in scored.predictions} == {good.tenant}
    [refused] = [each for each in scored.refused if world.tenant in each]
    assert "the file was changed" in refused
    assert "Bring the file back from a backup" in refused
    path.unlink()
    assert any("is gone" in each for each in unreadable(world.registry, as_of))


def test_of_many_who_change_a_champion_at_once_one_does_and_nothing_is_ever_changed(calm: tuple[World, datetime, Made]) -> None:
    world, as_of, made = calm
    assert made.version is not None
    now = champions(world.journal)[world.tenant, MODEL]
    change = Change(
        world.tenant, MODEL, now.number, made.version.version, "manual", "r", "{}", as_of, "p", change_id(world.tenant, MODEL, now.number)
    )
    barrier, results = threading.Barrier(4), []

    def run() -> None:
        barrier.wait()
        results.append(world.registry.change(change))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(results) == [False] * 3 + [True]
    assert roll_back_by_hand(world.registry, (world.tenant, MODEL), made.version.version, as_of, "p") is None
    with pytest.raises(GovernanceError, match="has no version 99; there are: "):
        roll_back_by_hand(world.registry, (world.tenant, MODEL), 99, as_of, "p")
    for table in ("model_versions", "model_changes", "predictions"):
        for statement in (f"delete from ops.{table}", f"update ops.{table} set tenant_id = 'x'"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), world.registry._state.psycopg() as connection:
                connection.execute(statement)


def test_a_version_that_reads_other_features_is_refused(calm: tuple[World, datetime, Made], vault: Vault) -> None:
    world, as_of, made = calm
    assert made.version is not None
    assert made.version.features_sha256 == CONTRACT.sha256

    class Other(MlflowRegistry):
        def versions(self, tenant_id: str | None = None, model: str | None = None) -> list[ModelVersion]:
            return [msgspec.structs.replace(each, features_sha256="0" * 64) for each in super().versions(tenant_id, model)]

    other = Other(world.registry._state, vault, world.registry._folder)
    features, _ = leads(world.tenant, 2, as_of, as_of + DAY, seed=13)
    assert "reads other features" in score_all(other, features, [], as_of + DAY).refused[0]


@pytest.mark.parametrize("command", ["train", "list", "show", "promote", "rollback", "score"])
def test_every_command_has_an_example(command: str) -> None:
    ran = CliRunner().invoke(app, ["model", command, "--help"])
    assert ran.exit_code == 0
    assert "Example: flexoraa model " + command in ran.output


def test_a_run_trains_scores_and_shows_predictions_with_their_outcome_in_the_warehouse(
    tmp_path: Path, calm: tuple[World, datetime, Made]
) -> None:
    """Marts in a real DuckDB, the asset in Dagster, twice: the second run adds nothing."""
    import dagster as dg

    world, _, _ = calm
    features, outcomes = leads(world.tenant, 30, world.end, world.end + DAY, seed=14)
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("set TimeZone = 'UTC'; create schema marts")
        aliases = pa.table({name: pa.array([], pa.string()) for name in ("tenant_id", "alias_id", "lead_id")})
        outcome = pa.Table.from_pylist(outcomes)
        for name, table in (("ftr_leads", pa.Table.from_pylist(features)), ("fct_lead_outcomes", outcome), ("dim_lead_aliases", aliases)):
            connection.register("given", table)
            connection.execute(f"create table marts.{name} as from given")
    warehouse = Warehouse(path, tmp_path, tmp_path)
    told = train_models(warehouse, world.registry, PostgresDrift(world.registry._state), world.end + 40 * DAY, "test", [world.tenant])
    assert (told[0]["state"], told[0]["version"]) == ("not_trained", None)
    for at, new, known in ((world.end + DAY, True, 0), (world.end + DAY, False, 0), (world.end + 31 * DAY, False, 30)):
        ports = {"warehouse": warehouse, "registry": world.registry, "clock": FixedClock(at), "run_lock": None}
        ran = dg.materialize([predictions], resources=ports)
        metadata = ran.asset_materializations_for_node("marts__fct_predictions")[0].metadata
        assert (metadata["new"].value > 0) == new
        own = [row for row in warehouse.rows("fct_predictions") if row["lead_id"] in {each["lead_id"] for each in features}]
        champion = [row for row in own if row["role"] == "champion"]
        assert len(champion) == 30
        assert sum(row["outcome"] is not None for row in champion) == known
    assert all(row["outcome_at"] == row["featured_at"] + HORIZON for row in champion)
