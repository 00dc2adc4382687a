"""Recovery by walking each lead's messages in time."""

from collections.abc import Callable
from typing import Any

from tests.oracles.common import SECOND, Holders, Row, by_lead, in_order, valid


def recovery(
    messages: list[Row],
    lead_events: list[Row],
    contact_events: list[Row],
    privacy_requests: list[Row],
    holders: Holders,
    reference: dict[str, list[Any]],
    now_held: Callable[[str, str], list[str]],
) -> set[tuple[Any, ...]]:
    """(tenant, lead, attempt, trigger, due, expires, point) of each lead that owes us an answer."""
    done = set(by_lead([row for row in lead_events if row["kind"] in ("won", "lost")], holders))
    done |= set(by_lead(privacy_requests, holders))
    for key, rows in by_lead(contact_events, holders).items():
        words = sorted(
            (row["occurred_at"], row["kind"] != "opted_in") for row in rows if row["kind"] in ("opted_in", "opted_out", "blocked")
        )
        if words and words[-1][1]:
            done.add(key)
    found = set()
    for (tenant, lead), thread in by_lead(in_order(messages), holders).items():
        attempts, has_written = 0, False
        for row in thread:
            if row["direction"] == "inbound":
                attempts, has_written = 0, True
            elif row["author_type"] == "automation" and row["action_id"] and row["template_name"]:
                attempts += 1
        last = thread[-1]
        at = last["occurred_at"]
        step = valid(reference["recovery_steps"], tenant, at, attempt=attempts + 1)
        if last["direction"] == "inbound" or not has_written or (tenant, lead) in done or step is None:
            continue
        points = now_held(tenant, lead)
        point = last["contact_point_id"] if last["contact_point_id"] in points else points[0]
        policy = valid(reference["policies"], tenant, at)
        if policy is None:
            continue
        due_at = at + step.wait_seconds * SECOND
        expires_at = due_at + policy.recovery_expires_seconds * SECOND
        found.add((tenant, lead, attempts + 1, last["event_id"], due_at, expires_at, point))
    return found
