"""Restores, and what follows from one for effects: what was due between the backup and the restore may have been sent already."""

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
grant usage on sequence ops.restores_restore_id_seq to flexoraa_service;
"""


def upgrade() -> None:
    """Go forward."""
    op.execute(TABLE)
