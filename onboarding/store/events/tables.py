"""The tables of events; `migrations/` makes them. Times are microseconds since 1970, in UTC.

`product_event` is partitioned by month of `received_at` on PostgreSQL. There its unique index has
to hold that column, so `event_message` alone keeps a message from being stored twice.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB

VERSION_TABLE = "events_schema_version"
metadata = MetaData()
NUMBER = BigInteger().with_variant(Integer, "sqlite")

product_event = Table(
    "product_event",
    metadata,
    Column("number", NUMBER, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("user", Text),
    Column("anonymous", Text),
    Column("account", Text),
    Column("occurred_at", BigInteger, nullable=False),
    Column("received_at", BigInteger, primary_key=True),
    Column("purposes", Integer, nullable=False),
    Column("fields", JSON().with_variant(JSONB, "postgresql"), nullable=False),
)
event_message = Table(
    "event_message",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("message_id", Text, primary_key=True),
    Column("received_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

event_alias = Table(
    "event_alias",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("anonymous", Text, primary_key=True),
    Column("user", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("message_id", Text, nullable=False),
    Index("event_alias_of", "tenant", "user"),
    sqlite_with_rowid=False,
)

event_member = Table(
    "event_member",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("user", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("primary", Boolean, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("event_member_of", "tenant", "account"),
    sqlite_with_rowid=False,
)

event_reader = Table(
    "event_reader",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

event_quarantine = Table(
    "event_quarantine",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("message_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("reasons", Text, nullable=False),  # `code:field`, a line each
    Column("occurred_at", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("shape", JSON, nullable=False),
    Column("sealed", LargeBinary),
    Index("event_quarantine_of", "tenant", "subject"),
    Index("event_quarantine_received", "tenant", "received_at"),
)

event_tombstone = Table(
    "event_tombstone",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("subject_mac", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
