"""What people decide on actions: pauses and dry runs of a tenant's kinds, and retries, cancellations and settlements of single ones."""

from alembic import op

revision = "0012_action_desk"
down_revision = "0021_restores"

# `kind` '' is every kind. What a person wrote may speak of people: sealed, in `note_enc`.
PAUSES = """
create table ops.action_pauses (
    number bigint generated always as identity primary key,
    tenant_id text not null,
    kind text not null,
    mode text not null check (mode in ('paused', 'dry_run')),
    begun_at timestamptz not null,
    begun_by text not null,
    note_enc bytea,
    ended_at timestamptz,
    ended_by text,
    end_note_enc bytea,
    check (ended_at >= begun_at),
    check ((ended_at is null) = (ended_by is null))
);
create unique index on ops.action_pauses (tenant_id, kind) where ended_at is null;
"""

# In the database and not in the claim, so that no way into `requested` (new, tried again, released by the gate, asked for by a person)
# can forget it, and nobody finds a paused action to claim.
HOLD = """
alter table ops.outbox add column held_by_pause bigint references ops.action_pauses;
create index on ops.outbox (held_by_pause) where held_by_pause is not null;

create function ops.hold_paused() returns trigger
language plpgsql security invoker
set search_path = pg_catalog
as $$
begin
    if new.state = 'requested' then
        new.held_by_pause := (
            select min(number) from ops.action_pauses
            where tenant_id = new.tenant_id and kind in ('', new.kind) and mode = 'paused' and ended_at is null
        );
        -- what is over goes on, for the gate to call it expired; `updated_at` is the platform's own now
        if new.held_by_pause is not null and new.expires_at > new.updated_at then
            new.state := 'held';
            new.reason := 'paused by a person';
        else
            new.held_by_pause := null;
        end if;
    elsif new.state <> 'held' then
        new.held_by_pause := null;
    end if;
    return new;
end
$$;
create trigger hold_paused before insert or update of state on ops.outbox for each row execute function ops.hold_paused();
"""

DECISIONS = """
create table ops.action_decisions (
    number bigint generated always as identity primary key,
    action_id text not null references ops.outbox,
    tenant_id text not null,
    verdict text not null check (verdict in ('retried', 'cancelled', 'resolved_sent', 'resolved_not_sent')),
    state_before text not null,
    decided_at timestamptz not null,
    decided_by text not null,
    note_enc bytea
);
create index on ops.action_decisions (action_id);
"""


def upgrade() -> None:
    """Go forward."""
    for statement in (PAUSES, HOLD, DECISIONS):
        op.execute(statement)
    for table in ("action_pauses", "action_decisions"):
        op.execute(f"select ops.protect_table('ops', '{table}')")
    op.execute("revoke update, delete, truncate on ops.action_decisions from flexoraa_service")
    op.execute("revoke delete, truncate on ops.action_pauses from flexoraa_service")
