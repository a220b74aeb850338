"""Alembic environment; `onboarding.store.events.engine.upgrade` applies it."""
