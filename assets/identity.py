"""Reference data for the warehouse, with the identity of every lead.

Here belongs exporting dated reference rows, and bringing together what identity resolution (`core.identity`) works on: lake, vault,
decisions. One asset, for both are what the warehouse reads beside the lake. Not here: the rules of either.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import dagster as dg

from core.identity import Resolution, resolve
from core.identity_evidence import Strengths
from core.identity_hints import Suggestion, Told, suggest, traits
from core.ports import Clock, Identity, Lake, Leads, Reference, SealedName, Vault
from core.reference import REFERENCE_TYPES
from core.sealing import unseal

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


def resolve_leads(lake: Lake, vault: Vault, identity: Identity, as_of: datetime) -> Resolution:
    """Every lead of every tenant as of a moment."""
    strengths = Strengths(identity.strengths())
    return resolve(lake.sightings(as_of), lake.links(as_of), vault.kinds(), strengths, identity.decisions(as_of))


def suggest_leads(lake: Lake, vault: Vault, identity: Identity, as_of: datetime, resolution: Resolution) -> list[Suggestion]:
    """Pairs of leads that may be one person. Names and addresses are opened in memory, compared and forgotten; the erased have none."""
    emails: dict[str, list[tuple[str, datetime]]] = defaultdict(list)
    for holder in resolution.holders.all:
        emails[holder.tenant_id].append((holder.point_id, holder.valid_from))
    return suggest(resolution, traits(_names(vault, lake.names(as_of)), _emails(vault, emails)), Strengths(identity.strengths()))


def _names(vault: Vault, sealed: Iterable[SealedName]) -> Iterator[Told]:
    by_tenant: dict[str, list[SealedName]] = defaultdict(list)
    for each in sealed:
        by_tenant[each.tenant_id].append(each)
    for tenant_id, names in by_tenant.items():
        keys = vault.keys(tenant_id, {each.point_id for each in names})
        for each in names:
            if each.point_id in keys:
                name = unseal(keys[each.point_id], each.name_enc, f"{each.event_id}:name_enc".encode())
                yield Told(tenant_id, each.point_id, name.decode(), each.told_at)


def _emails(vault: Vault, seen: dict[str, list[tuple[str, datetime]]]) -> Iterator[Told]:
    kinds = vault.kinds()
    for tenant_id, points in seen.items():
        addresses = {point_id: seen_at for point_id, seen_at in points if kinds[point_id] == "email"}
        for point_id, point in vault.reveal(tenant_id, addresses).items():
            yield Told(tenant_id, point_id, point.value, addresses[point_id])
