"""Requests of people about their own data, the journal of their execution, the erasure log and certificates.

What a request may become, and who may do it, is a trigger's: no statement of the platform's role gets round it. The erasure log names
surrogates and places, never a person: it is what a restore re-applies, so it is added to and never changed.
"""

from alembic import op

revision = "0017_privacy"
down_revision = "0009_experiments"

REQUESTS = """
create table ops.privacy_requests (
    request_id text primary key,
    tenant_id text not null,
    kind text not null check (kind in ('access', 'erasure', 'rectification')),
    origin text not null check (origin in ('command', 'feed')),
    event_id text,
    state text not null default 'requested'
        check (state in ('requested', 'verified', 'approved', 'denied', 'running', 'verifying', 'closed')),
    lead_id text not null,
    point_ids text[] not null check (cardinality(point_ids) > 0),
    requested_by text not null,
    requested_at timestamptz not null,
    due_at timestamptz not null,
    reason_enc bytea,
    verified_by text,
    verified_at timestamptz,
    decided_by text,
    decided_at timestamptz,
    decision_enc bytea,
    is_late boolean not null default false,
    executed_by text,
    started_at timestamptz,
    subject_enc bytea,
    fence bigint not null default 0,
    closed_at timestamptz,
    check ((state in ('denied', 'closed')) = (closed_at is not null)),
    check (subject_enc is null or state in ('running', 'verifying')),
    check (event_id is null or origin = 'feed'),
    unique (tenant_id, event_id)
);
comment on column ops.privacy_requests.fence is 'rises with every run: whoever held an older one can record nothing any more';
comment on column ops.privacy_requests.subject_enc is 'what is searched for, sealed under a key of the request that goes when it is closed';
create unique index privacy_requests_open on ops.privacy_requests (tenant_id, lead_id, kind) where closed_at is null;
create table ops.privacy_steps (
    request_id text not null references ops.privacy_requests,
    tenant_id text not null,
    step text not null,
    fence bigint not null,
    begun_at timestamptz not null,
    done_at timestamptz,
    details jsonb not null default '{}',
    primary key (request_id, step)
);
create table ops.erasures (
    tenant_id text not null,
    point_id text not null,
    lead_id text not null,
    request_id text not null references ops.privacy_requests,
    erased_at timestamptz not null,
    primary key (tenant_id, point_id)
);
create table ops.erased_lines (
    segment_id text not null,
    line int not null,
    tenant_id text not null,
    request_id text not null references ops.privacy_requests,
    primary key (segment_id, line)
);
comment on table ops.erased_lines is 'lines of raw segments that are no more, by the SHA-256 that the segment had when it came';
create table ops.privacy_certificates (
    request_id text not null references ops.privacy_requests,
    tenant_id text not null,
    number int not null,
    fence bigint not null,
    hits int not null,
    made_at timestamptz not null,
    body text not null,
    signature text not null,
    public_key text not null,
    primary key (request_id, number)
);
"""

# Roles are those of the tenants file at the moment of the deed. `system:` names a program of ours, which executes what people approved.
GUARD = """
create function ops.privacy_role(tenant text, person text, at timestamptz) returns text
language sql stable security invoker set search_path = pg_catalog
as $$
    select body ->> 'role' from ops.reference
    where tenant_id = tenant and section = 'people' and body ->> 'person_id' = person
        and valid_from <= at and (valid_to is null or at < valid_to)
    limit 1
$$;
create function ops.guard_privacy_request() returns trigger
language plpgsql security invoker set search_path = pg_catalog
as $$
declare
    step text := coalesce(old.state, '') || '>' || new.state;
begin
    if tg_op = 'INSERT' then
        if new.state <> 'requested' or new.verified_by is not null or new.decided_by is not null or new.executed_by is not null
            or new.subject_enc is not null or new.fence <> 0 then
            raise exception 'privacy: a request begins as requested and nothing more' using errcode = 'check_violation';
        end if;
        return new;
    end if;
    if (new.request_id, new.tenant_id, new.kind, new.origin, new.event_id, new.lead_id, new.requested_by, new.requested_at, new.due_at)
        is distinct from
        (old.request_id, old.tenant_id, old.kind, old.origin, old.event_id, old.lead_id, old.requested_by, old.requested_at, old.due_at)
        or (step <> 'requested>verified' and step <> 'approved>verified' and new.point_ids is distinct from old.point_ids) then
        raise exception 'privacy: what was asked, by whom and when stays as it is' using errcode = 'check_violation';
    end if;
    if new.fence < old.fence or (new.fence > old.fence and step not in ('approved>running', 'running>running', 'verifying>running')) then
        raise exception 'privacy: a fence rises with a run and with nothing else' using errcode = 'check_violation';
    end if;
    if step in ('requested>verified', 'approved>verified') then
        if coalesce(ops.privacy_role(new.tenant_id, new.verified_by, new.verified_at), 'viewer') = 'viewer' then
            raise exception 'privacy: an identity is verified by an operator, a manager or an admin of the tenant'
                using errcode = 'check_violation';
        end if;
        if new.decided_by is not null then
            raise exception 'privacy: a new verification needs a new decision' using errcode = 'check_violation';
        end if;
    elsif step in ('verified>approved', 'verified>denied', 'requested>denied') then
        if coalesce(ops.privacy_role(new.tenant_id, new.decided_by, new.decided_at), '') not in ('manager', 'admin') then
            raise exception 'privacy: a manager or an admin of the tenant decides' using errcode = 'check_violation';
        end if;
        if new.decided_by = new.requested_by then
            raise exception 'privacy: whoever asked does not decide' using errcode = 'check_violation';
        end if;
        if step = 'verified>approved' and new.decided_at >= new.due_at and not new.is_late then
            raise exception 'privacy: the deadline has passed' using errcode = 'check_violation';
        end if;
    elsif step in ('approved>running', 'running>running', 'verifying>running') then
        if new.executed_by = new.decided_by then
            raise exception 'privacy: whoever approved does not execute' using errcode = 'check_violation';
        end if;
        if new.executed_by not like 'system:%' and new.executed_by is distinct from old.executed_by
            and coalesce(ops.privacy_role(new.tenant_id, new.executed_by, new.started_at), 'viewer') = 'viewer' then
            raise exception 'privacy: an operator, a manager or an admin of the tenant executes' using errcode = 'check_violation';
        end if;
        if step <> 'running>running' and new.fence <= old.fence then
            raise exception 'privacy: a run has a fence of its own' using errcode = 'check_violation';
        end if;
    elsif step = 'verifying>closed' then
        if not exists (select from ops.privacy_steps as s where s.request_id = new.request_id)
            or exists (select from ops.privacy_steps as s where s.request_id = new.request_id and s.done_at is null)
            or coalesce((select hits from ops.privacy_certificates as c
                where c.request_id = new.request_id and c.fence = new.fence order by number desc limit 1), 1) <> 0 then
            raise exception 'privacy: it is closed by a certificate without a hit, once every step is done'
                using errcode = 'check_violation';
        end if;
    elsif step <> 'running>verifying' then
        raise exception 'privacy: no request goes from % to %', old.state, new.state using errcode = 'check_violation';
    end if;
    if step not in ('requested>verified', 'approved>verified')
        and (new.verified_by, new.verified_at) is distinct from (old.verified_by, old.verified_at)
        or step not in ('verified>approved', 'verified>denied', 'requested>denied', 'approved>verified')
        and (new.decided_by, new.decided_at, new.is_late, new.decision_enc)
        is distinct from (old.decided_by, old.decided_at, old.is_late, old.decision_enc) then
        raise exception 'privacy: who verified and who decided stays as it is' using errcode = 'check_violation';
    end if;
    return new;
end
$$;
create trigger guard before insert or update on ops.privacy_requests
for each row execute function ops.guard_privacy_request();
"""

TABLES = ("privacy_requests", "privacy_steps", "erasures", "erased_lines", "privacy_certificates")


def upgrade() -> None:
    """Go forward."""
    op.execute(REQUESTS)
    op.execute(GUARD)
    for table in TABLES:
        op.execute(f"select ops.protect_table('ops', '{table}')")
        op.execute(f"revoke delete, truncate on ops.{table} from flexoraa_service")
    for table in ("erasures", "erased_lines", "privacy_certificates"):
        op.execute(f"revoke update on ops.{table} from flexoraa_service")
    # the sealed words are the platform's alone, and a tenant's own reader sees the state and not the reasons
    op.execute("revoke select on ops.privacy_requests from flexoraa_tenants")
    op.execute(
        "grant select (request_id, tenant_id, kind, origin, state, lead_id, requested_by, requested_at, due_at, verified_by, verified_at, "
        "decided_by, decided_at, is_late, executed_by, started_at, closed_at) on ops.privacy_requests to flexoraa_tenants"
    )
