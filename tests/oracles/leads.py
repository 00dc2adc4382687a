"""Leaks by walking each lead's events in time."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from tests.oracles.common import SECOND, Holders, Row, by_lead, in_order, valid
from tests.oracles.conversations import opens_window

Leak = tuple[str, str, str, str, datetime, datetime | None, str | None]
"""Tenant, lead, kind, trigger, since, closed, reason."""


def due(intervals: Iterable[Any], since: datetime, seconds: int) -> datetime | None:
    """When so many open seconds have passed, by eating up one interval after another."""
    left = seconds * SECOND
    for row in intervals:
        begin = max(row.opened_at, since)
        if begin >= row.closed_at:
            continue
        if row.closed_at - begin >= left:
            return begin + left
        left -= row.closed_at - begin
    return None


def closers(
    messages: list[Row],
    lead_events: list[Row],
    contact_events: list[Row],
    holders: Holders,
) -> dict[tuple[str, str], list[Row]]:
    """All that may end a lead's waiting or our own, of each lead."""
    rows = [row | {"closes": "outbound"} for row in messages if row["direction"] == "outbound"]
    rows += [row | {"closes": row["kind"]} for row in lead_events]
    rows += [row | {"closes": "opted_out"} for row in contact_events if row["kind"] in ("opted_out", "blocked")]
    return by_lead(rows, holders)


ENDS = ("won", "lost", "opted_out")


def waiting_leaks(
    messages: list[Row],
    closing: dict[tuple[str, str], list[Row]],
    holders: Holders,
    reference: dict[str, list[Any]],
    as_of: datetime,
) -> list[Leak]:
    """Leaks `no_reply` and `window_closing`."""
    found: list[Leak] = []
    for (tenant, lead), thread in by_lead(in_order(messages), holders).items():
        ends = sorted(
            (
                row["occurred_at"],
                "replied" if row["closes"] == "outbound" else row["closes"],
            )
            for row in closing.get((tenant, lead), [])
            if row["closes"] in ("outbound", "resolved", *ENDS)
        )
        waiting_since: datetime | None = None
        for row in thread:
            if row["direction"] == "outbound":
                continue
            at = row["occurred_at"]
            policy = valid(reference["policies"], tenant, at)
            end = next((each for each in ends if each[0] >= at), None)
            # A new run begins where something ended the waiting since the last run began.
            if waiting_since is None or any(waiting_since <= moment < at for moment, _ in ends):
                waiting_since = at
                calendar = [each for each in reference["business_intervals"] if (each.tenant_id, each.calendar_id) == (tenant, "office")]
                found += _leak(
                    tenant,
                    lead,
                    "no_reply",
                    row,
                    due(calendar, at, policy.no_reply_business_seconds) if policy else None,
                    end,
                    as_of,
                )
            if not opens_window(row) or policy is None:
                continue
            following = next(
                (
                    other["occurred_at"]
                    for other in thread[thread.index(row) + 1 :]
                    if other["direction"] == "inbound"
                    and opens_window(other)
                    and all(
                        other[name] == row[name]
                        for name in (
                            "contact_point_id",
                            "channel",
                            "channel_account_id",
                        )
                    )
                ),
                None,
            )
            expires = at + timedelta(hours=24)
            ways = [end] if end else []
            if following:
                ways.append((following, " window_renewed"))  # the blank: at one instant the renewal counts first
            if expires <= as_of:
                ways.append((expires, "  window_expired"))  # and the expiry before that
            first = min(ways, default=None)
            since = expires - policy.window_closing_seconds * SECOND
            found += _leak(
                tenant,
                lead,
                "window_closing",
                row,
                since,
                first and (first[0], first[1].strip()),
                as_of,
            )
    return found


def working_leaks(
    closing: dict[tuple[str, str], list[Row]],
    qualified: list[tuple[str, str, str, datetime]],
    reference: dict[str, list[Any]],
    as_of: datetime,
) -> list[Leak]:
    """Leaks `assigned_idle` and `no_next_step`; `qualified` has tenant, lead, last turn and end."""
    found: list[Leak] = []
    for (tenant, lead), rows in closing.items():
        for row in rows:
            if row["closes"] != "assigned":
                continue
            at = row["occurred_at"]
            ends = []
            for other in rows:
                if (other["occurred_at"], 0) < (at, 0):
                    continue
                reason = _work(other) or (other["closes"] if other["closes"] in ("unassigned", *ENDS) else None)
                if other["closes"] == "assigned" and (
                    other["occurred_at"],
                    other["event_id"],
                ) > (at, row["event_id"]):
                    reason = "reassigned"
                if reason:
                    ends.append((other["occurred_at"], reason))
            policy = valid(reference["policies"], tenant, at)
            calendar = [each for each in reference["business_intervals"] if (each.tenant_id, each.calendar_id) == (tenant, "office")]
            limit = due(calendar, at, policy.assigned_idle_business_seconds) if policy else None
            found += _leak(
                tenant,
                lead,
                "assigned_idle",
                row,
                limit,
                min(ends, default=None),
                as_of,
            )
    for tenant, lead, event_id, at in qualified:
        ends = []
        for other in closing.get((tenant, lead), []):
            reason = _work(other) or (other["closes"] if other["closes"] in ("next_step_set", "assigned", *ENDS) else None)
            if reason and other["occurred_at"] >= at:
                ends.append((other["occurred_at"], reason))
        policy = valid(reference["policies"], tenant, at)
        limit = at + policy.next_step_seconds * SECOND if policy else None
        found += _leak(
            tenant,
            lead,
            "no_next_step",
            {"event_id": event_id},
            limit,
            min(ends, default=None),
            as_of,
        )
    return found


def _work(row: Row) -> str | None:
    if row["closes"] == "outbound":
        return "human_replied" if row["author_type"] == "human" else None
    return "human_action" if row["closes"] == "human_action" else None


def hot_leaks(
    tiers: dict[tuple[str, str], list[tuple[datetime, str, str]]],
    lead_events: list[Row],
    contact_events: list[Row],
    holders: Holders,
    reference: dict[str, list[Any]],
    as_of: datetime,
) -> list[Leak]:
    """Leaks `hot_unassigned`; `tiers` has, of each lead, the moment, the tier and the event of each computed score."""
    rows = by_lead(
        lead_events + [row for row in contact_events if row["kind"] in ("opted_in", "opted_out", "blocked")],
        holders,
    )
    found: list[Leak] = []
    for (tenant, lead), scores in tiers.items():
        events: list[tuple[datetime, int, str, str, str | None]] = []
        overridden = min(
            (row["occurred_at"] for row in rows.get((tenant, lead), []) if row["kind"] == "tier_overridden"),
            default=None,
        )
        events += [(at, 0, "tier_left_hot", event_id, tier) for at, tier, event_id in scores if overridden is None or at < overridden]
        last_override: dict[datetime, Row] = {}
        for row in rows.get((tenant, lead), []):
            kind = "opted_out" if row["kind"] == "blocked" else row["kind"]
            if kind == "tier_overridden":
                known = last_override.get(row["occurred_at"])
                if known is None or known["event_id"] < row["event_id"]:
                    last_override[row["occurred_at"]] = row
            else:
                events.append((row["occurred_at"], 1, kind, row["event_id"], None))
        events += [(at, 0, "tier_left_hot", row["event_id"], row["tier"]) for at, row in last_override.items()]
        is_hot = is_assigned = is_done = is_out = False
        start: tuple[datetime, str] | None = None
        for at, _, kind, event_id, tier in sorted(events, key=lambda event: event[:4]):
            is_hot = tier == "HOT" if kind == "tier_left_hot" else is_hot
            is_assigned = kind == "assigned" if kind in ("assigned", "unassigned") else is_assigned
            is_done = is_done or kind in ("won", "lost")
            is_out = kind == "opted_out" if kind in ("opted_out", "opted_in") else is_out
            is_open = is_hot and not is_assigned and not is_done and not is_out
            if is_open and start is None:
                start = (at, event_id)
            if not is_open and start is not None:
                found += _hot(tenant, lead, start, (at, kind), reference, as_of)
                start = None
        if start is not None:
            found += _hot(tenant, lead, start, None, reference, as_of)
    return found


def _hot(
    tenant: str,
    lead: str,
    start: tuple[datetime, str],
    end: Any,
    reference: dict[str, list[Any]],
    as_of: datetime,
) -> list[Leak]:
    policy = valid(reference["policies"], tenant, start[0])
    limit = start[0] + policy.hot_unassigned_seconds * SECOND if policy else None
    return _leak(tenant, lead, "hot_unassigned", {"event_id": start[1]}, limit, end, as_of)


def _leak(
    tenant: str,
    lead: str,
    kind: str,
    row: Row,
    since: datetime | None,
    end: tuple[datetime, str] | None,
    as_of: datetime,
) -> list[Leak]:
    if since is None or since > as_of or (end and end[0] <= since):
        return []
    return [(tenant, lead, kind, row["event_id"], since, *(end or (None, None)))]
