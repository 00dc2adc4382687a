"""What the operating system's own feed tells and small simulations do not: experiments, requests of people about their data, messages for later.

Here belong lines of an inbox with it. Not here: what must become of them.
"""

import random
from collections import Counter
from datetime import datetime, timedelta

import msgspec

from core.sources.platform import Contact, ExperimentExposed, ExperimentObserved, MessageScheduled, PlatformEvent, PrivacyRequested
from orchestration.simulator.business import Business
from orchestration.simulator.wire import platform_wire

PEOPLE = 4
LATE = timedelta(days=2)


def told(business: Business, seed: int, end: datetime) -> tuple[list[bytes], Counter[str]]:
    """Lines of one tenant, some of them late, and how many events they are by table."""
    rng = random.Random(f"{seed} {business.id}")
    lines, tables = [], Counter[str]()
    for number in range(PEOPLE):
        person = Contact("phone", f"+9199886{number:05d}")
        at = end - timedelta(days=5) + timedelta(minutes=7 * number)
        for table, event in _of(business, person, number, at):
            received_at = at + timedelta(seconds=1) + rng.choice((timedelta(), LATE)) * rng.random()
            raw = msgspec.json.encode(event).decode()
            lines.append(platform_wire(raw, business.secrets["platform"], rng).line(received_at))
            tables[table] += 1
    return lines, tables


def _of(business: Business, person: Contact, number: int, at: datetime) -> list[tuple[str, PlatformEvent]]:
    """Of one person everything, told in the order in which it happened."""

    def head(name: str, hours: int) -> dict[str, object]:
        return {
            "id": f"rest_{name}_{number}", "account_id": business.workspace, "occurred_at": at + timedelta(hours=hours), "contact": person,
        }  # fmt: skip

    later = {"schedule_id": f"s{number}", "channel": "whatsapp", "send_at": at + timedelta(days=1), "text": f"See you, friend {number}"}
    asked = ("access", "erasure", "rectification")[number % 3]
    events: list[tuple[str, PlatformEvent]] = [
        ("experiment_events", ExperimentExposed(**head("met", 0), experiment_id="greeting", variant=("plain", "warm")[number % 2])),
        ("experiment_events", ExperimentObserved(**head("did", 1), experiment_id="greeting", metric="booked", value=float(number))),
        ("scheduled_messages", MessageScheduled(**head("later", 2), kind="scheduled", **later)),
        ("privacy_requests", PrivacyRequested(**head("asked", 4), kind=asked)),
    ]
    if number % 2:
        events.append(("scheduled_messages", MessageScheduled(**head("never", 3), kind="cancelled", **later)))
    return events
