"""Alembic's entry: run the steps on the connection that `State.migrate` hands over.

Here belongs nothing else: there is no alembic.ini and no offline mode.
"""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="alembic_version",
    version_table_schema="ops",
)
with context.begin_transaction():
    context.run_migrations()
