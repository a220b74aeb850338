"""Facts, questions, self-models, the graph, and evaluations of readiness."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from guardrails.tenancy import protect

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None
TABLES = (
    *("profile_fact", "profile_asked", "profile_self", "profile_node", "profile_edge"),
    "readiness_evaluation",
)


def _text(name: str, *, key: bool = False, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=null)


def upgrade() -> None:
    _make_facts()
    _make_graph()
    op.create_table(
        "readiness_evaluation",
        _text("tenant", key=True),
        _text("at", key=True),
        _text("report"),
    )
    protect(op.get_bind(), *TABLES)


def _make_facts() -> None:
    op.create_table(
        "profile_fact",
        *(_text(name, key=True) for name in ("tenant", "subject", "id")),
        _text("name"),
        _text("value"),
        sa.Column("confidence", sa.Float, nullable=False),
        _text("source"),
        _text("valid_from"),
        _text("expires", null=True),
        *(_text(name) for name in ("purpose", "evidence", "odds", "reasons")),
    )
    op.create_index("profile_fact_by_age", "profile_fact", ["tenant", "valid_from"])
    op.create_table(
        "profile_asked",
        *(_text(name, key=True) for name in ("tenant", "subject", "session", "question")),
        _text("at"),
        _text("reply"),
    )
    op.create_index("profile_asked_by_age", "profile_asked", ["tenant", "at"])
    op.create_table(
        "profile_self",
        _text("tenant", key=True),
        _text("subject", key=True),
        _text("at"),
        _text("model"),
    )


def _make_graph() -> None:
    op.create_table("profile_node", _text("tenant", key=True), _text("id", key=True), _text("kind"))
    op.create_table(
        "profile_edge",
        *(_text(name, key=True) for name in ("tenant", "src", "rel", "dst", "key")),
        _text("evidence"),
        _text("subject", null=True),
        _text("purpose"),
        sa.Column("confidence", sa.Float, nullable=False),
        _text("valid_from"),
        _text("valid_to", null=True),
        sqlite_with_rowid=False,
    )
    op.create_index("profile_edge_of_subject", "profile_edge", ["tenant", "subject"])
    newest = ["tenant", "src", "rel", "valid_from"]
    op.create_index("profile_edge_newest", "profile_edge", newest)
    op.create_index("profile_edge_to", "profile_edge", ["tenant", "dst"])
    op.create_index("profile_edge_of_event", "profile_edge", ["tenant", "evidence"])
    op.create_index("profile_edge_by_age", "profile_edge", ["tenant", "valid_from"])


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
