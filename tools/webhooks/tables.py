"""The tables of webhooks, beside the journal's; made by `prepare`. Times are seconds since 1970."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Engine,
    Float,
    Integer,
    MetaData,
    Table,
    Text,
    inspect,
    text,
)

from guardrails.tenancy import EVERYBODY, protect, within

_LOCK = 0x77656268  # one process at a time makes the tables; any number serves
metadata = MetaData()

webhook_seen = Table(
    "webhook_seen",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("sender", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("until", Float(53), nullable=False, index=True),
)
webhook_delivery = Table(
    "webhook_delivery",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("endpoint", Text, primary_key=True),
    Column("body", Text, nullable=False),
    Column("created", Float(53), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("next_at", Float(53), nullable=False, index=True),
)


def prepare(engine: Engine) -> None:
    """Make the tables; nothing happens when they are there."""
    with within(EVERYBODY), engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if not inspect(connection).has_table(webhook_delivery.name):
            metadata.create_all(connection)
            protect(connection, webhook_seen.name, webhook_delivery.name)
