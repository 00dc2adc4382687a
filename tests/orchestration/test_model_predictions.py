"""What champions and challengers say of leads, with the truth as it comes; and which files and features are refused."""

import json
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import msgspec

from assets.model_governance import first
from assets.model_rows import CONTRACT, latest, snapshot
from assets.model_scoring import in_service, score_all, unreadable, with_outcomes
from assets.model_training import Made
from assets.models import predictions, train_models
from core.models import ModelVersion
from orchestration.resources.clock import FixedClock
from orchestration.resources.drift import PostgresDrift
from orchestration.resources.registry import MlflowRegistry
from orchestration.resources.scoring import WarehouseScorer
from orchestration.resources.vault import Vault
from tests.orchestration.model_world import DAY, HORIZON, START, ModelWorld, Row, leads, marts


def test_champion_and_challenger_score_each_open_lead_once_and_the_truth_comes_at_the_end_of_the_horizon(
    tmp_path: Path, calm: tuple[ModelWorld, datetime, Made]
) -> None:
    world, as_of, _ = calm
    assert [each for each in in_service(world.registry, as_of - timedelta(microseconds=1)) if each.tenant_id == world.tenant] == []
    world.train(as_of)  # a newer version shadows
    versions = [each for each in in_service(world.registry, as_of) if each.tenant_id == world.tenant]
    features, outcomes = leads(world.tenant, 20, as_of, as_of + DAY, seed=8)
    at = as_of + DAY
    scored = score_all(world.registry, WarehouseScorer(marts(tmp_path, features, outcomes)), at)
    own = [each for each in scored.predictions if each.tenant_id == world.tenant]
    assert [each.version for each in versions] == [1, 2]
    assert Counter(each.role for each in own) == {"champion": 20, "shadow": 20}
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


def test_a_tampered_file_is_refused_and_the_other_tenants_go_on(
    tmp_path: Path, calm: tuple[ModelWorld, datetime, Made], model_world: ModelWorld
) -> None:
    good, as_of, _ = calm
    world = model_world
    as_of = max(world.live(1.0, seed=10), good.end)
    made = world.train(as_of)
    first(world.registry, made, as_of, "test")
    assert made.version is not None
    path = world.registry._folder / made.version.place
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    features = [*leads(world.tenant, 3, as_of, as_of + DAY, seed=11)[0], *leads(good.tenant, 3, as_of, as_of + DAY, seed=12)[0]]
    scored = score_all(world.registry, WarehouseScorer(marts(tmp_path, features, [])), as_of + DAY)
    assert {each.tenant_id for each in scored.predictions} == {good.tenant}
    [refused] = [each for each in scored.refused if world.tenant in each]
    assert "the file was changed" in refused
    assert "Bring the file back from a backup" in refused
    path.unlink()
    assert any("is gone" in each for each in unreadable(world.registry, as_of))


def test_a_version_that_reads_other_features_is_refused(tmp_path: Path, calm: tuple[ModelWorld, datetime, Made], vault: Vault) -> None:
    world, as_of, made = calm
    assert made.version is not None
    assert made.version.features_sha256 == CONTRACT.sha256

    class Other(MlflowRegistry):
        def versions(self, tenant_id: str | None = None, model: str | None = None) -> list[ModelVersion]:
            return [msgspec.structs.replace(each, features_sha256="0" * 64) for each in super().versions(tenant_id, model)]

    other = Other(world.registry._state, vault, world.registry._folder)
    features, _ = leads(world.tenant, 2, as_of, as_of + DAY, seed=13)
    assert "reads other features" in score_all(other, WarehouseScorer(marts(tmp_path, features, [])), as_of + DAY).refused[0]


def test_a_run_trains_scores_and_shows_predictions_with_their_outcome_in_the_warehouse(
    tmp_path: Path, calm: tuple[ModelWorld, datetime, Made]
) -> None:
    """Marts in a real DuckDB, the asset in Dagster, twice: the second run adds nothing."""
    world, as_of, _ = calm
    features, outcomes = leads(world.tenant, 30, as_of, as_of + DAY, seed=14)
    warehouse = marts(tmp_path, features, outcomes)
    told = train_models(warehouse, world.registry, PostgresDrift(world.registry._state), as_of + 40 * DAY, "test", [world.tenant])
    assert (told[0]["state"], told[0]["version"]) == ("not_trained", None)
    for at, new, known in ((as_of + DAY, True, 0), (as_of + DAY, False, 0), (as_of + 31 * DAY, False, 30)):
        ports = {
            "warehouse": warehouse,
            "registry": world.registry,
            "scorer": WarehouseScorer(warehouse),
            "clock": FixedClock(at),
            "run_lock": None,
        }
        ran = dg.materialize([predictions], resources=ports)
        metadata = ran.asset_materializations_for_node("marts__fct_predictions")[0].metadata
        assert (metadata["new"].value > 0) == new
        own = [row for row in warehouse.rows("fct_predictions") if row["lead_id"] in {each["lead_id"] for each in features}]
        champion = [row for row in own if row["role"] == "champion"]
        assert len(champion) == 30
        assert sum(row["outcome"] is not None for row in champion) == known
    assert all(row["outcome_at"] == row["featured_at"] + HORIZON for row in champion)
