"""Scores by Arrow batches, here and in Spark's executors, are those of the model to the last digit."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from assets.model_rows import CONTRACT, snapshot, training_rows
from ml import model_file
from ml.lead_scoring import LeadModel
from ml.model_file import ModelFileError
from ml.training import Trained, train
from orchestration.resources.spark_place import SparkPlace
from orchestration.resources.spark_scoring import KEYS, score_frame, scorer
from tests.orchestration.model_world import START, leads


@cache
def fitted() -> tuple[LeadModel, bytes, str]:
    features, outcomes = leads("t", 400, START, START.replace(month=3), seed=1)
    found = train(CONTRACT, training_rows(snapshot(features, outcomes, START.replace(month=6), 30)), is_judged=False)
    assert isinstance(found, Trained)
    model = found.models["t"]
    return model, *model_file.to_bytes(model)


@cache
def table() -> pa.Table:
    features, _ = leads("t", 500, START, START.replace(month=3), seed=2)
    names = [*KEYS, *(each.name for each in CONTRACT.features)]
    for row in features[:5]:
        row["intent"], row["confidence"] = None, None
    return pa.Table.from_pylist([{name: row[name] for name in names} for row in features])


def expected() -> Any:
    columns = {each.name: table()[each.name].to_pylist() for each in CONTRACT.features}
    arrays = {each.name: np.array(columns[each.name], dtype=object if each.kind == "category" else float) for each in CONTRACT.features}
    return fitted()[0].score(arrays)


def test_batches_of_arrow_give_the_models_own_scores_and_a_changed_file_none() -> None:
    _, data, sha256 = fitted()
    batches: Iterator[pa.RecordBatch] = iter(table().to_batches(max_chunksize=97))
    found = pa.Table.from_batches(list(scorer(data, sha256)(batches)))
    assert found["score_millionths"].to_pylist() == expected().score.tolist()
    assert found["probability"].to_pylist() == expected().probability.tolist()
    assert found["lead_id"].equals(table()["lead_id"])
    with pytest.raises(ModelFileError, match="the file was changed"):
        next(scorer(data + b"x", sha256)(iter(table().to_batches())))


@pytest.mark.spark
def test_executors_of_spark_give_the_same(tmp_path: Path) -> None:
    from orchestration.resources.spark_session import open_session

    _, data, sha256 = fitted()
    with open_session(SparkPlace(str(tmp_path / "warehouse"), str(tmp_path), str(tmp_path), "local[2]", "1g")) as session:
        frame = session.createDataFrame(table().to_pandas()).repartition(3)
        found = {row["lead_id"]: row["score_millionths"] for row in score_frame(frame, data, sha256).collect()}
    assert found == dict(zip(table()["lead_id"].to_pylist(), expected().score.tolist(), strict=True))
