"""How far each account has been read: the place in a mailbox's history, the page of a back-fill, the end of a watch."""

from alembic import op

revision = "0008_pull"
down_revision = "0007_identity"

TABLE = """
create table ops.pull_cursors (
    tenant_id text not null,
    source text not null,
    account_id text not null,
    resource text not null,
    span text not null default '',
    cursor jsonb,
    tried_at timestamptz,
    moved_at timestamptz,
    primary key (tenant_id, source, account_id, resource, span)
);
comment on column ops.pull_cursors.cursor is 'moves only after all that lies before it is fsynced in a closed segment of the inbox';
"""


def upgrade() -> None:
    """Go forward."""
    op.execute(TABLE)
    op.execute("select ops.protect_table('ops', 'pull_cursors')")
