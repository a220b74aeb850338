"""Alembic environment; `onboarding.store.features.sql.upgrade` applies it."""
