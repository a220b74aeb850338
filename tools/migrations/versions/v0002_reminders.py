"""Reminders are found by action and by thread."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None
_REMINDERS = sa.text("kind = 'reminder'")


def upgrade() -> None:
    op.create_index(
        "outbox_reminders",
        "outbox",
        ["tenant", "action_id"],
        sqlite_where=_REMINDERS,
        postgresql_where=_REMINDERS,
    )


def downgrade() -> None:
    op.drop_index("outbox_reminders", "outbox")
