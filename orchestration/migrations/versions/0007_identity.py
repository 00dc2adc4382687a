"""What people decided on links between contact points: added to, never changed, and each decision follows the one before it."""

from alembic import op

revision = "0007_identity"
down_revision = "0005_quarantine"

# `follows`: the number of the decision that stood on the link before, 0 for the first; so of two people who decide at once, one is told.
# `one_id`, `other_id`: lead ids of the two holders alone, or the two points of a changed number. The reason may speak of people: sealed.
DECISIONS = """
create table ops.identity_decisions (
    number bigint generated always as identity primary key,
    tenant_id text not null,
    link_id text not null,
    follows bigint not null,
    verdict text not null check (verdict in ('accepted', 'revoked', 'dismissed')),
    one_id text not null,
    other_id text not null,
    decided_at timestamptz not null,
    decided_by text not null,
    reason_enc bytea not null,
    recorded_at timestamptz not null default clock_timestamp(),
    unique (tenant_id, link_id, follows)
);
"""


def upgrade() -> None:
    """Go forward."""
    op.execute(DECISIONS)
    op.execute("select ops.protect_table('ops', 'identity_decisions')")
    op.execute("revoke update, delete, truncate on ops.identity_decisions from flexoraa_service")
