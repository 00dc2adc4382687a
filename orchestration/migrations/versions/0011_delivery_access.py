"""A tenant's operators read what is new in the outbox, and the lanes; columns are granted one by one, so later ones have to be."""

from alembic import op

revision = "0011_delivery_access"
down_revision = "0014_models"


def upgrade() -> None:
    """Go forward."""
    op.execute("select ops.let_tenants_read('ops', 'outbox')")
    op.execute("select ops.protect_table('ops', 'lanes', 'operator')")
