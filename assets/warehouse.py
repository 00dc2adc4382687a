"""The warehouse: dbt's models, seeds and tests as assets and checks, built by one invocation a run.

Here belongs how dbt nodes become Dagster assets. Not here: what models say (`dbt_project`), which engine runs them.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from assets.brief_builds import brief_selection
from assets.check_words import demands, found
from assets.days import opened
from assets.dbt_library import (
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCoreCliEventMessage,
    dbt_assets,
    get_subset_selection_for_context,
)
from assets.project import MANIFEST
from core.ports import Progress
from core.warehouse_ports import BRIEF, REBUILD, Begun, Dbt, Warehouse

MART_GROUPS = ("leads", "messaging", "sla", "billing", "experiments", "ml", "ops", "actions")


class _Translator(DagsterDbtTranslator):
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

    def get_asset_check_spec(
        self, asset_spec: dg.AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: Any
    ) -> dg.AssetCheckSpec | None:
        """With what the test demands, in words."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        test = manifest["nodes"][unique_id]
        return spec and spec._replace(description=test.get("description") or demands(test))


_TRANSLATOR = _Translator()


@dbt_assets(manifest=MANIFEST, dagster_dbt_translator=_TRANSLATOR, name="warehouse")
def warehouse_assets(
    context: dg.AssetExecutionContext,
    dbt: dg.ResourceParam[Dbt],
    warehouse: dg.ResourceParam[Warehouse],
    progress: dg.ResourceParam[Progress],
    run_lock: dg.ResourceParam[None],
) -> Iterator[Any]:
    """Build and test everything selected, in one dbt invocation: of touched keys alone where that is as good."""
    begun = warehouse.begin(rebuild=REBUILD in context.run.tags, brief=BRIEF in context.run.tags)
    told = f"everything is made anew: {begun.why}" if begun.why else f"the last build is continued: keys touched {begun.touched}"
    for day in opened(begun):
        context.log_event(day)
    context.log.info("%s; files came for event dates %s", told, ", ".join(map(str, begun.days[-40:])) or "none")
    manifest = json.loads(MANIFEST.read_bytes())
    # unit tests are of the SQL and not of the data: the test suite runs them
    arguments = ["--exclude-resource-type", "unit_test", *_selection(context, manifest, begun)]
    # how many a brief build leaves out is dbt's to say
    total = None if begun.is_brief else len(context.selected_output_names) + len(context.selected_asset_check_keys)
    for event in progress.over("models and tests", dbt.build(arguments), total):
        message = DbtCoreCliEventMessage(raw_event=event, event_history_metadata={})
        if event["info"]["level"] in {"warn", "error"}:
            context.log.warning(event["info"]["msg"])
        for each in message.to_default_asset_events(manifest, _TRANSLATOR, context):
            yield _in_words(each, event, manifest)
    if not context.is_subset:
        warehouse.end(begun)
    for mart, rows in warehouse.row_counts().items():
        if (key := dg.AssetKey(["marts", mart])) in context.selected_asset_keys:
            context.log_event(dg.AssetObservation(key, metadata={"dagster/row_count": rows}))


def _selection(context: dg.AssetExecutionContext, manifest: Mapping[str, Any], begun: Begun) -> list[str]:
    """What dbt is asked to build."""
    if begun.is_brief and not context.is_subset:
        # Dagster says of each that nothing came of it, which is what was asked for: 200 lines
        logging.getLogger("dagster._core.execution.plan.active").addFilter(lambda said: "emitted no result" not in said.getMessage())
        return brief_selection(manifest, is_steady=begun.is_steady)
    selection, indirect = get_subset_selection_for_context(
        context=context,
        manifest=manifest,
        select=context.op.tags.get("dagster_dbt/select"),
        exclude=context.op.tags.get("dagster_dbt/exclude"),
        selector=context.op.tags.get("dagster_dbt/selector"),
        dagster_dbt_translator=_TRANSLATOR,
        current_dbt_indirect_selection_env=None,
    )
    return [*selection, *(["--indirect-selection", indirect] if indirect else [])]


def _in_words(told: Any, event: Mapping[str, Any], manifest: Mapping[str, Any]) -> Any:
    """A result of a test says what it found; everything else stays as it is."""
    if not isinstance(told, dg.AssetCheckResult):
        return told
    test = manifest["nodes"][event["data"]["node_info"]["unique_id"]]
    return told._replace(description=found(test, int(event["data"].get("num_failures") or 0)))
