"""When an action that was not reached, or was told to wait, may be tried again."""

from alembic import op

revision = "0004_retries"
down_revision = "0003_vault"


def upgrade() -> None:
    """Go forward."""
    op.execute("alter table ops.outbox add column next_try_at timestamptz")
