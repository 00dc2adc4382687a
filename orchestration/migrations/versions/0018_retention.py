"""How long each tenant keeps what, and what a legal hold keeps longer: added to, never changed, the newest row counts."""

from alembic import op

revision = "0018_retention"
down_revision = "0017_privacy"

# `days` null takes a rule back. `lead_id` null: the hold is on all of the tenant. A hold ends by a row that names it in `releases`.
TABLES = """
create table ops.retention_rules (
    number bigint generated always as identity primary key,
    tenant_id text not null,
    kept text not null,
    days int check (days between 1 and 3650),
    decided_by text not null,
    decided_at timestamptz not null
);
create index on ops.retention_rules (tenant_id, kept);
create table ops.legal_holds (
    hold_id text primary key,
    tenant_id text not null,
    lead_id text,
    releases text references ops.legal_holds,
    decided_by text not null,
    decided_at timestamptz not null,
    reason_enc bytea not null,
    unique (releases)
);
create index on ops.legal_holds (tenant_id);
"""


def upgrade() -> None:
    """Go forward."""
    op.execute(TABLES)
    for table in ("retention_rules", "legal_holds"):
        op.execute(f"select ops.protect_table('ops', '{table}')")
        op.execute(f"revoke update, delete, truncate on ops.{table} from flexoraa_service")
