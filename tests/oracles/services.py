"""Service health by walking each day in stretches between signs of life, and latencies by sorting."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests.oracles.common import Row

DAY, GRACE = timedelta(days=1), timedelta(seconds=300)
_NONE = timedelta()


def health(events: list[Row], as_of: datetime) -> dict[tuple[str, str, date], dict[str, Any]]:
    """By tenant, service and UTC day."""
    until = as_of.replace(second=0, microsecond=0)
    found: dict[tuple[str, str, date], dict[str, Any]] = {}
    for tenant, service in {(row["tenant_id"], row["service"]) for row in events}:
        mine = [row for row in events if (row["tenant_id"], row["service"]) == (tenant, service)]
        beats = sorted((row for row in mine if row["kind"] == "heartbeat"), key=lambda row: (row["occurred_at"], row["event_id"]))
        days = {row["occurred_at"].date() for row in mine}
        first = beats[0]["occurred_at"] if beats else None
        if first:
            days |= {first.date() + timedelta(days=n) for n in range((as_of.date() - first.date()).days + 1)}
        downs: dict[date, timedelta] = {}
        for day in sorted(days):
            begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
            watched = max(min(begin + DAY, until) - max(begin, first), _NONE) if first else _NONE
            up = _NONE
            for place, beat in enumerate(beats):
                ends = [beat["occurred_at"] + GRACE, until, *(row["occurred_at"] for row in beats[place + 1 : place + 2])]
                if beat["is_ok"]:
                    up += max(min(*ends, begin + DAY) - max(beat["occurred_at"], begin), _NONE)
            downs[day] = watched - up
            asked = [row for row in mine if row["kind"] != "heartbeat" and row["occurred_at"].date() == day]
            failed = sum(1 for row in asked if row["kind"] == "error" or not row["is_ok"])
            took = sorted(row["latency_seconds"] for row in asked if row["kind"] == "request" and row["latency_seconds"] is not None)
            spent = sum((down for other, down in downs.items() if other > day - timedelta(days=30)), _NONE)
            found[tenant, service, day] = {
                "uptime_ratio": up / watched if watched else None,
                "error_ratio": failed / len(asked) if asked else None,
                "down_seconds": downs[day].total_seconds(),
                "burn_rate": downs[day] / watched / 0.001 if watched else None,
                "budget_left_ratio": 1 - spent / timedelta(seconds=2592) if watched else None,
                **{f"latency_p{p}_seconds": took[-(-len(took) * p // 100) - 1] if took else None for p in (50, 95, 99)},
            }
    return found
