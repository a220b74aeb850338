"""The tables of the trail; `migrations/` makes them, with the triggers that keep it.

`consent_erasing` is empty outside a transaction that forgets: it names the subject whose rows may
go, and the erasure that stays in their place. Times are ISO 8601 in UTC with microseconds.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Integer, MetaData, Table, Text

VERSION_TABLE = "consent_schema_version"
metadata = MetaData()

consent = Table(
    "consent",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("purpose", Text, nullable=False),
    Column("field", Text),  # null: all of them
    Column("given", Boolean, nullable=False),
    Column("text_version", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("recorded_by", Text, nullable=False),
    sqlite_with_rowid=False,  # a row could be replaced by its rowid
)

consent_erasure = Table(
    "consent_erasure",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("subject_mac", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("entries", Integer, nullable=False),
    sqlite_with_rowid=False,
)

consent_erasing = Table(
    "consent_erasing",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("subject_mac", Text, nullable=False),
    Column("number", Integer, nullable=False),
)
