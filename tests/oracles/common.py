"""What the oracles share: dated rows by their moment, and the order of events. Not here: any rule."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

Row = dict[str, Any]
SECOND = timedelta(seconds=1)


def valid(rows: Iterable[Any], tenant_id: str, moment: datetime, **equal: Any) -> Any | None:
    """The one reference row that is valid at the moment, by walking all."""
    for row in rows:
        if row.tenant_id != tenant_id or any(getattr(row, name) != value for name, value in equal.items()):
            continue
        if row.valid_from <= moment and (row.valid_to is None or moment < row.valid_to):
            return row
    return None


def all_valid(rows: Iterable[Any], tenant_id: str, moment: datetime) -> list[Any]:
    """Every reference row that is valid at the moment."""
    own = [row for row in rows if row.tenant_id == tenant_id and row.valid_from <= moment]
    return [row for row in own if row.valid_to is None or moment < row.valid_to]


def gap_of(policies: Iterable[Any]) -> Callable[[str, datetime], timedelta | None]:
    """A tenant's conversation gap at a moment; none where no policy was valid."""

    def gap(tenant: str, moment: datetime) -> timedelta | None:
        policy = valid(policies, tenant, moment)
        return policy.conversation_gap_seconds * SECOND if policy else None

    return gap


class Holders:
    """Which lead held a point."""

    def __init__(self, lead_points: Iterable[Any]) -> None:
        self._rows: dict[tuple[str, str], list[Any]] = {}
        for row in lead_points:
            self._rows.setdefault((row.tenant_id, row.point_id), []).append(row)

    def lead(self, row: Row) -> str | None:
        """The lead of an event at its time."""
        found = valid(
            self._rows.get((row["tenant_id"], row["contact_point_id"]), ()),
            row["tenant_id"],
            row["occurred_at"],
        )
        return found.lead_id if found else None


def in_order(messages: Iterable[Row]) -> list[Row]:
    """By time; at one instant the lead's messages come before ours, then by event id."""
    return sorted(
        messages,
        key=lambda row: (
            row["occurred_at"],
            row["direction"] == "outbound",
            row["event_id"],
        ),
    )


def by_lead(events: Iterable[Row], holders: Holders) -> dict[tuple[str, str], list[Row]]:
    """Events of each lead, in the order given."""
    found: dict[tuple[str, str], list[Row]] = {}
    for event in events:
        lead = holders.lead(event)
        if lead is not None:
            found.setdefault((event["tenant_id"], lead), []).append(event)
    return found
