"""Actions, approvals, compensations, receipts, the outbox, standing consents, subject keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None
TABLES = (
    "subject_key",
    "standing_consent",
    "outbox",
    "chain_head",
    "receipt",
    "compensation",
    "approval",
    "action",
)


def upgrade() -> None:
    _action()
    _approval()
    _compensation()
    _receipt()
    _chain_head()
    _outbox()
    _standing_consent()
    _subject_key()


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)


def _action() -> None:
    op.create_table(
        "action",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("ordinal", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("idem_key", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("tool", sa.Text, nullable=False),
        sa.Column("tool_version", sa.Text, nullable=False),
        sa.Column("args", sa.LargeBinary),
        sa.Column("nonce", sa.LargeBinary),
        sa.Column("salt", sa.LargeBinary),
        sa.Column("args_commit", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("etag", sa.Text),
        sa.Column("tier", sa.Integer, nullable=False),
        sa.Column("policy_version", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("doubt", sa.Boolean, nullable=False),
        sa.Column("lease_until", sa.Text),
        sa.Column("created", sa.Text, nullable=False),
        sa.Column("expires", sa.Text, nullable=False),
        sa.Column("started", sa.Text),
        sa.Column("changed", sa.Text, nullable=False),
        sa.Column("thread_id", sa.Text),
        sa.Column("parent", sa.Text),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("undoes", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("detail", sa.LargeBinary),
        sa.Column("card", sa.LargeBinary),
        sa.Column("result", sa.LargeBinary),
        sa.Column("effect_ref", sa.Text, nullable=False),
        sa.Column("receipt", sa.Text),
        sa.Column("decided_by", sa.Text, nullable=False),
        sa.UniqueConstraint("tenant", "idem_key", name="action_proposed_once"),
    )
    op.create_index("action_due", "action", ["state", "lease_until"])
    op.create_index("action_by_id", "action", ["id"])
    op.create_index("action_of_subject", "action", ["tenant", "subject", "state"])
    op.create_index("action_step", "action", ["tenant", "parent"])
    op.create_index("action_of_thread", "action", ["tenant", "thread_id"])
    op.create_index("action_in_order", "action", ["ordinal"])


def _approval() -> None:
    op.create_table(
        "approval",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("action_id", sa.Text, nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("approver", sa.Text, nullable=False),
        sa.Column("auth_time", sa.Text),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("policy_hash", sa.Text, nullable=False),
        sa.Column("created", sa.Text, nullable=False),
        sa.Column("expires", sa.Text, nullable=False),
        sa.Column("consumed_at", sa.Text),
        sa.UniqueConstraint("tenant", "action_id", "approver", name="approval_one_each"),
    )


def _compensation() -> None:
    op.create_table(
        "compensation",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("action_id", sa.Text, nullable=False),
        sa.Column("tool", sa.Text, nullable=False),
        sa.Column("tool_version", sa.Text, nullable=False),
        sa.Column("args", sa.LargeBinary),
        sa.Column("etag", sa.Text),
        sa.Column("taken_by", sa.Text),
        sa.Column("created", sa.Text, nullable=False),
        sa.UniqueConstraint("tenant", "action_id", name="compensation_one_each"),
    )


def _receipt() -> None:
    op.create_table(
        "receipt",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("action_id", sa.Text, nullable=False),
        sa.Column("prev", sa.Text, nullable=False),
        sa.Column("jws", sa.Text, nullable=False),
        sa.Column("created", sa.Text, nullable=False),
    )
    op.create_index("receipt_of_action", "receipt", ["tenant", "action_id"])


def _chain_head() -> None:
    op.create_table(
        "chain_head",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("action_id", sa.Text, nullable=False),
        sa.Column("thread_id", sa.Text),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("next_at", sa.Text),
        sa.Column("sent_at", sa.Text),
        sa.Column("created", sa.Text, nullable=False),
    )
    op.create_index("outbox_in_order", "outbox", ["id"])
    untold = sa.text("sent_at IS NULL")
    op.create_index("outbox_untold", "outbox", ["id"], sqlite_where=untold, postgresql_where=untold)


def _standing_consent() -> None:
    op.create_table(
        "standing_consent",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("tool", sa.Text, primary_key=True),
        sa.Column("given", sa.Boolean, nullable=False),
    )


def _subject_key() -> None:
    op.create_table(
        "subject_key",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("wrapped", sa.LargeBinary),
    )
