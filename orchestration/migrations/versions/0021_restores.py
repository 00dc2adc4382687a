"""Restores, and what follows from one for effects; which master key wraps the vault's keys.

What was due between a backup and its restore may have been sent already. A process that still has the master key before a rotation must
wrap nothing more under it: it would be lost.
"""

from alembic import op

revision = "0021_restores"
down_revision = "0020_access"

TABLE = """
create table ops.restores (
    restore_id bigint generated always as identity primary key,
    backup_as_of timestamptz not null,
    restored_at timestamptz not null
);
create function ops.outbox_after_restore() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
    if new.state = 'requested'
        and exists (select from ops.restores where new.due_at >= backup_as_of and new.due_at < restored_at) then
        new.state := 'unknown';
        new.reason := 'restored';
    end if;
    return new;
end
$$;
create trigger after_restore before insert on ops.outbox for each row execute function ops.outbox_after_restore();
create table vault.master_key (
    is_only boolean primary key default true check (is_only),
    fingerprint bytea not null check (length(fingerprint) = 16)
);
grant usage on sequence ops.restores_restore_id_seq to flexoraa_service;
"""


def upgrade() -> None:
    """Go forward."""
    op.execute(TABLE)
