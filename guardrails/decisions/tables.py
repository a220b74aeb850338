"""The tables of the record; `migrations/` makes them, with triggers that let no row be changed.

Times are ISO 8601 in UTC with microseconds, so that their text sorts.
"""

from __future__ import annotations

from sqlalchemy import JSON, Column, Float, Index, MetaData, Table, Text

VERSION_TABLE = "decisions_schema_version"
metadata = MetaData()

decision = Table(
    "decision",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text),
    Column("subject", Text),
    Column("thread_id", Text),
    Column("run_id", Text),
    Column("message_id", Text),
    Column("model_version", Text),
    Column("prompt_version", Text),
    Column("policy_version", Text),
    Column("index_version", Text),
    Column("tool_version", Text),
    Column("experiment", Text),
    Column("arm", Text),
    Column("propensity", Float(53)),
    Column("evidence", JSON, nullable=False),
    Column("amounts", JSON, nullable=False),
    Index("decision_newest", "tenant", "at", "id"),
    Index("decision_of_kind", "tenant", "kind", "at", "id"),
    Index("decision_of_subject", "tenant", "subject", "at", "id"),
    Index("decision_of_thread", "tenant", "thread_id", "at", "id"),
    Index("decision_due", "kind", "at"),
    sqlite_with_rowid=False,  # a row could be replaced by its rowid
)

decision_outcome = Table(
    "decision_outcome",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("decision_id", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("reason", Text),
    Index("decision_outcome_of", "tenant", "decision_id", "at"),
    sqlite_with_rowid=False,
)
