"""Conversations and messaging windows by walking each thread's events in time."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from tests.oracles.common import Holders, Row, in_order

Thread = tuple[str, str | None, str, str, str]


def threads(messages: list[Row], holders: Holders) -> dict[Thread, list[Row]]:
    """Messages by tenant, lead, point, channel and account, in order."""
    found: dict[Thread, list[Row]] = {}
    for row in in_order(messages):
        key = (
            row["tenant_id"],
            holders.lead(row),
            row["contact_point_id"],
            row["channel"],
            row["channel_account_id"],
        )
        found.setdefault(key, []).append(row)
    return found


def conversations(
    messages: list[Row],
    lead_events: list[Row],
    holders: Holders,
    gap_at: Callable[[str, datetime], timedelta | None],
    as_of: datetime,
) -> list[tuple[Any, ...]]:
    """(tenant, point, account, ids of its messages, opened, closed, reason, waits of the lead) of each; see `waits`.

    A message without a gap, for no policy was valid, is in none.
    """
    found = []
    for (tenant, _, point, channel, account), thread in threads(messages, holders).items():
        resolves = [
            row["occurred_at"]
            for row in lead_events
            if row["kind"] == "resolved"
            and (row["tenant_id"], row["contact_point_id"]) == (tenant, point)
            and row["channel"] in (None, channel)
        ]
        events: list[tuple[datetime, int, int, Row | None]] = [(moment, 0, 0, None) for moment in resolves]
        events += [(row["occurred_at"], 1, number, row) for number, row in enumerate(thread)]
        events.sort(key=lambda event: event[:3])
        current: list[Row] = []
        deadline = as_of

        for moment, _, _, row in events:
            gap = gap_at(tenant, moment)
            if row is not None and gap is None:
                continue
            if current and moment >= deadline:
                found.append(_closed(tenant, point, account, current, deadline, "inactive"))
                current = []
            if row is None:
                if current:
                    found.append(_closed(tenant, point, account, current, moment, "resolved"))
                    current = []
                continue
            current.append(row)
            deadline = moment + (gap or timedelta())
        if current:
            end = (deadline, "inactive") if deadline <= as_of else (None, None)
            found.append(_closed(tenant, point, account, current, *end))
    return found


def _closed(tenant: str, point: str, account: str, current: list[Row], at: datetime | None, reason: str | None) -> tuple[Any, ...]:
    return (tenant, point, account, tuple(row["event_id"] for row in current), current[0]["occurred_at"], at, reason, waits(current))


def waits(messages: list[Row]) -> list[tuple[str, int | None]]:
    """Of each wait of the lead in a conversation: the message that begins it, and whole seconds to our answer (None: not answered)."""
    found: list[tuple[str, int | None]] = []
    begun: Row | None = None
    for row in messages:
        if row["direction"] == "inbound" and begun is None:
            begun = row
            found.append((row["event_id"], None))
        elif row["direction"] == "outbound" and row["author_type"] in ("ai", "human") and begun is not None:
            found[-1] = (begun["event_id"], (row["occurred_at"] - begun["occurred_at"]) // timedelta(seconds=1))
            begun = None
    return found


SILENT = {("whatsapp", "edit"), ("whatsapp", "revoke"), ("messenger", "edit"), ("instagram", "edit")}
"""What changes an earlier message, and opens no window."""

LENGTHS = {
    ("whatsapp", "service"): timedelta(hours=24),
    ("instagram", "service"): timedelta(hours=24),
    ("instagram", "human_agent"): timedelta(days=7),
    ("messenger", "service"): timedelta(hours=24),
    ("messenger", "human_agent"): timedelta(days=7),
}


def opens_window(inbound: Row) -> bool:
    """Whether this inbound message lets us write freely for a day."""
    return (inbound["channel"], "service") in LENGTHS and (inbound["channel"], inbound["message_type"]) not in SILENT


def windows(messages: list[Row], holders: Holders) -> list[tuple[Any, ...]]:
    """(tenant, point, account, kind, opened, expires) of each window."""
    found = []
    for (tenant, _, point, channel, account), thread in threads(messages, holders).items():
        for (of_channel, kind), length in LENGTHS.items():
            if of_channel != channel:
                continue
            opened = expires = None
            for row in thread:
                if row["direction"] == "outbound" or (channel, row["message_type"]) in SILENT:
                    continue
                if expires is None or row["occurred_at"] >= expires:
                    if opened:
                        found.append((tenant, point, account, kind, opened, expires))
                    opened = row["occurred_at"]
                expires = row["occurred_at"] + length
            if opened:
                found.append((tenant, point, account, kind, opened, expires))
    return found


def violations(messages: list[Row], statuses: list[Row], holders: Holders) -> dict[tuple[str, str], tuple[str, bool]]:
    """By message: the reason, and whether the provider said so."""
    refused = {(row["tenant_id"], row["message_id"]) for row in statuses if row["error_code"] == 131047}
    found = {}
    all_windows = windows(messages, holders)
    for row in messages:
        if row["direction"] == "inbound":
            continue
        key = (row["tenant_id"], row["message_id"])
        may = any(
            (tenant, point, account) == (row["tenant_id"], row["contact_point_id"], row["channel_account_id"])
            and opened <= row["occurred_at"] < expires
            and (kind == "service" or row["author_type"] == "human")
            for tenant, point, account, kind, opened, expires in all_windows
        )
        has_windows = any(channel == row["channel"] for channel, _ in LENGTHS)
        is_outside = has_windows and row["template_name"] is None and row["message_type"] != "template" and not may
        if is_outside or key in refused:
            found[key] = (
                "outside_window" if is_outside else "provider_error_131047",
                key in refused,
            )
    return found


def status(row: Row, statuses: list[Row]) -> str:
    """The highest delivery status of one message."""
    if row["direction"] == "inbound":
        return "received"
    told = {each["status"] for each in statuses}
    return next(
        (name for name in ("read", "failed", "delivered", "sent") if name in told),
        "accepted",
    )
