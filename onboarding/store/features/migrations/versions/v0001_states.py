"""States by subject, and how far the log was read for them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from guardrails.tenancy import protect

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None
TABLES = ("feature_state", "feature_position")


def upgrade() -> None:
    op.create_table(
        "feature_state",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("spec", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("state", sa.LargeBinary, nullable=False),
        sa.Column("pruned_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("feature_state_of", "feature_state", ["tenant", "subject"])
    op.create_index("feature_state_updated", "feature_state", ["tenant", "updated_at"])
    op.create_table(
        "feature_position",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("spec", sa.Text, primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("changes", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    protect(op.get_bind(), *TABLES)


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
