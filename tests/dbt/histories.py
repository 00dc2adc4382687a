"""Random histories of leads, payments and uses over several tenants: the same seed gives the same rows.

Many instants lie exactly on a limit. Not here: what should follow (`tests.oracles`).
"""

import random
from datetime import timedelta
from typing import Any

from tests.dbt.history_base import AS_OF, ZONES, History
from tests.dbt.history_bookings import add_bookings
from tests.dbt.history_delivery import add_delivery
from tests.dbt.history_experiments import add_experiments
from tests.dbt.history_leads import add_lead, add_silent_leads
from tests.dbt.history_reference import add_reference
from tests.dbt.history_schedules import add_schedules
from tests.dbt.history_services import add_services
from tests.dbt.history_signals import add_signals
from tests.dbt.history_tokens import add_tokens

__all__ = ["AS_OF", "History", "history", "told"]


def history(seed: int, leads: int) -> History:
    """All tenants, each with so many leads."""
    made = History()
    for number, zone in enumerate(ZONES):
        tenant = f"tenant_{number}"
        rng = random.Random(f"{seed}:{tenant}")
        add_reference(made, tenant, zone, rng)
        for lead in range(leads):
            add_lead(made, tenant, f"{tenant}_lead_{lead}", rng)
        add_silent_leads(made, tenant)
        add_tokens(made, tenant, rng)
        add_bookings(made, tenant, rng)
        add_experiments(made, tenant, rng)
        add_schedules(made, tenant, rng)
        add_services(made, tenant, rng)
        add_delivery(made, tenant, rng)
        add_signals(made, tenant, random.Random(f"signals:{seed}:{tenant}"))
    return made


def told(made: History, seed: int) -> dict[str, list[Any]]:
    """As the platform receives it: some events twice, later, in another segment; in no order."""
    rng = random.Random(f"told:{seed}")
    rows: dict[str, list[Any]] = {name: list(kept) for name, kept in made.reference.items()}
    for table, events in made.lake.items():
        copies = [
            row
            | {
                "received_at": row["received_at"] + timedelta(seconds=rng.randint(1, 9)),
                "segment_id": "later",
                "body_hash": "later",
            }
            for row in events
            if rng.random() < 0.15
        ]
        rows[table] = events + copies
        rng.shuffle(rows[table])
    return rows
