"""The tables of features; `migrations/` makes them. Times are microseconds since 1970, in UTC."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, Table, Text

VERSION_TABLE = "features_schema_version"
metadata = MetaData()

feature_state = Table(
    "feature_state",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("spec", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("state", LargeBinary, nullable=False),
    Column("pruned_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("feature_state_of", "tenant", "subject"),
    Index("feature_state_updated", "tenant", "updated_at"),
    sqlite_with_rowid=False,
)

feature_position = Table(
    "feature_position",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("spec", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("changes", BigInteger, nullable=False),  # what others changed of the states
    sqlite_with_rowid=False,
)
