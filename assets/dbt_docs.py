"""dbt's own documentation of the warehouse as one page for people.

Here belongs the asset; it is made once a day and by hand, not by every run: reading the catalog and writing 3 MB takes 5 s and more. Not
here: what models say of themselves (`dbt_project/models`).
"""

import dagster as dg

from assets.project import MANIFEST
from core.reading import Readings
from core.warehouse_ports import Dbt, Warehouse

PAGE = "dbt_docs.html"
"""Where it lies among the reports."""


@dg.asset(
    key=["reports", "dbt_docs"],
    deps=[dg.AssetKey(["marts", "act_requests"])],
    group_name="reports",
    owners=["team:data"],
    description="Every model, its columns and tests, what it is made of and what is made of it.",
)
def dbt_docs(
    dbt: dg.ResourceParam[Dbt],
    warehouse: dg.ResourceParam[Warehouse],
    readings: dg.ResourceParam[Readings],
    run_lock: dg.ResourceParam[None],
) -> dg.MaterializeResult[None]:
    """Write the page, and link to it."""
    page = dbt.document()
    return dg.MaterializeResult(
        metadata={
            "page": dg.MetadataValue.url(f"{readings.reports_url()}/{PAGE}"),
            "bytes": page.stat().st_size,
            "manifest": dg.MetadataValue.path(MANIFEST),
        }
    )
