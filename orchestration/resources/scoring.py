"""Scoring of rows in Arrow: every version over the leads that are open, batch by batch where the rows lie.

Here belongs which rows are scored and handing a version's file to whoever holds them: this process, or Spark's executors (`mapInArrow`).
A file is checked wherever it is read: its SHA-256, and the list of types. Not here: the model (`ml.lead_scoring`), which version is whose
(`assets.model_scoring`).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from core.model_ports import Said
from core.models import ModelVersion
from ml import model_file
from ml.columns import Coded, Column
from ml.features import CategoryLevels, Contract
from ml.lead_scoring import LeadModel
from orchestration.resources.feature_columns import coded
from orchestration.resources.warehouse import Batches, EngineWarehouse

Model = tuple[int, bytes, str]
"""Of a version: its place among those asked, its file, and what the registry says of that."""

KEYS = ("lead_id", "trigger_event_id", "featured_at")
"""What names a row of a tenant; goes through as it is."""

SCHEMA = pa.schema(
    {
        "model": pa.int64(), "lead_id": pa.string(), "trigger_event_id": pa.string(), "featured_at": pa.timestamp("us", tz="UTC"),
        "row_sha256": pa.string(), "score_millionths": pa.int64(), "probability": pa.float64(), "parts": pa.string(),
    }
)  # fmt: skip

# A lead is open until the first word of how it ended (`ml.labels.is_open`); it is scored at the last instant before.
_OPEN = """
with ended as (
    select tenant_id, lead_id, min(occurred_at) as ended_at from marts.fct_lead_outcomes group by tenant_id, lead_id
),

last_open as (
    select features.tenant_id, features.lead_id, max(features.featured_at) as featured_at
    from marts.ftr_leads as features
    left join ended on features.tenant_id = ended.tenant_id and features.lead_id = ended.lead_id
    where (ended.ended_at is null or features.featured_at < ended.ended_at) and features.featured_at <= cast('{as_of}' as timestamp)
    group by features.tenant_id, features.lead_id
)

select features.*
from marts.ftr_leads as features
inner join last_open
    on features.tenant_id = last_open.tenant_id and features.lead_id = last_open.lead_id and features.featured_at = last_open.featured_at
where features.tenant_id in ({tenants})
order by features.tenant_id, features.lead_id
"""


class WarehouseScorer:
    """The port `Scorer` over the marts of any engine."""

    def __init__(self, warehouse: EngineWarehouse) -> None:
        """Take the warehouse; nothing is opened yet."""
        self._warehouse = warehouse

    def score(self, models: Sequence[tuple[ModelVersion, bytes]], as_of: datetime) -> Sequence[Said]:
        """As `core.model_ports.Scorer`."""
        if not models:
            return []
        by_tenant: dict[str, list[Model]] = {}
        for place, (version, data) in enumerate(models):
            by_tenant.setdefault(version.tenant_id, []).append((place, data, version.sha256))
        tenants = ", ".join("'" + tenant.replace("'", "''") + "'" for tenant in sorted(by_tenant))
        utc = as_of.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")  # every engine's session is in UTC
        found = self._warehouse.mapped(_OPEN.format(as_of=utc, tenants=tenants), scorer(by_tenant), SCHEMA).to_pylist()
        return [Said(models[row.pop("model")][0], **row) for row in found]


def scorer(models: Mapping[str, Sequence[Model]]) -> Callable[[Batches], Batches]:
    """From batches of `ftr_leads` to batches of `SCHEMA`: a row for each row and version of its tenant; a file is read once a process.

    Raises:
        ModelFileError: a file is refused, wherever it is read.
    """

    def score(batches: Batches) -> Batches:
        for batch in batches:
            for tenant in pc.unique(batch.column("tenant_id")).to_pylist():
                own = batch.filter(pc.equal(batch.column("tenant_id"), tenant))
                for place, data, sha256 in models.get(tenant, ()):
                    yield _said(_model(data, sha256), own, place)

    return score


def _said(model: LeadModel, batch: pa.RecordBatch, place: int) -> pa.RecordBatch:
    """What one version says of rows of its tenant."""
    columns = columns_of(model, batch)
    found, parts = model.score(columns), model.explain(columns)
    told = [json.dumps({"base": parts.base} | dict(zip(parts.names, row, strict=True))) for row in parts.parts.tolist()]
    made = [_hashes(model.contract, batch), found.score, found.probability, told]
    keys = [batch.column(each.name).cast(each.type) for each in SCHEMA if each.name in KEYS]
    last = [pa.array(values, each.type) for values, each in zip(made, list(SCHEMA)[-len(made) :], strict=True)]
    return pa.RecordBatch.from_arrays([pa.array([place] * batch.num_rows, pa.int64()), *keys, *last], schema=SCHEMA)


def columns_of(model: LeadModel, batch: pa.RecordBatch) -> dict[str, Column]:
    """The features as the model takes them: text as codes, for a look-up a row took a third of all scoring."""
    columns: dict[str, Column] = {}
    for reader in model.encoder.readers:
        column = batch.column(reader.name)
        if isinstance(reader, CategoryLevels):
            columns[reader.name] = Coded(*coded(column))
        else:
            columns[reader.name] = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return columns


def _hashes(contract: Contract, batch: pa.RecordBatch) -> list[str]:
    return [contract.row_sha256(row) for row in batch.select([each.name for each in contract.features]).to_pylist()]


@lru_cache(maxsize=64)
def _model(data: bytes, sha256: str) -> LeadModel:
    return model_file.from_bytes(data, sha256)
