"""Who was silent since when, and when they are looked at next."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from guardrails.tenancy import protect

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "silent_person",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("account", sa.Text),
        sa.Column("since", sa.Text, nullable=False),
        sa.Column("due", sa.Text, nullable=False),
        sa.Column("looked_at", sa.Text),
    )
    op.create_index("silent_person_by_due", "silent_person", ["tenant", "due"])
    op.create_index("silent_person_by_look", "silent_person", ["tenant", "looked_at"])
    protect(op.get_bind(), "silent_person")


def downgrade() -> None:
    op.drop_table("silent_person")
