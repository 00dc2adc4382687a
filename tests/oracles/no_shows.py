"""No-shows that nobody followed up, by going through each booking's marks and then through all that its lead heard or did later."""

from datetime import datetime
from typing import Any

from tests.oracles.appointments import opening, standing_marks
from tests.oracles.common import SECOND, Holders, Row, valid
from tests.oracles.leads import ENDS, Leak

_FOLLOWS = {"human_action": "human_action", "next_step_set": "next_step_set", "outbound": "followed_up"} | {each: each for each in ENDS}


def no_show_leaks(
    steps: list[Row],
    closing: dict[tuple[str, str], list[Row]],
    holders: Holders,
    reference: dict[str, list[Any]],
    as_of: datetime,
) -> list[Leak]:
    """Leaks `no_show`."""
    told: dict[tuple[str, str], list[Row]] = {}
    for step in steps:
        if step["kind"] != "form_submitted":
            told.setdefault((step["tenant_id"], step["appointment_id"]), []).append(step)
    moves: dict[tuple[str, str], list[datetime]] = {}
    for (tenant, _), rows in told.items():
        for kinds in ({"booked", "rescheduled_from"}, {"rescheduled_to"}):
            moments = [row["occurred_at"] for row in rows if row["kind"] in kinds]
            lead = _lead(rows, holders)
            if moments and lead:
                moves.setdefault((tenant, lead), []).append(min(moments))
    found: list[Leak] = []
    for (tenant, _), rows in told.items():
        marks, lead = standing_marks(rows), _lead(rows, holders)
        if not marks or lead is None or any(row["kind"] == "cancelled" for row in rows):
            continue
        mark = min(marks, key=lambda row: (row["occurred_at"], row["event_id"]))
        missed = _missed_at(mark, opening(rows))
        policy = valid(reference["policies"], tenant, missed)
        if policy is None:
            continue
        since = max(missed + policy.no_show_seconds * SECOND, mark["occurred_at"])
        ends = [(moment, "rebooked") for moment in moves.get((tenant, lead), []) if moment > missed]
        for row in closing.get((tenant, lead), []):
            if row["occurred_at"] >= missed and row["closes"] in _FOLLOWS:
                ends.append((row["occurred_at"], _FOLLOWS[row["closes"]]))
        end = min(ends, default=None)
        if since <= as_of and (end is None or end[0] > since):
            found.append((tenant, lead, "no_show", mark["event_id"], since, *(end or (None, None))))
    return found


def _missed_at(mark: Row, times: Row | None) -> datetime:
    """When it was told or when it had ended, whichever was first; never before it began."""
    missed: datetime = mark["occurred_at"]
    if times and times["ends_at"] and times["ends_at"] < missed:
        missed = times["ends_at"]
    if times and times["starts_at"] and times["starts_at"] > missed:
        missed = times["starts_at"]
    return missed


def _lead(rows: list[Row], holders: Holders) -> str | None:
    first = opening(rows)
    return holders.lead(first) if first else None
