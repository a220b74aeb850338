"""Conversations, their messages and the event log of their runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "conversation",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("thread_id", sa.Text, primary_key=True),
        sa.Column("created", sa.Text, nullable=False),
        sa.Column("last_seq", sa.Integer, nullable=False),
        sa.Column("next_event", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "message",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("thread_id", sa.Text, primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("created", sa.Text, nullable=False),
        sa.Column("reply_to", sa.Text),
        sa.Column("citations", sa.JSON, nullable=False),
        sa.Column("decision", sa.JSON, nullable=False),
        sa.Column("scope", sa.JSON),
        sa.ForeignKeyConstraint(
            ["tenant", "thread_id"],
            ["conversation.tenant", "conversation.thread_id"],
            name="message_conversation",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("tenant", "thread_id", "message_id", name="message_id_once"),
        sa.UniqueConstraint("tenant", "thread_id", "reply_to", name="one_answer_each"),
    )
    op.create_table(
        "run_event",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("thread_id", sa.Text, primary_key=True),
        sa.Column("event_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "thread_id"],
            ["conversation.tenant", "conversation.thread_id"],
            name="run_event_conversation",
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    op.drop_table("run_event")
    op.drop_table("message")
    op.drop_table("conversation")
