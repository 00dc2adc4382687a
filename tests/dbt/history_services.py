"""Random services of a tenant: heartbeats with gaps and failures around midnights, requests, errors; one without any heartbeat."""

import random
from datetime import UTC, datetime, timedelta

from tests.dbt.history_base import AS_OF, History

_MICRO = timedelta(microseconds=1)


def add_services(made: History, tenant: str, rng: random.Random) -> None:
    """All of one tenant."""
    _beat(made, tenant, "chat", AS_OF - timedelta(days=34, seconds=rng.randint(0, 86_400)), 260, 40_000, rng)
    _beat(made, tenant, "billing", datetime(2026, 4, 19, 23, 30, tzinfo=UTC), 60, 300, rng)
    for number in range(180):
        at = AS_OF - timedelta(seconds=rng.randint(0, 5 * 86_400))
        kind = rng.choice(("request", "request", "request", "error"))
        made.add(
            "service_events", tenant, f"answer_{number}", at, kind=kind, service=rng.choice(("chat", "search")),
            is_ok=kind == "request" and rng.random() < 0.9,
            latency_seconds=rng.choice((None, 0.0, 0.25, round(rng.expovariate(3), 4))),
        )  # fmt: skip


def _beat(made: History, tenant: str, service: str, at: datetime, count: int, longest: int, rng: random.Random) -> None:
    for number in range(count):
        key = f"b{rng.getrandbits(32):08x}:{service}:{number}"
        made.add("service_events", tenant, key, at, kind="heartbeat", service=service, is_ok=rng.random() < 0.95)
        pause = timedelta(seconds=300) + rng.choice((-_MICRO, timedelta(), _MICRO)) if rng.random() < 0.3 else None
        if number == count // 4:
            at += timedelta(seconds=longest * 6)  # for chat nearly three days
        at += pause or timedelta(microseconds=rng.randint(0, longest * 1_000_000))
