"""The outbox in Postgres: every wanted effect once, and what became of it.

Here belong the state changes of `ops.outbox` and its attempts. Not here: whether an action may be sent (`core.actions`), sending it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import text

from core.actions import Action, Delivery, Outcome, Standing, retry_at
from orchestration.resources.state import State

LEASE = timedelta(minutes=2)
"""How long a worker may hold an action: a try of 5 s to connect, 15 s to write and twice 15 s to read takes 50 s at the worst.

Leases run by the database's own clock, whatever moment the platform speaks of (`--as-of`)."""

_ACTION = ", ".join(field if field != "details" else "details::text as details" for field in Action._fields)
_INSERT = text(
    f"insert into ops.outbox ({', '.join(Action._fields)}, state, requested_at, updated_at) values "
    f"({', '.join(f':{field}' if field != 'details' else 'cast(:details as jsonb)' for field in Action._fields)}, "
    "'requested', :now, :now) on conflict (action_id) do nothing"
)
# A lease that ran out means that a worker died between claim and record: the send may have happened, so it is not tried again.
_ABANDONED = text(
    "with lost as materialized (select action_id from ops.outbox where state = 'claimed' and lease_until <= clock_timestamp() "
    "for update skip locked), told as (update ops.outbox o set state = 'unknown', reason = :reason, updated_at = :now, "
    "lease_owner = null, lease_until = null, fence = fence + 1 from lost where o.action_id = lost.action_id "
    "returning o.action_id, o.attempts) update ops.delivery_attempts a set finished_at = :now, outcome = 'unknown', detail = :reason "
    "from told where a.action_id = told.action_id and a.attempt = told.attempts"
)
# materialized: as a plain subquery it may be planned to run once a row, and then takes more than the limit
_CLAIM = text(
    "with free as materialized (select action_id from ops.outbox where state = 'requested' and due_at <= :now "
    "and (next_try_at is null or next_try_at <= :now) order by due_at, action_id limit :limit for update skip locked), "
    "claimed as (update ops.outbox o set state = 'claimed', "
    "lease_owner = :worker, lease_until = clock_timestamp() + :lease, fence = fence + 1, attempts = attempts + 1, updated_at = :now "
    "from free where o.action_id = free.action_id returning o.*), noted as (insert into ops.delivery_attempts "
    "(action_id, attempt, tenant_id, started_at) select action_id, attempts, tenant_id, :now from claimed) "
    f"select {_ACTION}, attempts, fence from claimed order by due_at, action_id"
)
_SETTLE = text(
    "update ops.outbox set state = :state, reason = :reason, updated_at = :now, lease_owner = null, "
    "lease_until = null, next_try_at = :next_try_at where action_id = :action_id and fence = :fence and state = 'claimed'"
)
_FINISH = text(
    "update ops.delivery_attempts set finished_at = :now, outcome = :state, status_code = :status_code, "
    "request_sha256 = :request_sha256, response_sha256 = :response_sha256, detail = :reason "
    "where action_id = :action_id and attempt = :attempt"
)
# Aggregates: whatever the marts hold, there is one answer, and the careful one. The lead is that of the newest request: since the action
# was put in the outbox, its lead may have turned out to be part of another, who may have opted out.
_STANDING = text(
    "with asked as (select min(expires_at) as until, coalesce(min(lead_id), :lead_id) as lead_id from serving.act_requests "
    "where tenant_id = :tenant_id and action_id = :action_id), "
    # a verdict on an experiment is wanted until the next one
    "switched as (select from ops.experiment_verdicts as v where tenant_id = :tenant_id and action_id = :action_id and not exists "
    "(select from ops.experiment_verdicts where tenant_id = v.tenant_id and experiment_id = v.experiment_id and number > v.number)), "
    # what the clock says of a person's request, as long as that is open
    "clocked as (select from ops.privacy_requests where cast(:rule as text) = 'privacy_clock' and tenant_id = :tenant_id "
    "and request_id = :subject and closed_at is null) "
    "select wanted.until is not null or exists (select from switched) or exists (select from clocked), lead.is_opted_out, lead.is_erased, "
    "exists (select from serving.dim_contact_points where tenant_id = :tenant_id and lead_id = wanted.lead_id "
    "and contact_point_id = :point_id and valid_to_at is null), wanted.until "
    "from asked as wanted, lateral (select coalesce(bool_or(is_opted_out), false) as is_opted_out, "
    "coalesce(bool_or(is_erased), false) as is_erased "
    "from serving.dim_leads where tenant_id = :tenant_id and lead_id = wanted.lead_id) as lead"
)


class PostgresOutbox:
    """The tables `ops.outbox` and `ops.delivery_attempts`, and the published marts that they are judged by."""

    def __init__(self, state: State, lease: timedelta = LEASE) -> None:
        """Take the state, and the lease: longer than any try takes."""
        self._state = state
        self._lease = lease

    def published(self, rule: str, as_of: datetime) -> Sequence[Action]:
        """Published requests of a rule that are due."""
        query = text(f"select {_ACTION} from serving.act_requests where rule = :rule and due_at <= :as_of")
        with self._state.begin() as connection:
            if connection.execute(text("select to_regclass('serving.act_requests')")).scalar() is None:
                return []
            return [Action._make(row) for row in connection.execute(query, {"rule": rule, "as_of": as_of})]

    def known(self, rule: str) -> set[str]:
        """Ids of the rule's actions that are in the outbox, whatever became of them."""
        with self._state.begin() as connection:
            return set(connection.execute(text("select action_id from ops.outbox where rule = :rule"), {"rule": rule}).scalars())

    def add(self, actions: Sequence[Action], now: datetime) -> int:
        """Put them in once each, by their id; returns how many were new."""
        if not actions:
            return 0
        rows = [{**each._asdict(), "now": now} for each in sorted(actions)]  # in one order, so that two who add do not wait in a circle
        with self._state.begin() as connection:
            return int(connection.execute(_INSERT, rows).rowcount)

    def claim(self, worker: str, now: datetime, limit: int) -> Sequence[Delivery]:
        """Lease due actions, oldest first, and note the attempt; no two workers get the same.

        Whatever is claimed when its worker dies becomes `unknown` once the lease has run out, so claim only what is tried at once.
        """
        with self._state.begin() as connection:
            connection.execute(_ABANDONED, {"now": now, "reason": "the worker died during the try"})
            rows = connection.execute(_CLAIM, {"worker": worker, "now": now, "lease": self._lease, "limit": limit}).all()
        return [Delivery(Action._make(row[:-2]), row[-2], row[-1]) for row in rows]

    def standing(self, delivery: Delivery) -> Standing:
        """What the newest published marts say of the request, the lead and the point."""
        with self._state.begin() as connection:
            return Standing._make(connection.execute(_STANDING, delivery.action._asdict()).one())

    def settle(self, delivery: Delivery, outcome: Outcome, now: datetime) -> bool:
        """Record what became of it; False if the lease was lost and nothing was recorded."""
        values = {
            **outcome._replace(provider_id=None)._asdict(),
            "action_id": delivery.action.action_id,
            "fence": delivery.fence,
            "attempt": delivery.attempt,
            "now": now,
            "next_try_at": retry_at(delivery.attempt, now) if outcome.state == "requested" else None,
        }
        with self._state.begin() as connection:
            if connection.execute(_SETTLE, values).rowcount == 0:
                return False
            connection.execute(_FINISH, values)
        return True

    def counts(self) -> Mapping[tuple[str, str, str], int]:
        """How many actions there are by (tenant, rule, state)."""
        query = text("select tenant_id, rule, state, count(*) from ops.outbox group by 1, 2, 3 order by 1, 2, 3")
        with self._state.begin() as connection:
            return {(row[0], row[1], row[2]): row[3] for row in connection.execute(query)}
