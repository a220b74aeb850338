"""Which version of a model or of rules made a fact, or how it was said."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    made_by = sa.Column("made_by", sa.Text, nullable=False, server_default="")
    op.add_column("profile_fact", made_by)
