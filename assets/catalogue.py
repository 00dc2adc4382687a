"""What the Dagster UI says of every asset besides: columns of tables that are no dbt model, lineage of columns, layer, where to read on.

Here belongs one function over all specs, so that no asset says it for itself. Not here: freshness (`orchestration.automation`).
"""

from collections.abc import Callable, Mapping

import dagster as dg
from msgspec import Struct

from assets.dbt_docs import PAGE as DBT_DOCS
from assets.lineage import column_lineage
from assets.pages.menu import TOPICS
from core.columns import columns
from core.drift_ports import ModelDrift, ModelPerformance
from core.events import EVENT_TYPES
from core.experiments import ExperimentDecision, ExperimentResult
from core.models import Prediction
from core.reference import REFERENCE_TYPES
from core.signals import MessageSignal
from ml.reports.site.frame import address

_TYPES = {
    "text": "text",
    "int": "bigint",
    "float": "double precision",
    "bool": "boolean",
    "time": "timestamptz",
    "date": "date",
    "binary": "bytes",
}
_ROLES = {
    "sealed": "Encrypted under the contact point's key.",
    "point": "Surrogate of a contact point.",
    "ref": "Keyed hash of the vendor's id.",
}


_MADE_HERE: tuple[type[Struct], ...] = (ExperimentResult, ExperimentDecision, ModelDrift, ModelPerformance, Prediction, MessageSignal)
"""Rows of tables that Python makes beside dbt's."""


def _structs() -> Mapping[str, type[Struct]]:
    """By the table's name: no event, reference row or mart has another's."""
    types: tuple[type[Struct], ...] = (*EVENT_TYPES, *REFERENCE_TYPES, *_MADE_HERE)
    return {str(each.table): each for each in types}  # type: ignore[attr-defined]  # a ClassVar of each of them


def _schema(struct: type[Struct]) -> dg.TableSchema:
    return dg.TableSchema(
        [
            dg.TableColumn(
                each.name, _TYPES[each.type], _ROLES.get(each.role), constraints=dg.TableColumnConstraints(nullable=each.nullable)
            )
            for each in columns(struct)
        ]
    )


def with_catalogue(reports_url: str) -> Callable[[dg.AssetSpec], dg.AssetSpec]:
    """What adds it to a spec; pages are at that address."""
    structs, lineage = _structs(), column_lineage()
    pages = {asset: topic.name for topic in reversed(TOPICS) for asset in topic.assets}

    def add(spec: dg.AssetSpec) -> dg.AssetSpec:
        metadata: dict[str, object] = dict(lineage.get(spec.key, {}))
        layer, name = spec.key.path[0], spec.key.path[-1]
        if struct := structs.get(name):
            metadata["dagster/column_schema"] = _schema(struct)
        if topic := pages.get(f"{layer}/{name}"):
            metadata["report page"] = dg.MetadataValue.url(f"{reports_url}/{address(topic, '')}")
        if model := spec.metadata.get("dagster_dbt/unique_id"):
            metadata["dbt docs"] = dg.MetadataValue.url(f"{reports_url}/{DBT_DOCS}#!/{str(model).partition('.')[0]}/{model}")
        return spec.merge_attributes(metadata=metadata, tags={"layer": layer}, kinds=set() if spec.kinds else {"python"})

    return add
