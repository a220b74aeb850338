"""Alembic environment; `guardrails.consent.sql.upgrade` applies it."""
