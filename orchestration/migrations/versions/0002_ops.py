"""What the platform knows of its own work: tenants, reference rows, segments, quarantine, outbox, publications."""

from alembic import op

revision = "0002_ops"
down_revision = "0001_roles"

CONFIGURATION = """
create table ops.tenants (
    tenant_id text primary key,
    name text not null,
    applied_at timestamptz not null,
    config_sha256 text not null
);
create table ops.reference (
    tenant_id text not null,
    section text not null,
    row_key text not null,
    valid_from timestamptz not null,
    valid_to timestamptz,
    body jsonb not null,
    primary key (tenant_id, section, row_key, valid_from),
    check (valid_to > valid_from)
);
create index on ops.reference (section);
"""

INTAKE = """
create table ops.segments (
    segment_id text primary key,
    path text not null,
    state text not null check (state in ('ingested', 'refused')),
    size_bytes bigint not null,
    line_count int not null,
    ingested_at timestamptz not null,
    detail text not null default ''
);
create table ops.segment_counts (
    segment_id text not null,
    tenant_id text not null,
    source text not null,
    received int not null,
    accepted int not null,
    rejected int not null,
    primary key (segment_id, tenant_id, source),
    check (received = accepted + rejected)
);
comment on column ops.segment_counts.accepted is 'lake rows, repeats included';
create table ops.quarantine (
    quarantine_id text primary key,
    segment_id text not null,
    line int not null,
    item int not null,
    tenant_id text not null,
    source text not null,
    account_id text,
    reason text not null,
    place text not null,
    detail text not null,
    received_at timestamptz,
    body_enc bytea not null,
    key_id text not null,
    state text not null default 'held'
);
create index on ops.quarantine (segment_id);
create index on ops.quarantine (state, reason);
"""

EFFECTS = """
create table ops.outbox (
    action_id text primary key,
    tenant_id text not null,
    rule text not null,
    kind text not null,
    channel text not null,
    lead_id text,
    point_id text,
    account_id text,
    template_name text,
    subject text not null,
    trigger text not null,
    details jsonb not null,
    due_at timestamptz not null,
    expires_at timestamptz not null,
    state text not null
        check (state in ('requested', 'claimed', 'sent', 'rejected', 'unknown', 'held', 'expired', 'cancelled')),
    reason text,
    requested_at timestamptz not null,
    updated_at timestamptz not null,
    attempts int not null default 0,
    lease_owner text,
    lease_until timestamptz,
    fence bigint not null default 0,
    provider_ref text
);
create index on ops.outbox (state, due_at);
create index on ops.outbox (tenant_id, rule);
create table ops.delivery_attempts (
    action_id text not null references ops.outbox,
    attempt int not null,
    tenant_id text not null,
    started_at timestamptz not null,
    finished_at timestamptz,
    outcome text,
    status_code int,
    request_sha256 text,
    response_sha256 text,
    detail text,
    primary key (action_id, attempt)
);
create table ops.publications (
    publication_id bigint generated always as identity primary key,
    as_of timestamptz not null,
    published_at timestamptz not null,
    tables jsonb not null
);
"""

TENANT_TABLES = ("tenants", "reference", "segment_counts", "quarantine", "outbox", "delivery_attempts")


def upgrade() -> None:
    """Go forward."""
    for statement in (CONFIGURATION, INTAKE, EFFECTS):
        op.execute(statement)
    for table in TENANT_TABLES:
        op.execute(f"select ops.protect_table('ops', '{table}')")
