"""How far people are with tooltips, walkthroughs and clips."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from guardrails.tenancy import protect

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None
_KEYS, _TEXTS, _NUMBERS = (
    ("tenant", "subject", "guide"),
    ("state", "shown_at", "at"),
    ("version", "stop"),
)


def upgrade() -> None:
    op.create_table(
        "journey_guide",
        *(sa.Column(name, sa.Text, primary_key=True) for name in _KEYS),
        *(sa.Column(name, sa.Integer, nullable=False) for name in _NUMBERS),
        *(sa.Column(name, sa.Text, nullable=False) for name in _TEXTS),
    )
    op.create_index("journey_guide_at", "journey_guide", ["tenant", "at"])
    protect(op.get_bind(), "journey_guide")
