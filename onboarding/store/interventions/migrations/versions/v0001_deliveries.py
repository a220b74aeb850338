"""Deliveries, cap tokens, what was sent, what people chose, who is busy, refused addresses,
detectors' state and fixes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from guardrails.tenancy import protect

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

TABLES = (
    "intervention_delivery",
    "intervention_token",
    "intervention_outbox",
    "intervention_choice",
    "intervention_silence",
    "intervention_refused",
    "intervention_watch",
    "intervention_fix",
)
INDEXES = (
    ("intervention_delivery_due", "intervention_delivery", ["tenant", "state", "due"]),
    ("intervention_delivery_person", "intervention_delivery", ["tenant", "subject", "state"]),
    ("intervention_delivery_provider", "intervention_delivery", ["tenant", "provider_id"]),
    ("intervention_delivery_part", "intervention_delivery", ["tenant", "part_of"]),
    ("intervention_token_person", "intervention_token", ["tenant", "subject", "at"]),
    ("intervention_token_account", "intervention_token", ["tenant", "account", "channel", "at"]),
    ("intervention_outbox_delivery", "intervention_outbox", ["tenant", "delivery"]),
    ("intervention_watch_due", "intervention_watch", ["tenant", "due"]),
)


def upgrade() -> None:
    _make_deliveries()
    _make_people()
    for name, table, columns in INDEXES:
        op.create_index(name, table, columns)
    protect(op.get_bind(), *TABLES)


def _make_deliveries() -> None:
    op.create_table(
        "intervention_delivery",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("account", sa.Text),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("exclusive", sa.Text),
        sa.Column("not_before", sa.Text),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("planned_at", sa.Text, nullable=False),
        sa.Column("due", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("begun", sa.Boolean, nullable=False),
        sa.Column("lease_until", sa.Text),
        sa.Column("sent_at", sa.Text),
        sa.Column("provider_id", sa.Text),
        sa.Column("changed_at", sa.Text, nullable=False),
        sa.Column("part_of", sa.Text),
        sa.Column("achieved_at", sa.Text),
    )
    op.create_table(
        "intervention_token",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("delivery", sa.Text, primary_key=True),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("account", sa.Text),
        sa.Column("journey", sa.Text, nullable=False),
        sa.Column("counts", sa.Boolean, nullable=False),
    )
    op.create_table(
        "intervention_outbox",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("delivery", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
    )


def _make_people() -> None:
    op.create_table(
        "intervention_choice",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("wish", sa.Text, primary_key=True),
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("until", sa.Text),
    )
    op.create_table(
        "intervention_silence",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("silence", sa.Text, primary_key=True),
        sa.Column("until", sa.Text, nullable=False),
    )
    op.create_table(
        "intervention_refused",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("address", sa.Text, primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
    )
    op.create_table(
        "intervention_watch",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("account", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("due", sa.Text),
        sa.Column("changed_at", sa.Text, nullable=False),
    )
    op.create_table(
        "intervention_fix",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("detector", sa.Text, primary_key=True),
        sa.Column("about", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("fix", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("ended_at", sa.Text),
        sa.Column("worked", sa.Boolean),
    )


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
