"""The one audit log: the platform's role appends, nobody changes, and each entry follows the one before it in its tenant's chain."""

from alembic import op

revision = "0019_audit"
down_revision = "0018_retention"

# `details` is json and not jsonb: it keeps the very text that was hashed. Tenant '' is the installation.
TABLE = """
create table ops.audit_log (
    tenant_id text not null,
    number bigint not null check (number >= 1),
    recorded_at timestamptz not null,
    actor text not null,
    action text not null,
    subject text not null,
    details json not null,
    previous_hash bytea not null check (length(previous_hash) = 32),
    hash bytea not null check (length(hash) = 32),
    signature bytea not null check (length(signature) = 64),
    primary key (tenant_id, number)
);
create index on ops.audit_log (tenant_id, subject);
"""

# The chain is checked here too, so that a program of ours with a fault leaves no gap and no fork.
FOLLOWS = """
create function ops.audit_follows() returns trigger language plpgsql set search_path = pg_catalog as $$
declare
    last record;
begin
    select number, hash, recorded_at into last from ops.audit_log where tenant_id = new.tenant_id order by number desc limit 1;
    if new.number <> coalesce(last.number, 0) + 1 or (last.hash is not null and new.previous_hash <> last.hash)
        or new.recorded_at < last.recorded_at then
        raise exception 'ops.audit_log: this entry does not follow the last one of its chain'
            using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end
$$;
create function ops.audit_stands() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
    raise exception 'ops.audit_log is added to and never changed' using errcode = 'insufficient_privilege';
end
$$;
create trigger follows before insert on ops.audit_log for each row execute function ops.audit_follows();
create trigger stands before update or delete on ops.audit_log for each row execute function ops.audit_stands();
create trigger stands_whole before truncate on ops.audit_log for each statement execute function ops.audit_stands();
-- always: also where a session plays a replica, which skips ordinary triggers
alter table ops.audit_log enable always trigger follows, enable always trigger stands, enable always trigger stands_whole;
"""


def upgrade() -> None:
    """Go forward."""
    op.execute(TABLE)
    op.execute(FOLLOWS)
    op.execute("select ops.protect_table('ops', 'audit_log')")
    op.execute("revoke update, delete, truncate on ops.audit_log from flexoraa_service")
