"""What the verifier reads of a person before anything is erased, kept sealed while the request runs.

It is the verifier's own: what the eraser overlooks when it asks who is meant must be searched for all the same.
"""

from alembic import op

revision = "0026_witness"
down_revision = "0013_paused_release"

COLUMN = """
alter table ops.privacy_requests add column witness_enc bytea check (witness_enc is null or state in ('running', 'verifying'));
comment on column ops.privacy_requests.witness_enc is 'what the verifier looks for, sealed under the key of the request like subject_enc';
"""


def upgrade() -> None:
    """Go forward."""
    op.execute(COLUMN)
