"""The trail, what is left of who was forgotten, and triggers: nothing is changed, nothing goes
unless an erasure takes its place."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from guardrails.tenancy import protect

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None
TABLES = ("consent", "consent_erasure", "consent_erasing")
KEYS = {"consent": "subject", "consent_erasure": "subject_mac"}
"""Tables that only grow, by the middle column of their key."""
REFUSED = "the trail of consents only grows"

# The table is named with its schema: one of the session's own with this name would come first.
POSTGRES_REFUSE = f"""
CREATE FUNCTION consent_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '{REFUSED}';
END $$"""
POSTGRES_GUARD = f"""
CREATE FUNCTION consent_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE forgotten boolean;
BEGIN
  EXECUTE format(
    'SELECT EXISTS (SELECT 1 FROM %I.consent_erasing JOIN %I.consent_erasure'
    ' USING (tenant, subject_mac, number) WHERE tenant = $1 AND subject = $2)',
    TG_TABLE_SCHEMA, TG_TABLE_SCHEMA) INTO forgotten USING OLD.tenant, OLD.subject;
  IF NOT forgotten THEN
    RAISE EXCEPTION '{REFUSED}';
  END IF;
  RETURN OLD;
END $$"""
POSTGRES = (
    POSTGRES_REFUSE,
    POSTGRES_GUARD,
    "CREATE TRIGGER consent_goes BEFORE DELETE ON consent"
    " FOR EACH ROW EXECUTE FUNCTION consent_guard()",
    "CREATE TRIGGER consent_erasure_goes BEFORE DELETE ON consent_erasure"
    " FOR EACH ROW EXECUTE FUNCTION consent_refuse()",
    *(
        f"CREATE TRIGGER {table}_{name} BEFORE {event} ON {table}"
        f" FOR EACH {each} EXECUTE FUNCTION consent_refuse()"
        for table in KEYS
        for name, event, each in (
            ("changes", "UPDATE", "ROW"),
            ("empties", "TRUNCATE", "STATEMENT"),
        )
    ),
)
_RAISE = f"SELECT RAISE(ABORT, '{REFUSED}')"
SQLITE = (
    "CREATE TRIGGER consent_goes BEFORE DELETE ON consent WHEN NOT EXISTS"
    " (SELECT 1 FROM consent_erasing JOIN consent_erasure USING (tenant, subject_mac, number)"
    f" WHERE tenant = OLD.tenant AND subject = OLD.subject) BEGIN {_RAISE}; END",
    f"CREATE TRIGGER consent_erasure_goes BEFORE DELETE ON consent_erasure BEGIN {_RAISE}; END",
    *(
        f"CREATE TRIGGER {table}_changes BEFORE UPDATE ON {table} BEGIN {_RAISE}; END"
        for table in KEYS
    ),
    *(  # INSERT OR REPLACE deletes without asking the trigger of DELETE
        f"CREATE TRIGGER {table}_replaces BEFORE INSERT ON {table} WHEN EXISTS (SELECT 1 FROM"
        f" {table} WHERE tenant = NEW.tenant AND {key} = NEW.{key} AND number = NEW.number)"
        f" BEGIN {_RAISE}; END"
        for table, key in KEYS.items()
    ),
)


def upgrade() -> None:
    _make_tables()
    bind = op.get_bind()
    protect(bind, *TABLES)
    for statement in POSTGRES if bind.dialect.name == "postgresql" else SQLITE:
        op.execute(statement)


def _make_tables() -> None:
    op.create_table(
        "consent",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("field", sa.Text),
        sa.Column("given", sa.Boolean, nullable=False),
        sa.Column("text_version", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("recorded_by", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "consent_erasure",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("subject_mac", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("entries", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "consent_erasing",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("subject_mac", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION consent_guard()")
        op.execute("DROP FUNCTION consent_refuse()")
