"""Reference data for the warehouse, with the identity of every lead.

Here belongs exporting dated reference rows, and which lead holds which contact point. One asset, for both are what the warehouse reads
beside the lake. Not here: the rules of either; resolving (`assets.leads`).
"""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg

from assets.leads import resolve_leads
from core.identity_ports import Identity, Leads
from core.ports import Clock, Lake, Vault
from core.reference import REFERENCE_TYPES
from core.warehouse_ports import Reference

BUSINESS_DAYS_AHEAD = timedelta(days=62)
"""How far calendars are laid out beyond the moment of the build; the longest limit counted in business time is days, not months."""

_LOOK_BACK = timedelta(days=8)  # an event at most 7 days late, and a day for time zones
_OF_IDENTITY = {"lead_points", "lead_aliases", "lead_links"}

REFERENCE_SPECS = [
    dg.AssetSpec(
        dg.AssetKey(["reference", each.table]),  # type: ignore[attr-defined]  # every type of that tuple has a table
        deps=[["lake", "appointments"], ["lake", "contact_events"], ["lake", "messages"]]
        if each.table in _OF_IDENTITY  # type: ignore[attr-defined]
        else [],
        group_name="reference",
        kinds={"parquet"},
        owners=["team:data"],
        description=each.__doc__,
    )
    for each in REFERENCE_TYPES
]


@dg.multi_asset(specs=REFERENCE_SPECS, name="reference")
def reference_assets(
    clock: dg.ResourceParam[Clock],
    lake: dg.ResourceParam[Lake],
    reference: dg.ResourceParam[Reference],
    vault: dg.ResourceParam[Vault],
    identity: dg.ResourceParam[Identity],
    run_lock: dg.ResourceParam[None],
) -> Iterator[dg.MaterializeResult[None]]:
    """Write every reference table, if it changed; the build speaks of the clock's moment."""
    as_of = clock.now()
    resolution = resolve_leads(lake, vault, identity, as_of)
    first, last = lake.event_dates() or (as_of.date(), as_of.date())
    business_range = (first - _LOOK_BACK, max(last, as_of.date()) + BUSINESS_DAYS_AHEAD)
    rows = reference.export(as_of, business_range, Leads(resolution.points, resolution.aliases, resolution.links))
    for spec in REFERENCE_SPECS:
        yield dg.MaterializeResult(asset_key=spec.key, metadata={"dagster/row_count": rows[spec.key.path[-1]], "as_of": as_of.isoformat()})
