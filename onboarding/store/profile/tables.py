"""The tables of profiles; `migrations/` makes them. Times are ISO 8601 in UTC with microseconds,
lists and mappings JSON."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, MetaData, Table, Text

VERSION_TABLE = "profile_schema_version"
metadata = MetaData()

profile_fact = Table(
    "profile_fact",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("source", Text, nullable=False),
    Column("valid_from", Text, nullable=False),
    Column("expires", Text),
    Column("purpose", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("odds", Text, nullable=False),
    Column("reasons", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Index("profile_fact_by_age", "tenant", "valid_from"),
)

profile_asked = Table(
    "profile_asked",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("session", Text, primary_key=True),
    Column("question", Text, primary_key=True),
    Column("at", Text, nullable=False),
    Column("reply", Text, nullable=False),
    Index("profile_asked_by_age", "tenant", "at"),
)

profile_self = Table(
    "profile_self",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("at", Text, nullable=False),
    Column("model", Text, nullable=False),
)

profile_node = Table(
    "profile_node",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
)

profile_edge = Table(
    "profile_edge",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("src", Text, primary_key=True),
    Column("rel", Text, primary_key=True),
    Column("dst", Text, primary_key=True),
    Column("key", Text, primary_key=True),  # the event; the purpose where the relation lasts
    Column("evidence", Text, nullable=False),  # the id of one event
    Column("subject", Text),  # whose it is; null: of nobody
    Column("purpose", Text, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("valid_from", Text, nullable=False),
    Column("valid_to", Text),
    Index("profile_edge_of_subject", "tenant", "subject"),
    Index("profile_edge_newest", "tenant", "src", "rel", "valid_from"),
    Index("profile_edge_to", "tenant", "dst"),
    Index("profile_edge_of_event", "tenant", "evidence"),
    Index("profile_edge_by_age", "tenant", "valid_from"),
    sqlite_with_rowid=False,
)

readiness_evaluation = Table(
    "readiness_evaluation",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("at", Text, primary_key=True),
    Column("report", Text, nullable=False),
)

TABLES = tuple(metadata.tables)
