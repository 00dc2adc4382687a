"""Who is behind a surrogate, and the keys: readable by the platform's role alone, and sealed under the master key besides.

An erased point keeps its id and loses `lookup`, `value_enc` and `key_wrapped`.
"""

from alembic import op

revision = "0003_vault"
down_revision = "0002_ops"

TABLES = """
create table vault.points (
    tenant_id text not null,
    point_id text primary key,
    kind text not null,
    lookup bytea,
    value_enc bytea,
    key_wrapped bytea,
    created_at timestamptz not null default now(),
    unique (tenant_id, kind, lookup),
    check ((lookup is null) = (key_wrapped is null) and (value_enc is null) = (key_wrapped is null))
);
create table vault.keys (
    key_id text primary key,
    tenant_id text not null,
    wrapped bytea not null
);
create table vault.secrets (
    tenant_id text not null,
    connection_id text not null,
    purpose text not null check (purpose in ('verify', 'access_token', 'destination')),
    ordinal int not null,
    valid_from timestamptz not null,
    valid_to timestamptz,
    secret_enc bytea not null,
    primary key (tenant_id, connection_id, purpose, ordinal, valid_from)
);
create table vault.people (
    tenant_id text not null,
    person_id text not null,
    valid_from timestamptz not null,
    valid_to timestamptz,
    contact_enc bytea not null,
    primary key (tenant_id, person_id, valid_from)
);
"""


def upgrade() -> None:
    """Go forward."""
    op.execute(TABLES)
    for table in ("points", "keys", "secrets", "people"):
        op.execute(f"select ops.protect_table('vault', '{table}')")
