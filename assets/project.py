"""Where the dbt project lies.

Here belong its paths, so that the manifest can be made current before `assets.warehouse` reads it. Nothing else.
"""

from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent / "dbt_project"
MANIFEST = PROJECT / "target" / "manifest.json"
LINEAGE = MANIFEST.with_name("column_lineage.json")
