"""What must be true of an erased person besides that no byte is left: asked of the database in words of its own.

Here belong these questions, by surrogates alone, as the request was approved for and not as the eraser understood it. Not here: the search
for bytes.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import psycopg

from orchestration.verifier.search import Hit


class Claim(NamedTuple):
    """Whom a request was approved for."""

    owner: str
    tenant_id: str
    lead_id: str
    point_ids: tuple[str, ...]


_QUESTIONS = (
    (
        "vault.points", "a key or a value that is still there", "vault.points",
        "select count(*) from vault.points where tenant_id = %(tenant)s and point_id = any(%(points)s) "
        "and (key_wrapped is not null or value_enc is not null or lookup is not null)",
    ),
    (
        "ops.erasures", "a contact point that the erasure log does not have", "ops.erasures",
        "select count(*) from unnest(%(points)s::text[]) as p (id) where not exists "
        "(select from ops.erasures as e where e.tenant_id = %(tenant)s and e.point_id = p.id)",
    ),
    (
        "serving.dim_leads", "a published lead that is not marked as erased", "serving.dim_leads",
        "select count(*) from serving.dim_leads where tenant_id = %(tenant)s and lead_id = %(lead)s and is_erased is not true",
    ),
    (
        "serving.act_requests", "a wanted action that would reach the person", "serving.act_requests",
        "select count(*) from serving.act_requests where tenant_id = %(tenant)s and lead_id = %(lead)s and point_id is not null",
    ),
    (
        "ops.outbox", "an action that waits", "ops.outbox",
        "select count(*) from ops.outbox where tenant_id = %(tenant)s and (lead_id = %(lead)s or point_id = any(%(points)s)) "
        "and state in ('requested', 'held')",
    ),
    (
        "ops.outbox", "a payload", "ops.outbox",
        "select count(*) from ops.outbox where tenant_id = %(tenant)s and (lead_id = %(lead)s or point_id = any(%(points)s)) "
        "and (details::text <> '{}' or provider_ref is not null)",
    ),
)  # fmt: skip
"""Place, what it would be, the table that must exist, and how many there are; none may be."""


def doubts(url: str, claims: Iterable[Claim]) -> Iterator[tuple[Hit, int]]:
    """What is not as it must be, with how often."""
    with psycopg.connect(url) as connection:
        there = {table for _, _, table, _ in _QUESTIONS if connection.execute("select to_regclass(%s)", (table,)).fetchone() != (None,)}
        for claim in claims:
            values = {"tenant": claim.tenant_id, "lead": claim.lead_id, "points": list(claim.point_ids)}
            for place, form, table, question in _QUESTIONS:
                row = connection.execute(question, values).fetchone() if table in there else None
                if row is not None and row[0]:
                    yield Hit(claim.owner, place, form), int(row[0])
