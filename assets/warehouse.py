"""The warehouse: dbt's models, seeds and tests as assets and checks, built by one invocation a run.

Here belongs how dbt nodes become Dagster assets. Not here: what models say (`dbt_project`), which engine runs them.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtCliResource, dbt_assets

from assets.project import MANIFEST
from core.ports import Warehouse

MART_GROUPS = ("leads", "messaging", "sla", "billing", "experiments", "ml", "ops", "actions")


class Translator(DagsterDbtTranslator):
    """Keys by schema and name (`marts/dim_leads`), groups by layer and domain."""

    def __init__(self) -> None:
        """Tests become checks."""
        super().__init__(DagsterDbtTranslatorSettings(enable_asset_checks=True))

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Where the table lies."""
        schema = dbt_resource_props.get("source_name") or dbt_resource_props["schema"]
        return dg.AssetKey([schema, dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The folder: a mart's domain, else the layer."""
        folders = dbt_resource_props["fqn"][1:-1]
        return next((folder for folder in reversed(folders) if folder in MART_GROUPS), folders[0] if folders else "seeds")

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        """Who is asked."""
        return ["team:data"]


@dbt_assets(manifest=MANIFEST, dagster_dbt_translator=Translator(), name="warehouse")
def warehouse_assets(
    context: dg.AssetExecutionContext,
    dbt: DbtCliResource,
    warehouse: dg.ResourceParam[Warehouse],
    dbt_target: dg.ResourceParam[Path],
    run_lock: dg.ResourceParam[None],
) -> Iterator[Any]:
    """Build and test everything selected, in one dbt invocation."""
    warehouse.prepare()
    yield from dbt.cli(["build"], context=context, target_path=dbt_target).stream()
