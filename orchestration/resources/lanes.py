"""Lanes in Postgres: which have something ready, and what each may still do.

Here belong reading `ops.lanes` beside the outbox, taking tokens and noting how tries went. Not here: whose turn it is (`core.lanes`). By
the database's own clock, like leases: providers count real seconds, whatever moment the platform speaks of.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from core.actions import Delivery, Outcome
from core.lanes import FAILURES, Lane, Rate, cool_off, is_answer, is_failure, spend
from core.tenancy_sending import RATES

if TYPE_CHECKING:
    from sqlalchemy import Connection

# One probe of the index for each lane, not one for each action: 50,000 that wait cost no more than one.
_READY = text(
    "with recursive lanes as ((select tenant_id, lane from ops.outbox where state = 'requested' order by tenant_id, lane limit 1) "
    "union all select later.tenant_id, later.lane from lanes cross join lateral (select tenant_id, lane from ops.outbox "
    "where state = 'requested' and (tenant_id, lane) > (lanes.tenant_id, lanes.lane) order by tenant_id, lane limit 1) as later) "
    "select lanes.tenant_id, lanes.lane, oldest.ready_at, (select body -> 'rates' from ops.reference where tenant_id = lanes.tenant_id "
    "and section = 'sending' and valid_from <= :now and (valid_to is null or :now < valid_to) limit 1), "
    "kept.served_at, kept.spent_until, kept.closed_until, coalesce(kept.failures, 0), clock_timestamp() "
    "from lanes cross join lateral (select ready_at from ops.outbox where state = 'requested' and tenant_id = lanes.tenant_id "
    "and lane = lanes.lane and ready_at <= :now order by ready_at limit 1) as oldest left join ops.lanes as kept using (tenant_id, lane)"
)
_MAKE = text(
    "insert into ops.lanes (tenant_id, lane, spent_until) values (:tenant_id, :lane, clock_timestamp()) "
    "on conflict (tenant_id, lane) do nothing"
)
_LOCK = text(
    "select served_at, spent_until, closed_until, failures, clock_timestamp() from ops.lanes "
    "where tenant_id = :tenant_id and lane = :lane for update"
)
_LOCK_FREE = text(f"{_LOCK.text} skip locked")
_TAKE = text(
    "update ops.lanes set served_at = :at, spent_until = :spent_until, closed_until = :closed_until "
    "where tenant_id = :tenant_id and lane = :lane"
)
_FAILURES = text("select failures from ops.lanes where tenant_id = :tenant_id and lane = :lane")
_NOTE = text(
    "update ops.lanes set failures = :failures, closed_until = case when cast(:closed as double precision) is null then null "
    "else clock_timestamp() + make_interval(secs => :closed) end, reason = :reason where tenant_id = :tenant_id and lane = :lane"
)
_DEFAULTS: dict[str, Rate] = {each.channel: Rate(each.per_second, each.burst) for each in RATES}


def lane_of(delivery: Delivery) -> str:
    """The lane's name, as the outbox generates it."""
    action = delivery.action
    return f"{action.channel}:{action.account_id or delivery.target or ''}"


def ready(connection: "Connection", now: datetime) -> tuple[list[Lane], datetime]:
    """Lanes with something ready to go at `now`, and the database's moment, by which they are judged."""
    rows: Sequence[Any] = connection.execute(_READY, {"now": now}).all()
    found = [Lane(row[0], row[1], row[2], _rate(row[1].partition(":")[0], row[3]), row[4], row[5], row[6], row[7]) for row in rows]
    return found, rows[0][8] if rows else now


def lock(connection: "Connection", lane: Lane) -> tuple[Lane, datetime] | None:
    """Hold the lane until the transaction ends: as it is now, and the database's moment; None while somebody else holds it.

    Nobody waits, so that who holds several lanes never waits for who holds them the other way round.
    """
    key = {"tenant_id": lane.tenant_id, "lane": lane.name}
    if lane.served_at is None:
        connection.execute(_MAKE, key)
    row: Any = connection.execute(_LOCK_FREE, key).one_or_none()
    if row is None:
        return None
    served_at, spent_until, closed_until, failures, at = row
    held = lane._replace(served_at=served_at, spent_until=spent_until, closed_until=closed_until, failures=failures)
    return held, at


def take(connection: "Connection", lane: Lane, count: int, at: datetime, lease: timedelta) -> None:
    """Spend tokens of a lane that is locked; one that is being tested lets nobody else by until the test's lease is over."""
    closed = at + lease if lane.failures >= FAILURES else None
    values = {"tenant_id": lane.tenant_id, "lane": lane.name, "at": at, "spent_until": spend(lane, count, at), "closed_until": closed}
    connection.execute(_TAKE, values)


def note(connection: "Connection", delivery: Delivery, outcome: Outcome) -> None:
    """How a try went: an answer resets the count of failures, more of them and a wish to wait close the lane for a while."""
    key = {"tenant_id": delivery.action.tenant_id, "lane": lane_of(delivery)}
    before = connection.execute(_FAILURES, key).scalar()
    is_news = is_failure(outcome) or outcome.wait_seconds is not None
    if not before and not is_news:
        return
    if before is None:
        connection.execute(_MAKE, key)
    now = connection.execute(_LOCK, key).one()[3]
    failures = now + 1 if is_failure(outcome) else 0 if is_answer(outcome) else now
    pause = cool_off(failures, lane_of(delivery)) if is_failure(outcome) else None  # a test that the gate kept back says nothing
    waits = [outcome.wait_seconds, pause.total_seconds() if pause else None]
    closed = max((each for each in waits if each is not None), default=None)
    connection.execute(_NOTE, key | {"failures": failures, "closed": closed, "reason": outcome.reason if closed else None})


def _rate(channel: str, told: list[dict[str, Any]] | None) -> Rate:
    own = next((Rate(each["per_second"], each["burst"]) for each in told or () if each["channel"] == channel), None)
    return own or _DEFAULTS.get(channel, Rate(10, 10))
