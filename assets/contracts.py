"""Contracts of marts as checks: what dbt enforces while it builds, looked at again in the table that is there.

Here belongs comparing names and types with the contract. Not here: dbt's tests of rows, which become checks by themselves.
"""

import json
from collections.abc import Iterator

import dagster as dg

from assets.project import MANIFEST
from core.warehouse_ports import Warehouse


def _contracts() -> dict[str, dict[str, str]]:
    """Column types by mart, as its YAML states them."""
    nodes = json.loads(MANIFEST.read_bytes())["nodes"].values()
    models = [node for node in nodes if node["resource_type"] == "model" and node["config"].get("contract", {}).get("enforced")]
    return {
        model["name"]: {column["name"]: column["data_type"] for column in model["columns"].values()}
        for model in sorted(models, key=lambda model: str(model["name"]))
    }


_CONTRACTS = _contracts()


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec("contract", asset=dg.AssetKey(["marts", mart]), description="The table has the contract's columns and types.")
        for mart in _CONTRACTS
    ],
    op_tags={"dagster/priority": "-10"},  # dbt has enforced them: nobody who waits for an action waits 3 s for 48 results
)
def contracts(warehouse: dg.ResourceParam[Warehouse], run_lock: dg.ResourceParam[None]) -> Iterator[dg.AssetCheckResult]:
    """One check a mart."""
    found = warehouse.columns()
    for mart, contract in _CONTRACTS.items():
        table = found.get(mart, {})
        wrong = [
            f"{name}: contract {contract.get(name, 'has no such column')}, table {table.get(name, 'has no such column')}"
            for name in sorted(contract.keys() | table.keys())
            if contract.get(name) != table.get(name)
        ]
        yield dg.AssetCheckResult(
            asset_key=dg.AssetKey(["marts", mart]),
            check_name="contract",
            passed=not wrong,
            metadata={"columns": len(contract), "differences": wrong},
            description="as the contract says" if not wrong else "; ".join(wrong),
        )
