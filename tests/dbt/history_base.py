"""What random histories are made of: the rows, the calendar of the story, steps in time. Not here: what happens (`history_*`)."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.dbt.warehouse import lake_row

START = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
CHANGE = datetime(2026, 3, 20, tzinfo=UTC)
UNRULED = {"tenant_2": ("policies",), "tenant_3": ("scoring_weights",)}
"""Of which tables a tenant has nothing for a day and a half from `CHANGE` on: what happens then is judged by nothing."""
AS_OF = datetime(2026, 4, 20, 12, 0, tzinfo=UTC)
ZONES = ("Asia/Kolkata", "America/New_York", "Europe/Berlin", "UTC")
_MICRO = timedelta(microseconds=1)
_EXACT = tuple(
    timedelta(seconds=seconds)
    for seconds in (
        0,
        300,
        900,
        1800,
        3600,
        7200,
        86400,
        172800,
        259200,
        604800,
        79200,
        600,
        1209600,
    )
)


@dataclass
class History:
    """Rows by table, as the lake and the reference hold them; lake rows each once."""

    lake: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    reference: dict[str, list[Any]] = field(default_factory=dict)

    def add(
        self,
        table: str,
        tenant_id: str,
        event_id: str,
        occurred_at: datetime,
        **fields: Any,
    ) -> None:
        """One event."""
        self.lake.setdefault(table, []).append(lake_row(table, tenant_id, event_id, occurred_at, **fields))

    def refer(self, *rows: Any) -> None:
        """Reference rows."""
        for row in rows:
            self.reference.setdefault(row.table, []).append(row)

    def known(self, table: str, as_of: datetime) -> list[dict[str, Any]]:
        """What had happened by then."""
        return [row for row in self.lake.get(table, []) if row["occurred_at"] <= as_of]


def step(rng: random.Random) -> timedelta:
    chance = rng.random()
    if chance < 0.35:
        return timedelta(seconds=rng.randint(0, 900))
    if chance < 0.6:
        return timedelta(microseconds=rng.randint(0, 6 * 3600 * 10**6))
    if chance < 0.75:
        return timedelta(seconds=rng.randint(3600, 5 * 86400))
    return max(
        rng.choice(_EXACT) + rng.choice((-_MICRO, timedelta(), timedelta(), _MICRO)),
        timedelta(),
    )
