"""Alembic environment of the checkpoints; `tools.receipts.checkpoints_sql.upgrade` applies it."""
