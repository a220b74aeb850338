"""Decisions with their snapshots, outcomes, what is muted, and which version serves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from guardrails.tenancy import protect

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None
TABLES = ("next_step_decision", "next_step_outcome", "next_step_mute", "model_move")


def upgrade() -> None:
    _decisions()
    _outcomes()
    op.create_table(
        "model_move",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("slot", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", sa.Text),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    protect(op.get_bind(), *TABLES)


def _decisions() -> None:
    op.create_table(
        "next_step_decision",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("model", sa.Text),
        sa.Column("chosen", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    by_subject = ["tenant", "subject", "at"]
    op.create_index("next_step_decision_by_subject", "next_step_decision", by_subject)
    op.create_index("next_step_decision_by_age", "next_step_decision", ["tenant", "at"])


def _outcomes() -> None:
    op.create_table(
        "next_step_outcome",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("decision", sa.Text, primary_key=True),
        sa.Column("action", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("at", sa.Text, primary_key=True),
        sa.Column("account", sa.Text),
        sa.Column("until", sa.Text),
    )
    op.create_index("next_step_outcome_by_age", "next_step_outcome", ["tenant", "at"])
    op.create_table(
        "next_step_mute",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("action", sa.Text, primary_key=True),
        sa.Column("account", sa.Text),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("since", sa.Text, nullable=False),
        sa.Column("until", sa.Text),
        sa.Column("next_visit", sa.Boolean, nullable=False),
    )


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
