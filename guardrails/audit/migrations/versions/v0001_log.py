"""The log, what is said of rows that went by age, and triggers: a row changes only to be about
nobody, and goes only where a sweep is stated in its place."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from guardrails.tenancy import protect

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None
TABLES = ("audit", "audit_sweep")
KEYS = {"audit": "seq", "audit_sweep": "number"}
KEPT = ("tenant", "seq", "at", "what", "route", "request_id")
REFUSED = "the audit log only grows"


def _nameless(same: str) -> str:
    """A name may go from who it is about, and from who approved; nothing else changes."""
    kept = " AND ".join(f"NEW.{column} {same} OLD.{column}" for column in KEPT)
    who = f"(NEW.who {same} OLD.who OR OLD.what = 'approval' AND NEW.who LIKE 'erased.%')"
    whom = f"(NEW.whom {same} OLD.whom OR NEW.whom LIKE 'erased.%')"
    return f"{kept} AND {who} AND {whom}"


# The table is named with its schema: one of the session's own with this name would come first.
POSTGRES_REFUSE = f"""
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '{REFUSED}';
END $$"""
POSTGRES_GUARD = f"""
CREATE FUNCTION audit_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE swept boolean;
BEGIN
  EXECUTE format(
    'SELECT EXISTS (SELECT 1 FROM %I.audit_sweep WHERE tenant = $1 AND through >= $2)',
    TG_TABLE_SCHEMA) INTO swept USING OLD.tenant, OLD.seq;
  IF NOT swept THEN
    RAISE EXCEPTION '{REFUSED}';
  END IF;
  RETURN OLD;
END $$"""
POSTGRES = (
    POSTGRES_REFUSE,
    POSTGRES_GUARD,
    "CREATE TRIGGER audit_goes BEFORE DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_guard()",
    "CREATE TRIGGER audit_changes BEFORE UPDATE ON audit FOR EACH ROW WHEN"
    f" (({_nameless('IS NOT DISTINCT FROM')}) IS NOT TRUE) EXECUTE FUNCTION audit_refuse()",
    *(
        f"CREATE TRIGGER audit_sweep_{name} BEFORE {event} ON audit_sweep"
        " FOR EACH ROW EXECUTE FUNCTION audit_refuse()"
        for name, event in (("goes", "DELETE"), ("changes", "UPDATE"))
    ),
    *(
        f"CREATE TRIGGER {table}_empties BEFORE TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()"
        for table in TABLES
    ),
)
_RAISE = f"SELECT RAISE(ABORT, '{REFUSED}')"
SQLITE = (
    "CREATE TRIGGER audit_goes BEFORE DELETE ON audit WHEN NOT EXISTS (SELECT 1 FROM audit_sweep"
    f" WHERE tenant = OLD.tenant AND through >= OLD.seq) BEGIN {_RAISE}; END",
    f"CREATE TRIGGER audit_changes BEFORE UPDATE ON audit WHEN ({_nameless('IS')})"
    f" IS NOT TRUE BEGIN {_RAISE}; END",
    *(
        f"CREATE TRIGGER audit_sweep_{name} BEFORE {event} ON audit_sweep BEGIN {_RAISE}; END"
        for name, event in (("goes", "DELETE"), ("changes", "UPDATE"))
    ),
    *(  # INSERT OR REPLACE deletes without asking the trigger of DELETE
        f"CREATE TRIGGER {table}_replaces BEFORE INSERT ON {table} WHEN EXISTS (SELECT 1 FROM"
        f" {table} WHERE tenant = NEW.tenant AND {key} = NEW.{key}) BEGIN {_RAISE}; END"
        for table, key in KEYS.items()
    ),
)


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("whom", sa.Text),
        sa.Column("route", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("audit_of_whom", "audit", ["tenant", "whom", "seq"])
    op.create_index("audit_by_age", "audit", ["tenant", "at"])
    op.create_table(
        "audit_sweep",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("through", sa.BigInteger, nullable=False),
        sa.Column("entries", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    bind = op.get_bind()
    protect(bind, *TABLES)
    for statement in POSTGRES if bind.dialect.name == "postgresql" else SQLITE:
        op.execute(statement)


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_guard()")
        op.execute("DROP FUNCTION audit_refuse()")
