"""Who is one lead and who may be: what identity resolution (`core.identity`) works on, brought together.

Here belongs reading lake, vault and decisions for it; without Dagster, so that the command starts quickly. Not here: any rule.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from core.identity import Resolution, resolve
from core.identity_evidence import Strengths
from core.identity_hints import Suggestion, Told, suggest, traits
from core.identity_ports import Identity, SealedName
from core.ports import Lake, Vault
from core.sealing import unseal


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
