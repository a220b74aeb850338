"""Alembic environment of the conversation tables; `agent.conversations_sql.upgrade` applies it."""
