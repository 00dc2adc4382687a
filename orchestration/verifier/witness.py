"""What a person is found by, read before anything is erased: values, names, and the very bytes that the vault keeps.

Here belongs the verifier's own reading, by surrogates that were approved: what the eraser overlooks when it asks who is meant, it would
not search for either. Keys are unwrapped and ciphertext is opened with nothing of ours. Not here: where it is kept until the search.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psycopg
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap

from orchestration.verifier.claims import Claim
from orchestration.verifier.needles import Sought
from orchestration.verifier.sealed import OVERHEAD, opened

_LEAST_NAME = 8

_Row = tuple[str, bytes, bytes, bytes]
"""Kind, look-up, value and key of a point."""


def look(url: str, lake: Path, master_key: bytes, claims: Sequence[Claim]) -> dict[str, Sought]:
    """What is known of each claim's person now, by owner."""
    found = {}
    with psycopg.connect(url) as connection:
        known = {tenant: _points(connection, tenant, points) for tenant, points in _by_tenant(claims).items()}
        names = _names(connection, lake, master_key, claims, known)
    for claim in claims:
        rows = {each: known[claim.tenant_id][each] for each in claim.point_ids if each in known[claim.tenant_id]}
        values = [(kind, opened(aes_key_unwrap(master_key, key), value).decode()) for kind, _, value, key in rows.values()]
        values += [("name", name) for name in sorted(names.get(claim.owner, ()))]
        traces = [each.hex() for _, *bytes_ in rows.values() for each in bytes_]
        found[claim.owner] = Sought(claim.owner, tuple(values), tuple(traces))
    return found


def _by_tenant(claims: Iterable[Claim]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for claim in claims:
        found[claim.tenant_id].update(claim.point_ids)
    return found


def _points(connection: psycopg.Connection, tenant_id: str, points: Iterable[str]) -> dict[str, _Row]:
    select = (
        "select point_id, kind, lookup, value_enc, key_wrapped from vault.points "
        "where tenant_id = %s and point_id = any(%s) and key_wrapped is not null"
    )
    cursor = connection.cursor(binary=True)
    return {row[0]: (row[1], bytes(row[2]), bytes(row[3]), bytes(row[4])) for row in cursor.execute(select, (tenant_id, list(points)))}


def _names(
    connection: psycopg.Connection, lake: Path, master_key: bytes, claims: Iterable[Claim], known: Mapping[str, Mapping[str, _Row]]
) -> dict[str, set[str]]:
    """Names of two words and eight letters or more that nobody else of the tenant bears: others' are theirs and stay."""
    owners = {(claim.tenant_id, point): claim.owner for claim in claims for point in claim.point_ids}
    told = _sealed_names(lake, {tenant for tenant, _ in owners})
    lengths = {(tenant, len(raw)) for tenant, point, raw in told if (tenant, point) in owners}
    alike = {(tenant, point, raw) for tenant, point, raw in told if (tenant, len(raw)) in lengths}
    keys: dict[tuple[str, str], bytes] = {}
    for tenant in {tenant for tenant, _, _ in alike}:
        others = _points(connection, tenant, {point for of, point, _ in alike if of == tenant}) | dict(known[tenant])
        keys |= {(tenant, point): aes_key_unwrap(master_key, row[3]) for point, row in others.items()}
    bearers: dict[tuple[str, str], set[str]] = defaultdict(set)
    for tenant, point, raw in alike:
        if (tenant, point) in keys:
            bearers[tenant, opened(keys[tenant, point], raw).decode()].add(owners.get((tenant, point), ""))
    found: dict[str, set[str]] = defaultdict(set)
    for (_, name), who in bearers.items():
        if len(who) == 1 and "" not in who and len(name.split()) > 1:
            found[next(iter(who))].add(name)
    return found


def _sealed_names(lake: Path, tenants: set[str]) -> set[tuple[str, str, bytes]]:
    """Tenant, point and ciphertext of every name in the lake's files that is long enough."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    found: set[tuple[str, str, bytes]] = set()
    for path in sorted(lake.rglob("*.parquet")):
        if not {"name_enc", "contact_point_id"} <= set(pq.read_schema(path).names):
            continue
        table = pq.read_table(path, columns=["tenant_id", "contact_point_id", "name_enc"], partitioning=None)
        long = pc.fill_null(pc.greater_equal(pc.binary_length(table["name_enc"]), pa.scalar(_LEAST_NAME + OVERHEAD)), pa.scalar(False))
        table = table.filter(pc.and_(long, pc.is_in(table["tenant_id"], pa.array(sorted(tenants), pa.string()))))
        found.update(zip(*(table[name].to_pylist() for name in table.schema.names), strict=True))
    return found
