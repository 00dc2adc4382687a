"""Features of a lead at a moment, by looking through all that had happened by then; nothing is carried from one moment to the next."""

from datetime import datetime, timedelta
from typing import Any

from tests.oracles.common import Row, in_order

WEEK = timedelta(days=7)


def features(
    at: datetime, talk: list[Row], turns: list[Row], work: list[Row], consents: list[Row], bookings: list[Row], currency: str
) -> dict[str, Any]:
    """Of one lead's events of each kind, in any order; only those up to `at` are looked at."""
    talk, turns, work, consents, bookings = (
        [row for row in rows if row["occurred_at"] <= at] for rows in (talk, turns, work, consents, bookings)
    )
    heard = [row for row in talk if row["direction"] == "inbound"]
    slots = max(turns, key=lambda row: (row["occurred_at"], row["event_id"]), default={})
    hands = [row for row in work if row["kind"] in ("assigned", "unassigned")]
    last_hands = max(hands, key=lambda row: (row["occurred_at"], row["kind"]), default={"kind": ""})
    last_consent = max(consents, key=lambda row: (row["occurred_at"], row["kind"] != "opted_in"), default={"kind": "opted_in"})
    times = [row["occurred_at"] for rows in (talk, turns, work, consents, bookings) for row in rows]
    return {
        "intent": slots.get("intent"),
        "has_objection": slots.get("objection") not in (None, "", "none"),
        "has_buying_signal": slots.get("buying_signal") not in (None, "", "none"),
        "is_assigned": last_hands["kind"] == "assigned",
        "is_opted_out": last_consent["kind"] != "opted_in",
        "budget_minor": slots.get("budget_minor") if slots.get("budget_currency") == currency else None,
        "timeline_days": slots.get("timeline_days"),
        "confidence": slots.get("confidence"),
        "inbound_count": len(heard),
        "inbound_count_7d": sum(1 for row in heard if row["occurred_at"] > at - WEEK),
        "outbound_count": len(talk) - len(heard),
        "human_outbound_count": sum(1 for row in talk if row["direction"] == "outbound" and row["author_type"] == "human"),
        "turn_count": len(turns),
        "booking_count": sum(1 for row in bookings if row["kind"] in ("booked", "rescheduled_from")),
        "no_show_count": sum(1 for row in bookings if row["kind"] == "no_show_marked"),
        "last_reply_seconds": _last_reply(talk),
        "silent_seconds": (at - max(row["occurred_at"] for row in heard)) // timedelta(seconds=1) if heard else None,
        "age_seconds": (at - min(times)) // timedelta(seconds=1),
    }


def _last_reply(talk: list[Row]) -> int | None:
    """How long the lead's latest answer took: of several at one instant, the longest."""
    found: dict[datetime, timedelta] = {}
    before: Row | None = None
    for row in in_order(talk):
        if row["direction"] == "inbound" and before is not None and before["direction"] == "outbound":
            wait = row["occurred_at"] - before["occurred_at"]
            found[row["occurred_at"]] = max(found.get(row["occurred_at"], wait), wait)
        before = row
    return found[max(found)] // timedelta(seconds=1) if found else None
