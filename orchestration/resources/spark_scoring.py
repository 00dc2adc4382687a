"""Scoring on Spark: a model over a frame of any size, batch by batch in the executors, with `mapInArrow`.

Here belongs handing the model's file to the executors and Arrow batches to the model. Not here: the model (`ml.lead_scoring`), which
version is whose (`assets.model_scoring`). Executors check the file as everybody does: its SHA-256, and the list of types.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import pyarrow as pa

from ml import model_file
from ml.columns import Coded, Column
from ml.features import CategoryLevels
from ml.lead_scoring import LeadModel
from orchestration.resources.feature_columns import coded

KEYS = ("tenant_id", "lead_id", "featured_at")
"""What names a row; goes through as it is."""

_SCHEMA = "score_millionths bigint, probability double"
_TYPES = {"score_millionths": pa.int64(), "probability": pa.float64()}


def score_frame(frame: Any, data: bytes, sha256: str) -> Any:
    """Score a Spark frame that has `KEYS` and the model's features: its keys, the score in millionths and the probability.

    Args:
        frame: rows of `ftr_leads`, of one tenant.
        data: the model's file.
        sha256: what the registry says of it.

    Raises:
        ModelFileError: in the executors, where the file is refused.
    """
    names = [each.name for each in model_file.from_bytes(data, sha256).encoder.readers]
    kept = {each.name: each.dataType.simpleString() for each in frame.schema if each.name in KEYS}
    schema = ", ".join([*(f"{name} {kept[name]}" for name in KEYS), _SCHEMA])
    return frame.select(*KEYS, *names).mapInArrow(scorer(data, sha256), schema)


def scorer(data: bytes, sha256: str) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """From batches of keys and features to batches of keys and scores; the model is read once a process."""

    def score(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield score_batch(_model(data, sha256), batch)

    return score


def score_batch(model: LeadModel, batch: pa.RecordBatch) -> pa.RecordBatch:
    """One batch."""
    columns: dict[str, Column] = {}
    for reader in model.encoder.readers:
        column = batch.column(reader.name)
        if isinstance(reader, CategoryLevels):
            columns[reader.name] = Coded(*coded(column))  # a look-up a row took a third of all scoring
        else:
            columns[reader.name] = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    found = model.score(columns)
    scores = {"score_millionths": found.score, "probability": found.probability}
    arrays = [batch.column(name) for name in KEYS] + [pa.array(scores[name], kind) for name, kind in _TYPES.items()]
    return pa.RecordBatch.from_arrays(arrays, names=[*KEYS, *_TYPES])


@lru_cache(maxsize=8)
def _model(data: bytes, sha256: str) -> LeadModel:
    return model_file.from_bytes(data, sha256)
