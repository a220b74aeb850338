"""Whose a conversation is, and what caused a turn that nobody typed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("conversation", sa.Column("subject", sa.Text))
    op.add_column("message", sa.Column("cause", sa.JSON))


def downgrade() -> None:
    op.drop_column("message", "cause")
    op.drop_column("conversation", "subject")
