"""The record of decisions, and triggers: no row is changed but to make its subject nameless."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from guardrails.tenancy import protect

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None
TABLES = ("decision", "decision_outcome")
INDEXES = {
    "decision_newest": ("decision", ("tenant", "at", "id")),
    "decision_of_kind": ("decision", ("tenant", "kind", "at", "id")),
    "decision_of_subject": ("decision", ("tenant", "subject", "at", "id")),
    "decision_of_thread": ("decision", ("tenant", "thread_id", "at", "id")),
    "decision_due": ("decision", ("kind", "at")),
    "decision_outcome_of": ("decision_outcome", ("tenant", "decision_id", "at")),
}
REFUSED = "the record of decisions is not changed"
TAKEN = ("subject", "thread_id", "run_id", "message_id")
"""What an erasure takes; the rest of the row stays as it is."""
KEPT = (
    *("tenant", "id", "kind", "purpose", "at", "outcome", "reason"),
    *("model_version", "prompt_version", "policy_version", "index_version", "tool_version"),
    *("experiment", "arm", "propensity", "evidence", "amounts"),
)
_NAMELESS = "NEW.subject LIKE 'erased.%' AND " + " AND ".join(
    f"NEW.{column} IS NULL" for column in TAKEN[1:]
)
_TAKEN = ", ".join(f"'{column}'" for column in TAKEN)
POSTGRES = (
    f"""CREATE FUNCTION decision_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '{REFUSED}';
END $$""",
    "CREATE TRIGGER decision_changes BEFORE UPDATE ON decision FOR EACH ROW WHEN"
    f" (({_NAMELESS} AND to_jsonb(NEW) - ARRAY[{_TAKEN}] = to_jsonb(OLD) - ARRAY[{_TAKEN}])"
    " IS NOT TRUE) EXECUTE FUNCTION decision_refuse()",
    "CREATE TRIGGER decision_outcome_changes BEFORE UPDATE ON decision_outcome"
    " FOR EACH ROW EXECUTE FUNCTION decision_refuse()",
)
_RAISE = f"SELECT RAISE(ABORT, '{REFUSED}')"
_SAME = " AND ".join(f"NEW.{column} IS OLD.{column}" for column in KEPT)
SQLITE = (
    "CREATE TRIGGER decision_changes BEFORE UPDATE ON decision"
    f" WHEN ({_NAMELESS} AND {_SAME}) IS NOT TRUE BEGIN {_RAISE}; END",
    "CREATE TRIGGER decision_outcome_changes BEFORE UPDATE ON decision_outcome"
    f" BEGIN {_RAISE}; END",
    *(  # INSERT OR REPLACE would put another row in its place
        f"CREATE TRIGGER {table}_replaces BEFORE INSERT ON {table} WHEN EXISTS (SELECT 1 FROM"
        f" {table} WHERE tenant = NEW.tenant AND id = NEW.id) BEGIN SELECT RAISE(IGNORE); END"
        for table in TABLES
    ),
)


def upgrade() -> None:
    _make_tables()
    for name, (table, columns) in INDEXES.items():
        op.create_index(name, table, list(columns))
    bind = op.get_bind()
    protect(bind, *TABLES)
    for statement in POSTGRES if bind.dialect.name == "postgresql" else SQLITE:
        op.execute(statement)


def _make_tables() -> None:
    op.create_table(
        "decision",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("subject", sa.Text),
        sa.Column("thread_id", sa.Text),
        sa.Column("run_id", sa.Text),
        sa.Column("message_id", sa.Text),
        sa.Column("model_version", sa.Text),
        sa.Column("prompt_version", sa.Text),
        sa.Column("policy_version", sa.Text),
        sa.Column("index_version", sa.Text),
        sa.Column("tool_version", sa.Text),
        sa.Column("experiment", sa.Text),
        sa.Column("arm", sa.Text),
        sa.Column("propensity", sa.Float(53)),
        sa.Column("evidence", sa.JSON, nullable=False),
        sa.Column("amounts", sa.JSON, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "decision_outcome",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("decision_id", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION decision_refuse()")
