"""Row security: on PostgreSQL a transaction sees the rows of one tenant."""

from __future__ import annotations

from alembic import op

from guardrails.tenancy import protect, unprotect

revision = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None
TABLES = ("conversation", "message", "run_event")


def upgrade() -> None:
    protect(op.get_bind(), *TABLES)


def downgrade() -> None:
    unprotect(op.get_bind(), *TABLES)
