"""The tables of next steps; `migrations/` makes them. Times are ISO 8601 in UTC with microseconds;
`body` is the whole decision as JSON, its snapshot included."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, Table, Text

VERSION_TABLE = "next_step_schema_version"
metadata = MetaData()

next_step_decision = Table(
    "next_step_decision",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("model", Text),
    Column("chosen", Text, nullable=False),  # of slot 1; empty: nothing new
    Column("body", Text, nullable=False),
    Index("next_step_decision_by_subject", "tenant", "subject", "at"),
    Index("next_step_decision_by_age", "tenant", "at"),
)

next_step_outcome = Table(
    "next_step_outcome",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("decision", Text, primary_key=True),
    Column("action", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("at", Text, primary_key=True),
    Column("account", Text),
    Column("until", Text),
    Index("next_step_outcome_by_age", "tenant", "at"),
)

next_step_mute = Table(
    "next_step_mute",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("action", Text, primary_key=True),
    Column("account", Text),
    Column("kind", Text, nullable=False),
    Column("since", Text, nullable=False),
    Column("until", Text),
    Column("next_visit", Boolean, nullable=False),
)

model_move = Table(
    "model_move",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("slot", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("version", Text),  # null: none serves, the curated order does
    Column("at", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

silent_person = Table(
    "silent_person",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("account", Text),
    Column("since", Text, nullable=False),  # their last event
    Column("due", Text, nullable=False),
    Column("looked_at", Text),
    Index("silent_person_by_due", "tenant", "due"),
    Index("silent_person_by_look", "tenant", "looked_at"),
)
