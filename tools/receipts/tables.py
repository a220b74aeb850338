"""The table of checkpoints; `migrations/` makes it, in the database of the journal."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Integer, MetaData, Table, Text

VERSION_TABLE = "receipts_schema_version"
metadata = MetaData()

receipt_checkpoint = Table(
    "receipt_checkpoint",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("size", Integer, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
    Column("edge", Text, nullable=False),  # hashes in hex, largest subtree first
    Column("created", Text, nullable=False),  # ISO 8601 in UTC
    Column("told", Boolean, nullable=False),
)
