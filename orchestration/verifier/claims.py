"""What must be true of an erased person besides that no byte is left: asked of the database in words of its own.

Here belong these questions, by surrogates alone, as the request was approved for and not as the eraser understood it. Not here: the search
for bytes.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import psycopg

from orchestration.verifier.search import Hit


class Claim(NamedTuple):
    """Whom a request was approved for."""

    owner: str
    tenant_id: str
    lead_id: str
    point_ids: tuple[str, ...]


_ASKED = """
with lead as (select * from unnest(%(owners)s::text[], %(tenants)s::text[], %(leads)s::text[]) as l (owner, tenant_id, lead_id)),
point as (select * from unnest(%(whose)s::text[], %(of)s::text[], %(points)s::text[]) as p (owner, tenant_id, point_id))
"""
_ACTIONS = (
    "select owner, count(*) from (select owner, action_id from lead join ops.outbox as o using (tenant_id, lead_id) where {0} "
    "union select owner, action_id from point join ops.outbox as o using (tenant_id, point_id) where {0}) as found group by owner"
)
_QUESTIONS = (
    (
        "vault.points", "a key or a value that is still there", "vault.points",
        "select owner, count(*) from point join vault.points as v using (tenant_id, point_id) "
        "where v.key_wrapped is not null or v.value_enc is not null or v.lookup is not null group by owner",
    ),
    (
        "ops.erasures", "a contact point that the erasure log does not have", "ops.erasures",
        "select owner, count(*) from point left join ops.erasures as e using (tenant_id, point_id) where e.point_id is null group by owner",
    ),
    (
        "serving.dim_leads", "a published lead that is not marked as erased", "serving.dim_leads",
        "select owner, count(*) from lead join serving.dim_leads as d using (tenant_id, lead_id) where d.is_erased is not true "
        "group by owner",
    ),
    (
        "serving.act_requests", "a wanted action that would reach the person", "serving.act_requests",
        "select owner, count(*) from lead join serving.act_requests as a using (tenant_id, lead_id) where a.point_id is not null "
        "group by owner",
    ),
    ("ops.outbox", "an action that waits", "ops.outbox", _ACTIONS.format("o.state in ('requested', 'held')")),
    ("ops.outbox", "a payload", "ops.outbox", _ACTIONS.format("o.details::text <> '{}' or o.provider_ref is not null")),
)  # fmt: skip
"""Place, what it would be, the table that must exist, and how many there are of each owner; none may be."""


def doubts(url: str, claims: Sequence[Claim]) -> Iterator[tuple[Hit, int]]:
    """What is not as it must be, with how often; each question is asked once, of everybody."""
    points = [(each.owner, each.tenant_id, point_id) for each in claims for point_id in each.point_ids]
    values: dict[str, list[str]] = {
        "owners": [each.owner for each in claims],
        "tenants": [each.tenant_id for each in claims],
        "leads": [each.lead_id for each in claims],
        "whose": [each[0] for each in points],
        "of": [each[1] for each in points],
        "points": [each[2] for each in points],
    }
    with psycopg.connect(url) as connection:
        for place, form, table, question in _QUESTIONS:
            if connection.execute("select to_regclass(%s)", (table,)).fetchone() != (None,):
                for owner, count in connection.execute(f"{_ASKED} {question}".encode(), values).fetchall():
                    yield Hit(owner, place, form), int(count)
