"""The tables of acting; `migrations/` makes them.

Every key starts with the tenant. Times are ISO 8601 in UTC with microseconds, so that their text
sorts. What persons wrote or are (arguments, cards, results, salts) is ciphertext under the key of
the subject, null once that is destroyed. `ordinal` is the order of insertion.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

VERSION_TABLE = "tools_schema_version"
metadata = MetaData()

action = Table(
    "action",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("ordinal", BigInteger, Identity(), nullable=False),
    Column("idem_key", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("tool", Text, nullable=False),
    Column("tool_version", Text, nullable=False),
    Column("args", LargeBinary),
    Column("nonce", LargeBinary),
    Column("salt", LargeBinary),
    Column("args_commit", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("etag", Text),
    Column("tier", Integer, nullable=False),
    Column("policy_version", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("worker", Text, nullable=False),
    Column("doubt", Boolean, nullable=False),
    Column("lease_until", Text),
    Column("created", Text, nullable=False),
    Column("expires", Text, nullable=False),
    Column("started", Text),
    Column("changed", Text, nullable=False),
    Column("thread_id", Text),
    Column("parent", Text),
    Column("step", Text, nullable=False),
    Column("undoes", Text),
    Column("reason", Text, nullable=False),
    Column("detail", LargeBinary),
    Column("card", LargeBinary),
    Column("result", LargeBinary),
    Column("effect_ref", Text, nullable=False),
    Column("receipt", Text),
    Column("decided_by", Text, nullable=False),
    UniqueConstraint("tenant", "idem_key", name="action_proposed_once"),
    Index("action_due", "state", "lease_until"),
    Index("action_by_id", "id"),
    Index("action_of_subject", "tenant", "subject", "state"),
    Index("action_step", "tenant", "parent"),
    Index("action_of_thread", "tenant", "thread_id"),
    Index("action_in_order", "ordinal"),
)

approval = Table(
    "approval",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("action_id", Text, nullable=False),
    Column("place", Integer, nullable=False),
    Column("digest", Text, nullable=False),
    Column("approver", Text, nullable=False),
    Column("auth_time", Text),
    Column("channel", Text, nullable=False),
    Column("decision", Text, nullable=False),  # approve | deny
    Column("policy_hash", Text, nullable=False),
    Column("created", Text, nullable=False),
    Column("expires", Text, nullable=False),
    Column("consumed_at", Text),
    UniqueConstraint("tenant", "action_id", "approver", name="approval_one_each"),
)

compensation = Table(
    "compensation",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("action_id", Text, nullable=False),
    Column("tool", Text, nullable=False),
    Column("tool_version", Text, nullable=False),
    Column("args", LargeBinary),
    Column("etag", Text),
    Column("taken_by", Text),  # the action that undoes it
    Column("created", Text, nullable=False),
    UniqueConstraint("tenant", "action_id", name="compensation_one_each"),
)

receipt = Table(
    "receipt",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("action_id", Text, nullable=False),
    Column("prev", Text, nullable=False),
    Column("jws", Text, nullable=False),
    Column("created", Text, nullable=False),
    Index("receipt_of_action", "tenant", "action_id"),
)

chain_head = Table(
    "chain_head",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("action_id", Text, nullable=False),
    Column("thread_id", Text),
    Column("attempt", Integer, nullable=False),
    Column("next_at", Text),
    Column("sent_at", Text),
    Column("created", Text, nullable=False),
    Index("outbox_in_order", "id"),
)
Index(
    "outbox_untold",
    outbox.c.id,
    sqlite_where=outbox.c.sent_at.is_(None),
    postgresql_where=outbox.c.sent_at.is_(None),
)
_REMINDERS = text("kind = 'reminder'")  # as it stands in the index, for the planner to see
Index(
    "outbox_reminders",
    outbox.c.tenant,
    outbox.c.action_id,
    sqlite_where=_REMINDERS,
    postgresql_where=_REMINDERS,
)

standing_consent = Table(
    "standing_consent",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("tool", Text, primary_key=True),
    Column("given", Boolean, nullable=False),
)

subject_key = Table(
    "subject_key",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("wrapped", LargeBinary),  # null: destroyed
)
