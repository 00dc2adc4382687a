"""A paused action says what it waits for, and a delivery run looks at it once a publication and not each time."""

from alembic import op

revision = "0013_paused_release"
down_revision = "0014_models"

HOLD = """
create or replace function ops.hold_paused() returns trigger
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
            new.release := 'a person resumes it';
            new.held_publication := (select max(publication_id) from ops.publications);
        else
            new.held_by_pause := null;
        end if;
    elsif new.state <> 'held' then
        new.held_by_pause := null;
    end if;
    return new;
end
$$;
"""


def upgrade() -> None:
    """Go forward."""
    op.execute(HOLD)
