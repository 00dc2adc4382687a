"""Appointments by following each booking to the one that took its place, one step at a time."""

from collections import defaultdict
from datetime import datetime
from typing import Any

from tests.oracles.common import Row

Key = tuple[str, str]


def appointments(steps: list[Row], as_of: datetime) -> dict[Key, tuple[Any, ...]]:
    """By tenant and first booking: (latest booking, status, moves, no-show, first booked, starts)."""
    told: dict[Key, list[Row]] = defaultdict(list)
    follows: dict[Key, str] = {}
    seen: set[Key] = set()
    for row in steps:
        if row["kind"] == "form_submitted":
            continue
        tenant, own = row["tenant_id"], row["appointment_id"]
        told[tenant, own].append(row)
        seen.add((tenant, own))
        for old, new in ((row.get("old_appointment_id"), own), (own, row.get("new_appointment_id"))):
            if old and new:
                follows[tenant, old] = new
                seen |= {(tenant, old), (tenant, new)}
    found = {}
    for tenant, first in seen - {(tenant, new) for (tenant, _), new in follows.items()}:
        chain = [first]
        while (tenant, chain[-1]) in follows:
            chain.append(follows[tenant, chain[-1]])
        rows = told[tenant, chain[-1]]
        booked = [row["occurred_at"] for each in chain for row in told[tenant, each] if row["kind"] in ("booked", "rescheduled_from")]
        no_show = bool(standing_marks(rows))
        at = opening(rows)
        status = _status(rows, as_of, at, is_no_show=no_show)
        found[tenant, first] = (chain[-1], status, len(chain) - 1, no_show, min(booked, default=None), at["starts_at"] if at else None)
    return found


def opening(rows: list[Row]) -> Row | None:
    """What says a booking's times: the booking itself where it was told, else the first other step."""
    ranked = sorted(rows, key=lambda row: (row["kind"] not in ("booked", "rescheduled_from"), row["occurred_at"], row["event_id"]))
    return ranked[0] if ranked else None


def standing_marks(rows: list[Row]) -> list[Row]:
    """Marks of a no-show that nobody cleared."""
    clears = [row for row in rows if row["kind"] == "no_show_cleared"]
    found = []
    for mark in (row for row in rows if row["kind"] == "no_show_marked"):
        ids = [clear for clear in clears if clear["no_show_id"] is not None and clear["no_show_id"] == mark["no_show_id"]]
        later = [clear for clear in clears if clear["no_show_id"] is None and clear["occurred_at"] >= mark["occurred_at"]]
        if not ids and not later:
            found.append(mark)
    return found


def _status(rows: list[Row], as_of: datetime, opening: Row | None, *, is_no_show: bool) -> str:
    kinds = {row["kind"] for row in rows}
    if opening is None or ("rescheduled_to" in kinds and "cancelled" not in kinds):
        return "rescheduled"
    if "cancelled" in kinds:
        return "cancelled"
    if is_no_show:
        return "no_show"
    return "completed" if opening["ends_at"] is not None and opening["ends_at"] <= as_of else "booked"
