"""What the gate asks: the newest published marts, the tenant's limits, and what went to the same person before; all from Postgres.

Here belong those queries. Not here: what follows from the facts (`core.gate`), the state of an action (`outbox`).
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from core.actions import PERSONAL_KINDS, Action
from core.gate import DAY, PORTFOLIO_RELEASE, WINDOWED, Limits, Standing, Suspension, is_template
from core.reroutes import RULE

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Aggregates: whatever the marts hold, there is one answer, and the careful one. The lead is that of the newest request: since the action
# was put in the outbox, its lead may have turned out to be part of another, who may have opted out. So is the point: a number may have
# changed since.
_ASKED = text(
    "with own as (select coalesce(min(request_id), :action_id) as id from ops.outbox where action_id = :action_id), "
    "asked as (select min(expires_at) as until, coalesce(min(lead_id), :lead_id) as lead_id, coalesce(min(point_id), :point_id) "
    "as point_id from serving.act_requests where tenant_id = :tenant_id and action_id = (select id from own)), "
    # a verdict on an experiment is wanted until the next one
    "switched as (select from ops.experiment_verdicts as v where tenant_id = :tenant_id and action_id = (select id from own) "
    "and not exists "
    "(select from ops.experiment_verdicts where tenant_id = v.tenant_id and experiment_id = v.experiment_id and number > v.number)), "
    # what the clock says of a person's request, as long as that is open
    "clocked as (select from ops.privacy_requests where cast(:rule as text) = 'privacy_clock' and tenant_id = :tenant_id "
    "and request_id = :subject and closed_at is null), "
    "points as (select * from serving.dim_contact_points, asked as wanted where tenant_id = :tenant_id "
    "and dim_contact_points.lead_id = wanted.lead_id), "
    # where the point was given up, the one of its kind that the lead holds since then, if there is just one
    "heirs as (select heir.contact_point_id from points as old, points as heir where old.contact_point_id = old.point_id "
    "and old.valid_to_at is not null and heir.kind = old.kind and heir.valid_to_at is null and heir.valid_from_at >= old.valid_to_at), "
    "held as (select coalesce(bool_or(contact_point_id = point_id and valid_to_at is null), false) as is_held from points) "
    "select wanted.until, wanted.until is not null or exists (select from switched) or exists (select from clocked) "
    # what became of a model is told whatever came after it
    "or (cast(:rule as text) = 'model_governance' and exists (select from ops.model_changes where tenant_id = :tenant_id "
    "and model = :subject and follows::text = cast(:trigger as text))) "
    # a lead goes on elsewhere as long as what a suspension holds is wanted
    "or (cast(:rule as text) = :reroute and exists (select from ops.outbox as o join serving.act_requests as a "
    "on a.tenant_id = o.tenant_id and a.action_id = coalesce(o.request_id, o.action_id) where o.tenant_id = :tenant_id "
    "and o.action_id = cast(:trigger as text) and o.state in ('requested', 'claimed', 'held', 'expired'))), "
    "lead.is_opted_out, lead.is_erased, "
    "case when held.is_held then wanted.point_id else (select min(contact_point_id) from heirs having count(*) = 1) end, wanted.point_id "
    "from asked as wanted, held, lateral (select coalesce(bool_or(is_opted_out), false) as is_opted_out, "
    "coalesce(bool_or(is_erased), false) as is_erased "
    "from serving.dim_leads where tenant_id = :tenant_id and lead_id = wanted.lead_id) as lead"
)
_FACTS = text(
    "select (select body ->> 'timezone' from ops.reference where tenant_id = :tenant_id and section = 'tenants' limit 1), "
    "(select body from ops.reference where tenant_id = :tenant_id and section = 'sending' and valid_from <= :now "
    "and (valid_to is null or :now < valid_to) limit 1), "
    "(select min(balance_tokens) from serving.fct_token_balances where tenant_id = :tenant_id and is_current and last_top_up_tokens > 0), "
    "windows.* from (select max(expires_at) filter (where kind = 'service'), max(expires_at) filter (where kind = 'human_agent') "
    "from serving.fct_messaging_windows where tenant_id = :tenant_id and contact_point_id = :point_id "
    "and channel_account_id = :account_id and channel = :channel and opened_at <= :now) as windows"
)
# A number is known by its id and news may speak of the account that it belongs to: all ids of one connection are meant.
_SUSPENSIONS = text(
    "select scope, subject, reason, since_at, until_at from serving.act_suspensions where tenant_id = :tenant_id and channel = :channel "
    "and (until_at is null or :now < until_at) and since_at <= :now and account_id in (select :account_id union "
    "select other.body ->> 'account_id' from ops.reference as own join ops.reference as other on other.tenant_id = own.tenant_id "
    "and other.section = 'connections' and other.body ->> 'connection_id' = own.body ->> 'connection_id' where own.tenant_id = :tenant_id "
    "and own.section = 'connections' and own.body ->> 'source' = :channel and own.body ->> 'account_id' = :account_id) order by since_at"
)
_OPEN = text(
    "select distinct channel from serving.fct_messaging_windows as w where tenant_id = :tenant_id and kind = 'service' "
    "and channel <> :channel and opened_at <= :now and :now < expires_at and contact_point_id in (select contact_point_id "
    "from serving.dim_contact_points where tenant_id = :tenant_id and lead_id = :lead_id and valid_to_at is null) "
    "and not exists (select from serving.act_suspensions where tenant_id = w.tenant_id and channel = w.channel "
    "and account_id = w.channel_account_id and scope <> 'template' and since_at <= :now and (until_at is null or :now < until_at)) "
    "order by channel"
)
_REACHED = (
    "from ops.outbox where tenant_id = :tenant_id and state in ('claimed', 'sent', 'unknown') and updated_at > :since "
    "and action_id <> :action_id and "
)
_TO_PERSON = text(f"select updated_at {_REACHED} point_id = :point_id order by updated_at")
_USERS = text(
    f"with users as materialized (select point_id, max(updated_at) as last_at {_REACHED} channel = 'whatsapp' and kind = 'send_template' "
    "group by point_id), size as (select count(*) as users, coalesce(bool_or(point_id = :point_id), false) as is_one from users), "
    # who is held already goes first, so each waits for another one's day to end
    "waiting as (select count(*) as held from ops.outbox where tenant_id = :tenant_id and state = 'held' and release = :release "
    "and next_try_at > :now and action_id <> :action_id) select last_at from users, size, waiting where not is_one and users >= :limit "
    "order by last_at offset (select greatest(0, least(users - :limit + held, users - 1)) from size, waiting) limit 1"
)


def standing_of(connection: "Connection", action: Action, now: datetime) -> Standing:
    """The facts on an action at a moment; on one that reaches no lead, only whether it is still wanted."""
    values = action._asdict() | {"now": now, "since": now - DAY, "release": PORTFOLIO_RELEASE, "reroute": RULE}
    asked: Any = connection.execute(_ASKED, values).one()
    until, is_wanted, is_opted_out, is_erased, point_id, wanted_id = asked
    if action.kind not in PERSONAL_KINDS:
        return Standing(is_wanted, is_opted_out, is_erased, point_id is not None, until)
    values["point_id"] = point_id or wanted_id
    facts: Any = connection.execute(_FACTS, values).one()
    timezone, sending, balance_tokens, window_until, human_until = facts
    limits = _limits(timezone, sending)
    suspensions = connection.execute(_SUSPENSIONS, values).all() if action.channel in WINDOWED else []
    sent_at: list[datetime] = list(connection.execute(_TO_PERSON, values).scalars())
    most = limits.contact_per_day
    return Standing(
        is_wanted,
        is_opted_out,
        is_erased,
        point_id is not None,
        until,
        point_id,
        window_until,
        human_until,
        tuple(Suspension._make(row) for row in suspensions),
        balance_tokens,
        sent_at[-1] if sent_at else None,
        sent_at[len(sent_at) - most] + DAY if most and len(sent_at) >= most else None,
        _users_free_at(connection, action, limits, values),
        limits,
        tuple(connection.execute(_OPEN, values).scalars()) if suspensions else (),
    )


def _users_free_at(connection: "Connection", action: Action, limits: Limits, values: dict[str, Any]) -> datetime | None:
    if limits.portfolio_users is None or not is_template(action):
        return None
    last_at: datetime | None = connection.execute(_USERS, values | {"limit": limits.portfolio_users}).scalar()
    return None if last_at is None else last_at + DAY


def _limits(timezone: str | None, sending: dict[str, Any] | None) -> Limits:
    told = {name: value for name, value in (sending or {}).items() if name in Limits._fields}
    if "quiet_exempt" in told:
        told["quiet_exempt"] = frozenset(told["quiet_exempt"])
    return Limits(**(told | {"timezone": timezone or "UTC"}))
