"""Words from before a number was another lead's: under a key that stays, so it is asked whether any are left.

Here belongs asking it of the lake's files and of a warehouse's copy, by who held which number when, as the last run wrote it down. Not
here: what lies under keys that go, and what lies under a tenant's own (`sealed`).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from orchestration.verifier.claims import Claim
from orchestration.verifier.sealed import COPIES
from orchestration.verifier.search import Hit

_FORM = "words from before the number was another's"


class Left(NamedTuple):
    """A number that was a person's until a moment."""

    owner: str
    tenant_id: str
    point_id: str
    until: datetime


def numbers(reference: Path, claims: Sequence[Claim]) -> list[Left]:
    """Those of the people of the claims that somebody else holds now."""
    import pyarrow.parquet as pq

    path = reference / "lead_points.parquet"
    if not path.exists():
        return []
    old = {(row["tenant_id"], row["alias_id"]): row["lead_id"] for row in pq.read_table(reference / "lead_aliases.parquet").to_pylist()}
    owners = {(each.tenant_id, old.get((each.tenant_id, each.lead_id), each.lead_id)): each.owner for each in claims}
    names = ["tenant_id", "lead_id", "point_id", "valid_from", "valid_to"]
    rows = list(zip(*pq.read_table(path, columns=names).to_pydict().values(), strict=True))
    mine = {(row[0], row[2]) for row in rows if (row[0], row[1]) in owners}
    held: dict[tuple[str, str], list[Any]] = {}
    for row in sorted((row for row in rows if (row[0], row[2]) in mine), key=lambda row: row[3]):
        held.setdefault((row[0], row[2]), []).append(row)
    return [
        Left(owners[tenant, lead], tenant, point, until)
        for stretches in held.values()
        for tenant, lead, point, _, until in stretches
        if (tenant, lead) in owners and until is not None and stretches[-1][1] != lead
    ]


def of_lake(home: Path, left: Sequence[Left]) -> Iterator[tuple[Hit, int]]:
    """Rows of files that still hold such words."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    for path in sorted(home.rglob("*.parquet")) if left else ():
        names = pq.read_schema(path).names
        secret = [name for name in names if name.endswith("_enc")]
        if not secret or not {"contact_point_id", "occurred_at", "tenant_id"} <= set(names):
            continue
        table = pq.read_table(path, columns=["tenant_id", "contact_point_id", "occurred_at", *secret], partitioning=None)
        for each in left:
            rows = table.filter(
                (pc.field("tenant_id") == each.tenant_id)
                & (pc.field("contact_point_id") == each.point_id)
                & (pc.field("occurred_at") < each.until)
            )
            count = sum(any(row[name] for name in secret) for row in rows.select(secret).to_pylist())
            if count:
                yield Hit(each.owner, str(path.relative_to(home)), _FORM), count


def of_databases(urls: dict[str, str], left: Sequence[Left]) -> Iterator[tuple[Hit, int]]:
    """Rows of tables that still hold such words."""
    for name, url in urls.items() if left else ():
        with psycopg.connect(url) as connection:
            for schema, table, secret in connection.execute(COPIES).fetchall():
                filled = sql.SQL(" or ").join(sql.SQL("length({}) > 0").format(sql.Identifier(each)) for each in secret)
                count = sql.SQL("select count(*) from {}.{} where tenant_id = %s and contact_point_id = %s and occurred_at < %s and ({})")
                for each in left:
                    row = connection.execute(
                        count.format(sql.Identifier(schema), sql.Identifier(table), filled), (each.tenant_id, each.point_id, each.until)
                    ).fetchone()
                    if row is not None and row[0]:
                        yield Hit(each.owner, f"{name} {schema}.{table}", _FORM), int(row[0])
