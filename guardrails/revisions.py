"""Revisions of a store, applied where they are missing."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

from guardrails.tenancy import EVERYBODY, within


def migrate(engine: Engine, location: str, lock: int) -> None:
    """Apply the revisions of a package such as `guardrails.consent:migrations`, one process at a
    time on `lock`; nothing happens when they are applied."""
    config = Config()
    config.set_main_option("script_location", location)
    config.set_main_option("path_separator", "os")
    with within(EVERYBODY), engine.begin() as connection:
        if connection.dialect.name == "postgresql":  # SQLite's transactions wait for one another
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
