"""Baselines of models' versions, and every verdict on drift: added to, never changed."""

from alembic import op

revision = "0016_drift"
down_revision = "0010_delivery"

# A baseline holds counts, quantiles and names of categories of a version's columns, and no row. A look at a week is counted by `look`, and
# spends its part of the year's level: so that it cannot be had twice, the number is part of the key.
TABLES = """
create table ops.model_baselines (
    tenant_id text not null,
    model text not null,
    version integer not null,
    baseline jsonb not null,
    sha256 text not null,
    frozen_at timestamptz not null,
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, model, version)
);
create table ops.drift_verdicts (
    tenant_id text not null,
    model text not null,
    version integer not null,
    week_date date not null,
    look integer not null check (look > 0),
    severity text not null check (severity in ('ok', 'warn', 'critical')),
    state text not null,
    reasons jsonb not null,
    row_count bigint not null,
    digest text not null,
    level_warn double precision not null,
    level_critical double precision not null,
    judged_at timestamptz not null,
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, model, version, week_date, look)
);
"""


def upgrade() -> None:
    """Go forward."""
    op.execute(TABLES)
    for table in ("model_baselines", "drift_verdicts"):
        op.execute(f"select ops.protect_table('ops', '{table}')")
        op.execute(f"revoke update, delete, truncate on ops.{table} from flexoraa_service")
