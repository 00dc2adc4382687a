"""Random bookings of a tenant: chains of reschedules of which halves never arrive, cancellations, no-shows marked and unmarked; news."""

import random
from datetime import datetime, timedelta
from typing import Any

from tests.dbt.history_base import START, History, step

_HALF_HOUR = timedelta(minutes=30)


def add_bookings(made: History, tenant: str, rng: random.Random) -> None:
    """All of one tenant, and some news of its accounts."""
    for number in range(40):
        _chain(made, tenant, f"{number}", START + timedelta(seconds=rng.randint(0, 45 * 86400)), rng)
    for number in range(10):
        made.add(
            "account_events", tenant, f"news_{number}", START + step(rng), kind="phone_number_quality_update", subject="15550001111",
            state=rng.choice(("GREEN", "RED")),
        )  # fmt: skip


def _chain(made: History, tenant: str, name: str, at: datetime, rng: random.Random) -> None:
    point = f"cp_{tenant}_lead_{rng.randrange(12)}_a" if rng.random() < 0.8 else f"cp_{tenant}_guest_{name}"
    ids = [f"b{rng.getrandbits(32):08x}_{name}_{n}" for n in range(rng.choices((1, 2, 3, 9), (60, 20, 10, 4))[0])]

    def tell(kind: str, own: str, moment: datetime, **more: Any) -> None:
        shown = {"starts_at": starts_at, "ends_at": starts_at + _HALF_HOUR, "contact_point_id": point} | more
        made.add(
            "appointments", tenant, f"{kind}:{own}:{more.get('no_show_id', '')}:{moment}", moment, kind=kind, appointment_id=own, **shown
        )

    for place, own in enumerate(ids):
        starts_at = at + timedelta(hours=rng.randint(1, 900))
        before = ids[place - 1] if place else None
        if place == 0 or rng.random() < 0.7:  # the other half tells it too
            tell("rescheduled_from" if before else "booked", own, at, old_appointment_id=before, utm_lead_id=rng.choice((None, "lead_x")))
        if before and (
            rng.random() < 0.7 or not any(row["event_id"].startswith(f"rescheduled_from:{own}:") for row in made.lake["appointments"])
        ):
            tell("rescheduled_to", before, at, new_appointment_id=own)
        at += step(rng)
    chance = rng.random()
    if chance < 0.25:
        tell("cancelled", ids[-1], at, cancelled_by=rng.choice((None, "host", "invitee")))
    for mark in range(rng.choice((0, 0, 0, 1, 1, 2))):
        tell("no_show_marked", ids[-1], at + timedelta(hours=mark), no_show_id=f"mark_{mark}")
        if rng.random() < 0.5:
            moment = at + timedelta(hours=mark) + rng.choice((-timedelta(seconds=1), timedelta(), timedelta(seconds=1)))
            tell("no_show_cleared", ids[-1], moment, no_show_id=rng.choice((None, f"mark_{mark}")))
    if rng.random() < 0.2:
        tell("form_submitted", ids[-1], at, contact_point_id=None, starts_at=None, ends_at=None)
