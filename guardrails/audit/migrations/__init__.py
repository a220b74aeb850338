"""Alembic environment; `guardrails.audit.sql.upgrade` applies it."""
