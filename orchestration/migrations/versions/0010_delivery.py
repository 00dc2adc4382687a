"""What delivery remembers: the lane of an action, why it is held, and of each lane its turns, pauses and failures.

A lane is one way out of one tenant: a channel and the account or destination that it goes through. Rates, pauses and circuit breakers hold
for lanes.
"""

from alembic import op

revision = "0010_delivery"
down_revision = "0012_action_desk"

# `ready_at`: a retried action queues where its retry begins, a fresh one where it is due; both generated, so no writer can forget them.
OUTBOX = """
alter table ops.outbox
    add column request_id text,
    add column target text,
    add column release text,
    add column held_publication bigint,
    add column lane text not null generated always as (channel || ':' || coalesce(account_id, target, '')) stored,
    add column ready_at timestamptz not null generated always as (greatest(due_at, next_try_at)) stored;
comment on column ops.outbox.request_id is 'of the wanted action, where several destinations are told of it and this row is one of them';
comment on column ops.outbox.release is 'what a held action waits for; next_try_at says when, where that is known';
create index outbox_ready on ops.outbox (tenant_id, lane, ready_at, action_id) where state = 'requested';
create index outbox_held on ops.outbox (next_try_at) where state = 'held';
create index outbox_reached on ops.outbox (tenant_id, point_id, updated_at) where state in ('claimed', 'sent', 'unknown');
create index outbox_users on ops.outbox (tenant_id, updated_at) include (point_id)
    where state in ('claimed', 'sent', 'unknown') and channel = 'whatsapp' and kind = 'send_template';
"""

# `spent_until`: when the bucket will be full again; `closed_until`: told to wait, or the breaker is open. By the database's clock.
LANES = """
create table ops.lanes (
    tenant_id text not null,
    lane text not null,
    served_at timestamptz,
    spent_until timestamptz not null,
    closed_until timestamptz,
    failures int not null default 0,
    reason text,
    primary key (tenant_id, lane)
);
"""

# What the gate reads must exist before the first publication, which makes each anew with all of its columns.
SERVED = {
    "act_requests": "action_id text, lead_id text, point_id text, expires_at timestamptz",
    "act_receipts": "action_id text, status text, told_at timestamptz",
    "act_suspensions": "account_id text, channel text, scope text, subject text, reason text, since_at timestamptz, until_at timestamptz",
    "dim_contact_points": "contact_point_id text, lead_id text, kind text, valid_from_at timestamptz, valid_to_at timestamptz",
    "dim_leads": "lead_id text, is_opted_out boolean, is_erased boolean",
    "fct_messaging_windows": "contact_point_id text, channel_account_id text, channel text, kind text, opened_at timestamptz, "
    "expires_at timestamptz",
    "fct_token_balances": "is_current boolean, balance_tokens bigint, last_top_up_tokens bigint",
}


def upgrade() -> None:
    """Go forward."""
    op.execute(OUTBOX)
    op.execute(LANES)
    op.execute("select ops.protect_table('ops', 'lanes')")
    for table, columns in SERVED.items():
        op.execute(
            f"do $$ begin if to_regclass('serving.{table}') is null then "
            f"create table serving.{table} (tenant_id text, {columns}); "
            f"perform ops.protect_table('serving', '{table}'); "
            f"alter table serving.{table} owner to flexoraa_service; end if; end $$"
        )
