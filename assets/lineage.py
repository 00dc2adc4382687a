"""Of which columns each column is made, as Dagster takes it: from the file that `orchestration.resources.lineage` keeps.

Here belongs reading it into metadata. Not here: how it is found.
"""

import json
from collections.abc import Mapping

import dagster as dg

from assets.project import LINEAGE, MANIFEST


def column_lineage() -> dict[dg.AssetKey, dict[str, object]]:
    """Metadata by asset: what tools read, and the same as a table, for Dagster's open UI shows no other. None if it is stale."""
    if not LINEAGE.exists() or LINEAGE.stat().st_mtime < MANIFEST.stat().st_mtime:
        return {}
    found: Mapping[str, Mapping[str, list[tuple[str, str]]]] = json.loads(LINEAGE.read_bytes())
    return {
        dg.AssetKey(table.split("/")): {
            "dagster/column_lineage": dg.TableColumnLineage(
                {
                    column: [dg.TableColumnDep(asset_key=dg.AssetKey(parent.split("/")), column_name=name) for parent, name in made_of]
                    for column, made_of in of.items()
                }
            ),
            "columns made of": dg.MetadataValue.md(_table(of)),
        }
        for table, of in found.items()
    }


def _table(of: Mapping[str, list[tuple[str, str]]]) -> str:
    lines = ["| column | made of |", "| --- | --- |"]
    for column, made_of in of.items():
        told = ", ".join(f"`{parent}.{name}`" for parent, name in made_of)
        lines.append(f"| `{column}` | {told or 'what is counted or constant'} |")
    return "\n".join(lines)
