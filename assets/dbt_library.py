"""dagster-dbt as it is where dbt-core is not installed: reading a manifest needs none of it, and whatever runs dbt is a process of its own.

Importing dbt-core takes 4.6 of 7.7 s of processor time that loading all definitions took, in the code server, in every run and in every
command. Here belongs that import alone. Not here: how dbt's nodes become assets (`assets.warehouse`).
"""

import sys

_IS_LOADED = "dbt" in sys.modules
if not _IS_LOADED:
    sys.modules["dbt"] = None  # type: ignore[assignment]  # what Python takes for "not installed"
try:
    from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets
    from dagster_dbt.asset_utils import get_subset_selection_for_context
    from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage
finally:
    if not _IS_LOADED:
        del sys.modules["dbt"]

__all__ = [
    "DagsterDbtTranslator",
    "DagsterDbtTranslatorSettings",
    "DbtCoreCliEventMessage",
    "dbt_assets",
    "get_subset_selection_for_context",
]
