"""The tables of progress and of published files; `migrations/` makes them.

Of `journey_done`, `owner` is a user, with the journey and entry, or an account, whose rows have
neither: there `step` is the action. Times are ISO 8601 in UTC with microseconds.
"""

from __future__ import annotations

from sqlalchemy import Column, Integer, MetaData, Table, Text

VERSION_TABLE = "journey_schema_version"
metadata = MetaData()

journey_enrolment = Table(
    "journey_enrolment",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("journey", Text, primary_key=True),
    Column("entry", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("kit", Text),
    Column("account", Text),
    Column("started_at", Text, nullable=False),
    Column("reached_at", Text),
    Column("finished_at", Text),
    Column("left_at", Text),
    Column("left_why", Text),
)

journey_done = Table(
    "journey_done",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("owner_kind", Text, primary_key=True),  # user | account
    Column("owner", Text, primary_key=True),
    Column("journey", Text, primary_key=True),
    Column("entry", Integer, primary_key=True, autoincrement=False),
    Column("step", Text, primary_key=True),
    Column("action", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("by", Text),
    Column("evidence", Text, nullable=False),  # a JSON list
)

journey_mode = Table(
    "journey_mode",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("mode", Text, nullable=False),
    Column("at", Text, nullable=False),
)

journey_guide = Table(
    "journey_guide",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("guide", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("stop", Integer, nullable=False),
    Column("shown_at", Text, nullable=False),
    Column("at", Text, nullable=False),
)

journey_source = Table(
    "journey_source",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("digest", Text, nullable=False),
    Column("content", Text, nullable=False),
)

journey_release = Table(
    "journey_release",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("by", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("digest", Text, nullable=False),
)

journey_item = Table(
    "journey_item",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("version", Integer, nullable=False),
)

journey_switch = Table(
    "journey_switch",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("why", Text, nullable=False),
)
OWN = tuple(metadata.tables)
