"""Kills of experiments and their ends, with the evidence: added to, never changed, and each verdict follows the one before it."""

from alembic import op

revision = "0009_experiments"
down_revision = "0008_pull"

# `follows`: the number of the experiment's verdict before, 0 for the first; so of two who kill at once, one is told that it is done.
# `reason` and `evidence` hold numbers and names of the configuration; what a person wrote may speak of people: sealed, in `note_enc`.
VERDICTS = """
create table ops.experiment_verdicts (
    number bigint generated always as identity primary key,
    tenant_id text not null,
    experiment_id text not null,
    follows bigint not null,
    verdict text not null check (verdict in ('killed', 'resumed')),
    decided_at timestamptz not null,
    decided_by text not null,
    cause text not null,
    reason text not null,
    evidence jsonb not null,
    action_id text not null unique,
    note_enc bytea,
    recorded_at timestamptz not null default clock_timestamp(),
    unique (tenant_id, experiment_id, follows)
);
"""


def upgrade() -> None:
    """Go forward."""
    op.execute(VERDICTS)
    op.execute("select ops.protect_table('ops', 'experiment_verdicts')")
    op.execute("revoke update, delete, truncate on ops.experiment_verdicts from flexoraa_service")
