"""The registry with MLflow over a real PostgreSQL: versions, champions, drift answered, predictions, refusals, and who is told."""

import json
import threading
from datetime import datetime, timedelta

import msgspec
import psycopg
import pytest
from typer.testing import CliRunner

from assets.model_governance import AUTOMATIC, first, promote, roll_back_by_hand
from assets.model_rows import MODEL, snapshot
from assets.model_training import Made
from core.models import Change, GovernanceError, champions, change_id, earlier_champions
from orchestration.cli import app
from orchestration.resources.audit import PostgresAudit
from orchestration.resources.registry import MlflowRegistry, registered
from tests.orchestration.effects import Scene
from tests.orchestration.model_world import HORIZON, ModelWorld


def test_the_first_champion_is_better_than_the_share_of_positives_and_its_card_and_alias_say_so(
    calm: tuple[ModelWorld, datetime, Made],
) -> None:
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


def test_too_few_outcomes_are_a_stated_result_and_no_version(model_world: ModelWorld) -> None:
    world = model_world
    as_of = world.live(1.0, seed=2, count=40)
    made = world.train(as_of)
    assert made.version is None
    assert "of 40 rows with an outcome are positive: 30 of either outcome are wanted" in made.reason
    assert ModelWorld(world.tenant, world.registry).train(as_of).reason == "there is no lead yet"
    assert world.registry.versions(world.tenant) == []
    with pytest.raises(GovernanceError, match="has no champion"):
        world.respond(as_of)


def test_drift_is_answered_by_retraining_then_by_the_last_good_version_and_each_is_told(scene: Scene, registry: MlflowRegistry) -> None:
    world = ModelWorld(scene.tenant, registry)
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


def test_a_champion_is_kept_where_nothing_is_shown_to_be_better_and_that_is_written_down(calm: tuple[ModelWorld, datetime, Made]) -> None:
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


def test_promotion_needs_a_significant_gain_on_rows_that_neither_was_fitted_to(calm: tuple[ModelWorld, datetime, Made]) -> None:
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


def test_of_many_who_change_a_champion_at_once_one_does_and_nothing_is_ever_changed(calm: tuple[ModelWorld, datetime, Made]) -> None:
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


@pytest.mark.parametrize("command", ["train", "list", "show", "promote", "rollback", "score"])
def test_every_command_has_an_example(command: str) -> None:
    ran = CliRunner().invoke(app, ["model", command, "--help"])
    assert ran.exit_code == 0
    assert "Example: flexoraa model " + command in ran.output
