"""Runs the revisions on the connection that `upgrade` hands over; there is no offline mode."""

from __future__ import annotations

from alembic import context

from onboarding.store.ranking.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
