"""Alembic environment; `guardrails.decisions.sql.upgrade` applies it."""
