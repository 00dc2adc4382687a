"""What became of each scheduled message, judged one by one."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from core.actions import key_of
from tests.oracles.common import Holders, Row

LIFETIME = timedelta(hours=1)
_WINDOWED = ("whatsapp", "instagram", "messenger")
Open = Callable[[Row, datetime], bool]


def schedules(
    events: list[Row], messages: list[Row], consents: list[Row], erasures: list[Row], holders: Holders, is_open: Open, as_of: datetime
) -> dict[tuple[str, str], tuple[Any, ...]]:
    """Status, reason and times by tenant and schedule; `is_open` says whether a service window lets us write at a moment."""
    sent: dict[tuple[str, str], datetime] = {}
    for row in messages:
        if row.get("action_id"):
            key = (row["tenant_id"], row["action_id"])
            sent[key] = min(sent.get(key, row["occurred_at"]), row["occurred_at"])
    found = {}
    for tenant, schedule in {(row["tenant_id"], row["schedule_id"]) for row in events}:
        told = sorted(
            (row for row in events if (row["tenant_id"], row["schedule_id"]) == (tenant, schedule)),
            key=lambda row: (row["occurred_at"], row["event_id"]),
        )
        plan = ([row for row in told if row["kind"] == "scheduled"] or told)[-1]
        off = told[-1]["occurred_at"] if told[-1]["kind"] == "cancelled" else None
        sent_at = sent.get((tenant, key_of(tenant, "scheduled_message", "schedule", plan["event_id"])))
        refusal = _refusal(plan, holders, consents, erasures, is_open)
        lapses_at = plan["send_at"] + LIFETIME
        status, reason = "due", None
        if sent_at:
            status = "sent"
        elif off and off < lapses_at:
            status = "cancelled"
        elif plan["send_at"] > as_of:
            status = "scheduled"
        elif refusal or lapses_at <= as_of:
            status, reason = "expired", refusal or "not_sent_in_time"
        found[tenant, schedule] = (status, reason, plan["send_at"], sent_at, off if status == "cancelled" else None)
    return found


def _refusal(plan: Row, holders: Holders, consents: list[Row], erasures: list[Row], is_open: Open) -> str | None:
    tenant, send_at, lead = plan["tenant_id"], plan["send_at"], holders.lead(plan)
    if lead is None:
        return "no_lead"
    mine = [row for row in consents if row["tenant_id"] == tenant and row["occurred_at"] <= send_at and holders.lead(row) == lead]
    if any(row["tenant_id"] == tenant and row["occurred_at"] <= send_at and holders.lead(row) == lead for row in erasures):
        return "erased"
    if mine and max(mine, key=lambda row: (row["occurred_at"], row["kind"] != "opted_in"))["kind"] != "opted_in":
        return "opted_out"
    if holders.lead(plan | {"occurred_at": send_at}) != lead:
        return "point_given_up"
    if plan["template_name"] is None and plan["channel"] in _WINDOWED and not is_open(plan, send_at):
        return "window_closed"
    return None
