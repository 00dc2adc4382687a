"""Answers of `flexoraa identity` as rows: links, decisions, everything about one lead.

Here belongs their shape, times in ISO 8601. Not here: finding them (`identity_command`), printing them (`identity_cli`).
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from core.reference import LeadLink
from orchestration.identity_command import Desk
from orchestration.resources.identity import Record


def decision_rows(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Every decision; the newest on a link stands."""
    return [
        {
            "link_id": each.decision.link_id,
            "tenant_id": each.decision.tenant_id,
            "verdict": each.decision.verdict,
            "one_id": each.decision.one_id,
            "other_id": each.decision.other_id,
            "decided_at": each.decision.decided_at.isoformat(),
            "decided_by": each.decided_by,
            "reason": "(erased)" if each.reason is None else each.reason,
        }
        for each in records
    ]


def link_rows(links: Iterable[LeadLink]) -> list[dict[str, Any]]:
    """Evidence that joins, by link, kind and source."""
    return [msgspec.to_builtins(each) for each in links]


def lead_rows(desk: Desk, token: str) -> dict[str, Any]:
    """One lead: its points and ids, its links, and what was decided on any of its holders."""
    tenant_id, lead_id, holders = desk.lead(token)
    ids = {each.own_id for each in holders} | {each.point_id for each in holders}
    records = [each for each in desk.records(tenant_id) if ids & {each.decision.one_id, each.decision.other_id}]
    kinds = {(row.point_id, row.valid_from): row.kind for row in desk.resolution.points if row.lead_id == lead_id}
    return {
        "tenant_id": tenant_id,
        "lead_id": lead_id,
        "aliases": [each.own_id for each in holders if each.own_id != lead_id],
        "points": [
            {
                "point_id": each.point_id,
                "kind": kinds.get((each.point_id, each.valid_from), "payer"),
                "valid_from": each.valid_from.isoformat(),
                "valid_to": each.valid_to and each.valid_to.isoformat(),
                "own_id": each.own_id,
            }
            for each in holders
        ],
        "links": link_rows(each for each in desk.resolution.links if (each.tenant_id, each.lead_id) == (tenant_id, lead_id)),
        "decisions": decision_rows(records),
    }
