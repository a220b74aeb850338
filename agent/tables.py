"""The tables that hold conversations, and messages as their rows; `migrations/` makes them.

Every key starts with the tenant. Times are ISO 8601 in UTC: SQLite has no type that keeps a zone.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    RowMapping,
    Table,
    Text,
    UniqueConstraint,
)

from agent.conversations import Message, Status
from agent.events import dump_citations, dump_scope, load_citations, load_scope
from guardrails import stored

VERSION_TABLE = "agent_schema_version"
metadata = MetaData()

_OF_CONVERSATION = (
    ["tenant", "thread_id"],
    ["conversation.tenant", "conversation.thread_id"],
)

conversation = Table(
    "conversation",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("thread_id", Text, primary_key=True),
    Column("created", Text, nullable=False),
    Column("last_seq", Integer, nullable=False),
    Column("next_event", BigInteger, nullable=False),
    Column("subject", Text),
)

message = Table(
    "message",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("thread_id", Text, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("message_id", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("created", Text, nullable=False),
    Column("reply_to", Text),
    Column("citations", JSON, nullable=False),
    Column("decision", JSON, nullable=False),
    Column("scope", JSON),
    Column("cause", JSON),
    ForeignKeyConstraint(*_OF_CONVERSATION, name="message_conversation", ondelete="CASCADE"),
    UniqueConstraint("tenant", "thread_id", "message_id", name="message_id_once"),
    UniqueConstraint("tenant", "thread_id", "reply_to", name="one_answer_each"),
)

run_event = Table(
    "run_event",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("thread_id", Text, primary_key=True),
    Column("event_id", BigInteger, primary_key=True, autoincrement=False),
    Column("run_id", Text, nullable=False),
    Column("payload", Text, nullable=False),
    ForeignKeyConstraint(*_OF_CONVERSATION, name="run_event_conversation", ondelete="CASCADE"),
)


def row_of(said: Message) -> dict[str, object]:
    """The message as a row of `message`."""
    return {
        "tenant": said.tenant,
        "thread_id": said.thread_id,
        "seq": said.seq,
        "message_id": said.message_id,
        "role": said.role,
        "text": said.text,
        "status": said.status,
        "run_id": said.run_id,
        "created": said.created.isoformat(),
        "reply_to": said.reply_to,
        "citations": dump_citations(said.citations),
        "decision": dict(said.decision),
        "scope": None if said.scope is None else dump_scope(said.scope),
        "cause": dict(said.cause) or None,
    }


def message_of(row: RowMapping) -> Message:
    """The row as a message. Raises ValueError when its JSON is damaged."""
    return Message(
        tenant=row["tenant"],
        thread_id=row["thread_id"],
        message_id=row["message_id"],
        seq=row["seq"],
        role=row["role"],
        text=stored(row["text"]),
        status=Status(row["status"]),
        run_id=row["run_id"],
        created=datetime.fromisoformat(row["created"]),
        reply_to=row["reply_to"],
        citations=load_citations(row["citations"]),
        decision=row["decision"],
        scope=None if row["scope"] is None else load_scope(row["scope"]),
        cause=row["cause"] or {},
    )
