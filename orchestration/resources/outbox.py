"""The outbox in Postgres: every wanted effect once, and what became of it.

Here belong the state changes of `ops.outbox` and its attempts. Not here: whether an action may be sent (`core.gate`) and by which facts
(`standing`), whose turn it is (`core.lanes`, `lanes`), sending it.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, text

from core.actions import REPEATABLE, Action, Delivery, Outcome, Way, key_of, retry_at
from core.gate import Standing
from core.lanes import Lane, in_turn, next_free, tokens
from orchestration.resources import lanes
from orchestration.resources.standing import standing_of
from orchestration.resources.state import State

if TYPE_CHECKING:
    from sqlalchemy import Connection

LEASE = timedelta(minutes=2)
"""How long a worker may hold an action: a try of 5 s to connect, 15 s to write and twice 15 s to read takes 50 s at the worst.

Leases run by the database's own clock, whatever moment the platform speaks of (`--as-of`)."""

_ACTION = ", ".join(field if field != "details" else "details::text as details" for field in Action._fields)
_INSERT = text(
    f"insert into ops.outbox ({', '.join(Action._fields)}, state, requested_at, updated_at) values "
    f"({', '.join(f':{field}' if field != 'details' else 'cast(:details as jsonb)' for field in Action._fields)}, "
    "'requested', :now, :now) on conflict (action_id) do nothing"
)
# A lease that ran out means that a worker died between claim and record: the send may have happened, so it is tried again only where the
# other side knows a repeat by its key.
_ABANDONED = text(
    "with lost as materialized (select action_id from ops.outbox where state = 'claimed' and lease_until <= clock_timestamp() "
    "for update skip locked), told as (update ops.outbox o set state = case when o.channel in :repeatable then 'requested' "
    "else 'unknown' end, reason = :reason, updated_at = :now, lease_owner = null, lease_until = null, fence = fence + 1 from lost "
    "where o.action_id = lost.action_id returning o.action_id, o.attempts, o.state) update ops.delivery_attempts a set finished_at = :now, "
    "outcome = told.state, detail = :reason from told where a.action_id = told.action_id and a.attempt = told.attempts"
).bindparams(bindparam("repeatable", sorted(REPEATABLE), expanding=True), reason="the worker died during the try")
# A receipt of what waits for its first or next try: an outbox that was restored from a backup, or a send that came through after all.
_RECEIVED = text(
    "with told as (update ops.outbox o set state = case r.status when 'failed' then 'rejected' else 'sent' end, updated_at = :now, "
    "reason = case r.status when 'failed' then 'the vendor reported a failure' else 'a receipt shows that it was sent' end "
    "from serving.act_receipts r where o.tenant_id = r.tenant_id and o.action_id = r.action_id and (o.state = 'unknown' "
    "or (o.state in ('requested', 'held') and r.status <> 'failed')) returning o.action_id, o.attempts, o.state, o.reason) "
    "update ops.delivery_attempts a set outcome = told.state, detail = told.reason from told "
    "where a.action_id = told.action_id and a.attempt = told.attempts"
)
# What waits for a moment goes at it, what waits for facts is judged anew by each publication, and what is over is let go to expire.
_RELEASED = text(
    "update ops.outbox set state = 'requested', next_try_at = null, updated_at = :now where state = 'held' and (expires_at <= :now "
    "or held_by_pause is null and (next_try_at <= :now "
    "or held_publication is distinct from (select max(publication_id) from ops.publications)))"
)
# materialized: as a plain subquery it may be planned to run once a row, and then takes more than the limit
_CLAIM = text(
    "with free as materialized (select action_id from ops.outbox where state = 'requested' and tenant_id = :tenant_id and lane = :lane "
    "and ready_at <= :now order by ready_at, action_id limit :limit for update skip locked), "
    "claimed as (update ops.outbox o set state = 'claimed', "
    "lease_owner = :worker, lease_until = clock_timestamp() + :lease, fence = fence + 1, attempts = attempts + 1, updated_at = :now "
    "from free where o.action_id = free.action_id returning o.*), noted as (insert into ops.delivery_attempts "
    "(action_id, attempt, tenant_id, started_at) select action_id, attempts, tenant_id, :now from claimed) "
    f"select {_ACTION}, attempts, fence, target from claimed order by ready_at, action_id"
)
_SPREAD = text(
    "insert into ops.outbox (action_id, request_id, target, "
    f"{', '.join(field for field in Action._fields if field not in {'action_id', 'channel'})}, channel, state, requested_at, updated_at) "
    f"select :own_id, coalesce(request_id, action_id), :target, "
    f"{', '.join(field for field in Action._fields if field not in {'action_id', 'channel'})}, :channel, 'requested', requested_at, :now "
    "from ops.outbox where action_id = :action_id on conflict (action_id) do nothing"
)
_AIM = text(
    "update ops.outbox set target = :target, channel = :channel where action_id = :action_id and fence = :fence and state = 'claimed'"
)
# The reason of a hold is kept where the action expires over it; tries are counted by requests, for a hold is none.
_SETTLE = text(
    "update ops.outbox set state = :state, updated_at = :now, lease_owner = null, lease_until = null, "
    "next_try_at = greatest(cast(:not_before as timestamptz), cast(:next_try_at as timestamptz)), point_id = :point_id, "
    "reason = case when cast(:state as text) = 'expired' and release is not null then :reason || '; it was held: ' || reason "
    "else :reason end, release = :release, held_publication = case when cast(:state as text) = 'held' "
    "then (select max(publication_id) from ops.publications) end "
    "where action_id = :action_id and fence = :fence and state = 'claimed'"
)
_FINISH = text(
    "update ops.delivery_attempts set finished_at = :now, outcome = :state, status_code = :status_code, "
    "request_sha256 = :request_sha256, response_sha256 = :response_sha256, detail = :reason "
    "where action_id = :action_id and attempt = :attempt"
)
_TRIES = text("select count(*) from ops.delivery_attempts where action_id = :action_id and request_sha256 is not null")


class PostgresOutbox:
    """The tables `ops.outbox`, `ops.delivery_attempts` and `ops.lanes`, and the published marts that actions are judged by."""

    def __init__(self, state: State, lease: timedelta = LEASE, hands: int = 1) -> None:
        """Take the state, the lease, longer than any try takes, and how many hands a worker has."""
        self.hands = hands
        self._state = state
        self._lease = lease

    def published(self, rule: str, as_of: datetime) -> Sequence[Action]:
        """Published requests of a rule that are due, without what the outbox holds: the marts keep every leak that ever was."""
        query = text(
            f"select {_ACTION} from serving.act_requests as asked where rule = :rule and due_at <= :as_of "
            "and not exists (select from ops.outbox where action_id = asked.action_id)"
        )
        with self._state.begin() as connection:
            if connection.execute(text("select to_regclass('serving.act_requests')")).scalar() is None:
                return []
            return [Action._make(row) for row in connection.execute(query, {"rule": rule, "as_of": as_of})]

    def known(self, action_ids: Collection[str]) -> set[str]:
        """Those of these actions that are in the outbox, whatever became of them."""
        if not action_ids:
            return set()
        query = text("select action_id from ops.outbox where action_id = any(:ids)")
        with self._state.begin() as connection:
            return set(connection.execute(query, {"ids": list(action_ids)}).scalars())

    def add(self, actions: Sequence[Action], now: datetime) -> int:
        """Put them in once each, by their id; returns how many were new."""
        if not actions:
            return 0
        rows = [{**each._asdict(), "now": now} for each in sorted(actions)]  # in one order, so that two who add do not wait in a circle
        with self._state.begin() as connection:
            return int(connection.execute(_INSERT, rows).rowcount)

    def refresh(self, now: datetime) -> Mapping[str, int]:
        """Settle what receipts tell of, let go of what is held no longer, give up what died; how many of each."""
        steps = {"abandoned": _ABANDONED, "settled_by_receipt": _RECEIVED, "released": _RELEASED}
        with self._state.begin() as connection:
            return {name: connection.execute(step, {"now": now}).rowcount for name, step in steps.items()}

    def claim(self, worker: str, now: datetime, limit: int) -> Sequence[Delivery]:
        """Lease actions that are ready, in fair turns of lanes and oldest first within one, and note the attempt.

        No two workers get the same. Whatever is claimed when its worker dies becomes `unknown` once the lease has run out, so claim only
        what is tried at once.
        """
        claimed: list[Delivery] = []
        with self._state.begin() as connection:
            connection.execute(_ABANDONED, {"now": now})
            ready, at = lanes.ready(connection, now)
            turns = in_turn(ready, at)
            for left, lane in zip(range(len(turns), 0, -1), turns, strict=True):
                if len(claimed) < limit:
                    share = max(1, (limit - len(claimed)) // left)
                    claimed += self._claim_of(connection, lane, {"worker": worker, "now": now, "lease": self._lease}, share)
        return claimed

    def _claim_of(self, connection: "Connection", lane: Lane, values: dict[str, Any], limit: int) -> list[Delivery]:
        held = lanes.lock(connection, lane)
        free = 0 if held is None else tokens(*held)
        if held is None or free == 0:
            return []
        key = {"tenant_id": lane.tenant_id, "lane": lane.name, "limit": min(free, limit)}
        rows = connection.execute(_CLAIM, values | key).all()
        if rows:
            lanes.take(connection, held[0], len(rows), held[1], self._lease)
        return [Delivery(Action._make(row[:-3]), row[-3], row[-2], row[-1]) for row in rows]

    def wait(self, now: datetime) -> timedelta | None:
        """How long until a lane with something ready may go; zero where one may now, None where nothing is ready."""
        with self._state.begin() as connection:
            return next_free(*lanes.ready(connection, now))

    def spread(self, delivery: Delivery, ways: Sequence[Way]) -> Delivery | None:
        """Make of an action one for each way, in one transaction; returns its own first, or None if the lease was lost.

        The first keeps the id; the others' are made of it and their destination.
        """
        action, (first, *others) = delivery.action, ways
        values = {"action_id": action.action_id, "fence": delivery.fence}
        with self._state.begin() as connection:
            if connection.execute(_AIM, values | first._asdict()).rowcount == 0:
                return None
            for each in others:
                own = {"own_id": key_of(action.action_id, each.target), "now": action.due_at}
                connection.execute(_SPREAD, values | each._asdict() | own)
        return delivery._replace(action=action._replace(channel=first.channel), target=first.target)

    def standing(self, delivery: Delivery, now: datetime) -> Standing:
        """What the newest published marts say of the request, the lead and the point, and the outbox of what went to them before."""
        with self._state.begin() as connection:
            return standing_of(connection, delivery.action, now)

    def settle(self, delivery: Delivery, outcome: Outcome, now: datetime) -> bool:
        """Record what became of it; False if the lease was lost and nothing was recorded."""
        values = {
            **outcome._replace(provider_id=None)._asdict(),
            "action_id": delivery.action.action_id,
            "point_id": delivery.action.point_id,
            "fence": delivery.fence,
            "attempt": delivery.attempt,
            "now": now,
            "next_try_at": None,
        }
        with self._state.begin() as connection:
            if outcome.state == "requested":
                tries = int(connection.execute(_TRIES, values).scalar_one())
                asked = now + timedelta(seconds=outcome.wait_seconds or 0)
                values["next_try_at"] = max(asked, retry_at(tries + 1, now, delivery.action.action_id))
            if connection.execute(_SETTLE, values).rowcount == 0:
                return False
            connection.execute(_FINISH, values)
            lanes.note(connection, delivery, outcome)
        return True

    def counts(self) -> Mapping[tuple[str, str, str], int]:
        """How many actions there are by (tenant, rule, state)."""
        query = text("select tenant_id, rule, state, count(*) from ops.outbox group by 1, 2, 3 order by 1, 2, 3")
        with self._state.begin() as connection:
            return {(row[0], row[1], row[2]): row[3] for row in connection.execute(query)}
