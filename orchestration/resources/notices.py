"""What the platform tells people of itself, in Postgres: what waits for delivery, who wants a digest, what a day's actions came to.

Here belong those queries, and that a notice stands by itself where the gate asks the marts. Not here: when anything is due (`core.plans`,
`core.notices`).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from core.actions import Delivery
from core.gate import Standing
from core.notices import NOTICE_RULES, Backlog, DigestDay
from orchestration.resources.lifetimes import lifetime
from orchestration.resources.outbox import PostgresOutbox
from orchestration.resources.state import State

# What waits for a lane that is closed (breaker, Retry-After) is no reason for a run: while a vendor was down one was asked for every ten
# seconds, 40 % of a core.
_BACKLOG = """
select
    count(*) filter (
        where state = 'requested' and due_at <= %(now)s and (next_try_at is null or next_try_at <= %(now)s)
        and not exists (
            select from ops.lanes where tenant_id = outbox.tenant_id and lane = outbox.lane and closed_until > clock_timestamp()
        )
    ),
    count(*) filter (where state = 'held' and held_by_pause is null and (next_try_at <= %(now)s or expires_at <= %(now)s)),
    count(*) filter (where state = 'claimed' and lease_until <= clock_timestamp())
from ops.outbox where state in ('requested', 'held', 'claimed')
"""
_ZONES = """
select distinct tenants.tenant_id, tenants.body ->> 'timezone' from ops.reference as tenants
inner join ops.reference as destinations on tenants.tenant_id = destinations.tenant_id
where tenants.section = 'tenants' and destinations.section = 'destinations' and destinations.body ->> 'kind' = 'alerts'
and destinations.valid_from <= %(now)s and (destinations.valid_to is null or %(now)s < destinations.valid_to)
"""
# By when a state was reached: an action that was sent on one day and never again is told of once. What waits is told as it is now.
_TALLY = """
select state, rule, count(*) from ops.outbox
where tenant_id = %s and rule <> all(%s)
and (state in ('unknown', 'held') or (state in ('sent', 'rejected', 'expired', 'cancelled') and updated_at >= %s and updated_at < %s))
group by 1, 2 order by 1, 2
"""


class NoticeOutbox(PostgresOutbox):
    """The outbox, in which a notice of the platform is wanted because it is there."""

    def standing(self, delivery: Delivery, now: datetime) -> Standing:
        """As the marts say; a notice is in none of them."""
        found = super().standing(delivery, now)
        return found._replace(is_wanted=True) if delivery.action.rule in NOTICE_RULES else found


class PostgresNotices:
    """The port `core.notices.Notices`."""

    def __init__(self, state: State, operations_tenant: str | None) -> None:
        """Take the state, and the tenant whose people run the platform."""
        self._state = state
        self._operations_tenant = operations_tenant

    def backlog(self, as_of: datetime) -> Backlog:
        """What a delivery run would find."""
        with self._state.kept() as connection:
            row = connection.execute(_BACKLOG, {"now": as_of}).fetchone()
        return Backlog(*row) if row else Backlog(0, 0, 0)

    def operations_tenant(self) -> str | None:
        """The tenant whose people run the platform, if the settings name one."""
        return self._operations_tenant

    def zones(self, as_of: datetime) -> Mapping[str, str]:
        """Time zones of the tenants that have an address for alerts at a moment."""
        with self._state.psycopg() as connection:
            return dict(connection.execute(_ZONES, {"now": as_of}).fetchall())

    def tally(self, day: DigestDay) -> Mapping[str, int]:
        """How many actions of the tenant ended how on that day, by state and by state and rule; and how many are unknown or held now."""
        with self._state.psycopg() as connection:
            rows = connection.execute(_TALLY, (day.tenant_id, list(NOTICE_RULES), day.since, day.until)).fetchall()
        totals: dict[str, int] = dict.fromkeys(("sent", "rejected", "expired", "cancelled", "unknown_now", "held_now"), 0)
        for state, rule, count in rows:
            name = f"{state}_now" if state in ("unknown", "held") else state
            totals[name] += count
            totals[f"{name}_{rule}"] = count
        return totals

    def lifetime(self, rule: str, moment: datetime) -> timedelta:
        """How long an action of a rule stays worth doing."""
        return lifetime(rule, moment)
