"""The log, partitioned by month on PostgreSQL, with what says who is who and who reads how far."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from guardrails.tenancy import protect

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None
TABLES = (
    "product_event",
    "event_message",
    "event_alias",
    "event_member",
    "event_reader",
    "event_quarantine",
    "event_tombstone",
)
POSTGRES_LOG = """
CREATE TABLE product_event (
  number bigint NOT NULL,
  tenant text NOT NULL,
  message_id text NOT NULL,
  kind text NOT NULL,
  name text NOT NULL,
  version text NOT NULL,
  "user" text,
  anonymous text,
  account text,
  occurred_at bigint NOT NULL,
  received_at bigint NOT NULL,
  purposes integer NOT NULL,
  fields jsonb NOT NULL,
  PRIMARY KEY (number, received_at)
) PARTITION BY RANGE (received_at)"""
POSTGRES = (
    POSTGRES_LOG,
    "CREATE SEQUENCE product_event_number",
    # for what no month was made yet: nothing that came is refused for want of a partition
    "CREATE TABLE product_event_default PARTITION OF product_event DEFAULT",
    "CREATE INDEX product_event_message ON product_event (tenant, message_id, received_at)",
    "CREATE INDEX product_event_newest ON product_event (tenant, number)",
)
INDEXES = (
    'CREATE INDEX product_event_of_user ON product_event (tenant, "user", occurred_at)'
    ' WHERE "user" IS NOT NULL',
    "CREATE INDEX product_event_of_visitor ON product_event (tenant, anonymous, occurred_at)"
    ' WHERE "user" IS NULL',
    "CREATE INDEX product_event_of_account ON product_event (tenant, account, occurred_at)"
    " WHERE account IS NOT NULL",
    "CREATE INDEX product_event_received ON product_event (received_at)",
)


def upgrade() -> None:
    on_postgres = op.get_bind().dialect.name == "postgresql"
    if on_postgres:
        for statement in POSTGRES:
            op.execute(statement)
    else:
        _make_log()
    for statement in INDEXES:
        op.execute(statement)
    _make_identity()
    _make_books()
    protect(op.get_bind(), *TABLES)
    if on_postgres:
        protect(op.get_bind(), "product_event_default")


def _make_log() -> None:
    op.create_table(
        "product_event",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("user", sa.Text),
        sa.Column("anonymous", sa.Text),
        sa.Column("account", sa.Text),
        sa.Column("occurred_at", sa.BigInteger, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("purposes", sa.Integer, nullable=False),
        sa.Column("fields", sa.JSON, nullable=False),
        sqlite_autoincrement=True,  # the number of a deleted event is not given again
    )


def _make_identity() -> None:
    op.create_table(
        "event_alias",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("anonymous", sa.Text, primary_key=True),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("event_alias_of", "event_alias", ["tenant", "user"])
    op.create_table(
        "event_member",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("user", sa.Text, primary_key=True),
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("primary", sa.Boolean, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("event_member_of", "event_member", ["tenant", "account"])
    op.create_table(
        "event_tombstone",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("subject_mac", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def _make_books() -> None:
    op.create_table(
        "event_message",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("message_id", sa.Text, primary_key=True),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "event_reader",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "event_quarantine",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("message_id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("reasons", sa.Text, nullable=False),
        sa.Column("occurred_at", sa.BigInteger, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("shape", sa.JSON, nullable=False),
        sa.Column("sealed", sa.LargeBinary),
    )
    op.create_index("event_quarantine_of", "event_quarantine", ["tenant", "subject"])
    op.create_index("event_quarantine_received", "event_quarantine", ["tenant", "received_at"])


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP SEQUENCE product_event_number")
