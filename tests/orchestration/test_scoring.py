"""Which leads are scored, and that scores by Arrow batches, here and in Spark's executors, are those of the model to the last digit."""

import json
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from assets.model_rows import CONTRACT, latest, snapshot, training_rows
from core.model_ports import Said
from core.models import ModelVersion
from ml import model_file
from ml.lead_scoring import LeadModel
from ml.model_file import ModelFileError
from ml.training import Trained, train
from orchestration.resources.scoring import SCHEMA, WarehouseScorer, scorer
from orchestration.resources.spark_place import SparkPlace
from orchestration.resources.warehouse import EngineWarehouse, WarehouseError
from orchestration.resources.warehouse_spark import SparkWarehouse
from tests.orchestration.model_world import DAY, START, Row, leads, marts

UNTIL = START.replace(month=3)


@cache
def fitted() -> tuple[LeadModel, bytes, str]:
    features, outcomes = leads("t", 400, START, UNTIL, seed=1)
    found = train(CONTRACT, training_rows(snapshot(features, outcomes, START.replace(month=6), 30)), is_judged=False)
    assert isinstance(found, Trained)
    model = found.models["t"]
    return model, *model_file.to_bytes(model)


def version(tenant: str, number: int = 1) -> ModelVersion:
    return ModelVersion(
        tenant_id=tenant, model="lead_conversion", version=number, sha256=fitted()[2], features_sha256=CONTRACT.sha256, place="", rows=400,
        positives=100, own_positives=100, hot_threshold=0.7, warm_threshold=0.3, horizon_days=30, card="{}", fitted_until=START,
        trained_at=START, trained_by="test",
    )  # fmt: skip


@cache
def world() -> tuple[list[Row], list[Row]]:
    """Two tenants; each lead at two instants, and some of them won at, before or after one of those."""
    features: list[Row] = []
    outcomes: list[Row] = []
    for place, tenant in enumerate(("t", "o'neil")):
        first, _ = leads(tenant, 60, START, UNTIL, seed=2 + place)
        first[0]["intent"], first[0]["confidence"] = None, None
        again = [
            row | {"featured_at": row["featured_at"] + DAY, "confidence": 0.25, "trigger_event_id": f"x{row['lead_id']}"} for row in first
        ]
        features += [*first, *again]
        for number, row in enumerate(first[:30]):
            at = row["featured_at"] + timedelta(microseconds=(-1, 0, 1, 86_399_999_999, 86_400_000_000, 86_400_000_001)[number % 6])
            outcomes += [
                {"tenant_id": tenant, "lead_id": row["lead_id"], "event_id": f"w{number}{later}", "outcome": outcome, "occurred_at": at + later * DAY}
                for later, outcome in ((0, "won"), (2, "lost"))
            ]  # fmt: skip
    return features, outcomes


def expected(tenants: list[str], as_of: Any) -> dict[tuple[str, str], tuple[Any, ...]]:
    """By the model itself, over rows that plain Python chose: an oracle of which rows they are."""
    features, outcomes = world()
    chosen = latest(snapshot(features, outcomes, as_of, 30))
    found = {}
    for tenant in tenants:
        own = chosen.part(chosen.tenant == tenant)
        scores, parts = fitted()[0].score(own.columns()), fitted()[0].explain(own.columns())
        for place, row in enumerate(own.rows):
            told = {"base": parts.base} | dict(zip(parts.names, parts.parts[place].tolist(), strict=True))
            hashed = CONTRACT.row_sha256(row)
            found[tenant, row["lead_id"]] = (
                row["trigger_event_id"], row["featured_at"], hashed, int(scores.score[place]), float(scores.probability[place]), told,
            )  # fmt: skip
    return found


def told(said: list[Said]) -> dict[tuple[str, str], tuple[Any, ...]]:
    return {(each.version.tenant_id, each.lead_id): (*each[2:7], json.loads(each.parts)) for each in said}


def scored(warehouse: EngineWarehouse, as_of: Any) -> list[Said]:
    both = [(version("t"), fitted()[1]), (version("t", 2), fitted()[1]), (version("o'neil"), fitted()[1])]
    return list(WarehouseScorer(warehouse).score(both, as_of))


@pytest.mark.parametrize("as_of", [START + 20 * DAY, UNTIL + 3 * DAY], ids=["midway", "after"])
def test_each_open_lead_is_scored_at_its_last_open_instant_as_the_model_itself_does(tmp_path: Path, as_of: Any) -> None:
    warehouse = marts(tmp_path, *world())
    said = scored(warehouse, as_of)
    wanted = expected(["t", "o'neil"], as_of)
    assert told([each for each in said if each.version.version == 1]) == wanted
    second = told([each for each in said if each.version.version == 2])
    assert second == {key: row for key, row in wanted.items() if key[0] == "t"}
    assert WarehouseScorer(warehouse).score([], as_of) == []


def test_any_split_into_batches_gives_the_same_and_a_changed_file_none() -> None:
    _, data, sha256 = fitted()
    table = pa.Table.from_pylist(world()[0])
    whole, split = (
        pa.Table.from_batches(scorer({"t": [(0, data, sha256)]})(iter(batches)), SCHEMA).sort_by([("lead_id", "ascending"), ("featured_at", "ascending")])
        for batches in (table.to_batches(), table.to_batches(max_chunksize=7))
    )  # fmt: skip
    assert whole.equals(split)
    assert whole.num_rows == sum(row["tenant_id"] == "t" for row in world()[0])
    changed: Iterator[pa.RecordBatch] = scorer({"t": [(0, data + b"x", sha256)]})(iter(table.to_batches()))
    with pytest.raises(ModelFileError, match="the file was changed"):
        next(changed)


@pytest.mark.spark
def test_executors_of_spark_give_the_same(tmp_path: Path) -> None:
    as_of = UNTIL + 3 * DAY
    (tmp_path / "reference").mkdir()
    (tmp_path / "lake").mkdir()
    place = SparkPlace(str(tmp_path / "warehouse"), str(tmp_path / "lake"), str(tmp_path / "reference"), "local[2]", "1g")
    spark, duck = SparkWarehouse(place), marts(tmp_path, *world())
    spark.put(duck.read(["ftr_leads", "fct_lead_outcomes"]))
    assert told([each for each in scored(spark, as_of) if each.version.version == 1]) == expected(["t", "o'neil"], as_of)
    with pytest.raises(WarehouseError, match="the file was changed"):
        WarehouseScorer(spark).score([(version("t"), fitted()[1] + b"x")], as_of)
    assert np.isfinite([each.probability for each in scored(spark, as_of)]).all()
