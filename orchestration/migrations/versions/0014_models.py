"""Versions of models, who is champion and why, and every prediction: added to, never changed."""

from alembic import op

revision = "0014_models"
down_revision = "0016_drift"

# `follows`: the number of the entry before it on the same model, 0 for the first; so of two who decide at once, one is told that it is
# done.
TABLES = """
create table ops.model_versions (
    tenant_id text not null,
    model text not null,
    version bigint not null,
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    features_sha256 text not null,
    place text not null,
    rows bigint not null,
    positives bigint not null,
    own_positives bigint not null,
    hot_threshold double precision not null,
    warm_threshold double precision not null check (warm_threshold <= hot_threshold),
    horizon_days bigint not null check (horizon_days > 0),
    card jsonb not null,
    fitted_until timestamptz not null,
    trained_at timestamptz not null,
    trained_by text not null,
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, model, version)
);
create table ops.model_changes (
    number bigint generated always as identity primary key,
    tenant_id text not null,
    model text not null,
    follows bigint not null,
    version bigint not null,
    cause text not null check (cause in ('first', 'better', 'rollback', 'retrained', 'manual', 'kept')),
    reason text not null,
    evidence jsonb not null,
    decided_at timestamptz not null,
    decided_by text not null,
    action_id text not null unique,
    recorded_at timestamptz not null default clock_timestamp(),
    unique (tenant_id, model, follows),
    foreign key (tenant_id, model, version) references ops.model_versions
);
create table ops.predictions (
    tenant_id text not null,
    lead_id text not null,
    model_name text not null,
    model_version bigint not null,
    role text not null check (role in ('champion', 'shadow')),
    trigger_event_id text not null,
    row_sha256 text not null,
    score_millionths bigint not null,
    probability double precision not null check (probability between 0 and 1),
    tier text not null check (tier in ('HOT', 'WARM', 'COLD')),
    hot_threshold double precision not null,
    warm_threshold double precision not null,
    parts jsonb not null,
    featured_at timestamptz not null,
    predicted_at timestamptz not null,
    primary key (tenant_id, model_name, model_version, lead_id, featured_at),
    foreign key (tenant_id, model_name, model_version) references ops.model_versions
);
"""


def upgrade() -> None:
    """Go forward."""
    op.execute(TABLES)
    for table in ("model_versions", "model_changes", "predictions"):
        op.execute(f"select ops.protect_table('ops', '{table}', 'manager')")
        op.execute(f"revoke update, delete, truncate on ops.{table} from flexoraa_service")
