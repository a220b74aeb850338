"""Alembic environment; `onboarding.store.interventions.sql.upgrade` applies it."""
