"""Lanes: whose turn it is to send. A lane is one way out of one tenant, a channel and the account or destination that it goes through.

Here belong the token bucket, the circuit breaker and fairness, as arithmetic on moments. Not here: where a lane's state is kept (the
outbox), what is sent.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from core.actions import Outcome, key_of


class Rate(NamedTuple):
    """`per_second` in the long run, `burst` at once."""

    per_second: float
    burst: int

    @property
    def step(self) -> timedelta:
        """How long one token takes to come back."""
        return timedelta(seconds=1 / self.per_second)

    @property
    def slack(self) -> timedelta:
        """How far ahead of its pace a lane may be."""
        return self.step * (self.burst - 1)


class Lane(NamedTuple):
    """A lane with something ready to go; `oldest_at` since when.

    `spent_until`: when its bucket will be full again; `closed_until`: told to wait, or too much failed in a row; `failures` of these.
    """

    tenant_id: str
    name: str
    oldest_at: datetime
    rate: Rate
    served_at: datetime | None = None
    spent_until: datetime | None = None
    closed_until: datetime | None = None
    failures: int = 0


def free_at(lane: Lane, now: datetime) -> datetime:
    """When the lane may take the next token, now or later."""
    paced = now if lane.spent_until is None else lane.spent_until - lane.rate.slack
    return max(now, paced, lane.closed_until or now)


def in_turn(lanes: Iterable[Lane], now: datetime) -> list[Lane]:
    """The lanes that may go now, in fair order: the tenant that was served longest ago first, and of its lanes the one likewise.

    Who was never served comes before who was, and among equals the one with the oldest action. So a tenant with one action waits for at
    most one of each other tenant's, however many those have.
    """
    ready = list(lanes)
    served: dict[str, datetime] = {}
    for each in ready:
        if each.served_at is not None:
            served[each.tenant_id] = max(each.served_at, served.get(each.tenant_id, each.served_at))

    def turn(lane: Lane) -> tuple[bool, datetime, bool, datetime, datetime, str, str]:
        tenant_at, lane_at = served.get(lane.tenant_id), lane.served_at
        name = (lane.oldest_at, lane.tenant_id, lane.name)
        return (tenant_at is not None, tenant_at or now, lane_at is not None, lane_at or now, *name)

    return sorted((each for each in ready if free_at(each, now) <= now), key=turn)


def next_free(lanes: Sequence[Lane], now: datetime) -> timedelta | None:
    """How long until the first of them may go; None where there is none."""
    return min((free_at(each, now) - now for each in lanes), default=None)


FAILURES = 5
"""So many in a row open the breaker: what is down gets no more than this many actions into doubt."""

COOL_OFF = timedelta(seconds=30)
LONGEST_COOL_OFF = timedelta(minutes=15)
SERVER_ERROR = 500
TOO_MANY_REQUESTS = 429


def is_failure(outcome: Outcome) -> bool:
    """Whether a try says something bad of the other side: not reached, no answer, told to wait, a server's error."""
    if outcome.status_code is None:
        return outcome.state in {"requested", "unknown"} and outcome.request_sha256 is not None
    return outcome.status_code >= SERVER_ERROR or outcome.status_code == TOO_MANY_REQUESTS


def is_answer(outcome: Outcome) -> bool:
    """Whether the other side is there and works."""
    return outcome.status_code is not None and not is_failure(outcome)


def cool_off(failures: int, key: str = "") -> timedelta | None:
    """How long a lane stays closed after so many failures in a row: from the 5th on 30 s, 1, 2 … 15 minutes, and up to a quarter more.

    When it is over one action goes as a test; a success resets the count, another failure closes the lane for longer.

    >>> [str(cool_off(n)) for n in (4, 5, 6, 7, 20)]
    ['None', '0:00:30', '0:01:00', '0:02:00', '0:15:00']
    """
    if failures < FAILURES:
        return None
    share = int(key_of(key, str(failures))[:8], 16) / 0xFFFFFFFF if key else 0.0
    return min(COOL_OFF * (1 << min(failures - FAILURES, 10)), LONGEST_COOL_OFF) * (1 + 0.25 * share)


def tokens(lane: Lane, now: datetime) -> int:
    """How many may go at this moment."""
    if free_at(lane, now) > now:
        return 0
    if lane.failures >= FAILURES:
        return 1  # a test of whether the other side is back
    return 1 + int((now + lane.rate.slack - max(lane.spent_until or now, now)) / lane.rate.step)


def spend(lane: Lane, count: int, now: datetime) -> datetime:
    """When the bucket will be full again after `count` more."""
    return max(lane.spent_until or now, now) + lane.rate.step * count
