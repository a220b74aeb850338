"""Whose rows a transaction sees: on PostgreSQL row security, set inside each transaction.

A transaction that names no tenant sees nothing. Only upkeep that serves all tenants at once, such
as a worker that looks for what is due, says EVERYBODY, and never with what a person sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from sqlalchemy import Connection, Engine, event, text

EVERYBODY = "*"
"""No tenant may be called so."""
_SETTING = "embark.tenant"
_TENANT: ContextVar[str] = ContextVar("tenant", default="")


@contextmanager
def within(tenant: str) -> Iterator[None]:
    """Transactions that begin in the block, in this thread or task, are this tenant's."""
    before = _TENANT.set(tenant)
    try:
        yield
    finally:
        _TENANT.reset(before)


def whose() -> str:
    """The tenant that `within` names here; empty where none is named."""
    return _TENANT.get()


def confine(engine: Engine) -> None:
    """Every transaction of this engine is of the tenant that `within` names. PostgreSQL only: in
    SQLite the keys alone keep tenants apart."""
    if engine.dialect.name == "postgresql":
        event.listen(engine, "begin", _begin)


def _begin(connection: Connection) -> None:
    """Local to the transaction: the next user of a pooled connection does not inherit it."""
    connection.execute(
        text("SELECT set_config(:name, :tenant, true)"), {"name": _SETTING, "tenant": whose()}
    )


def protect(connection: Connection, *tables: str) -> None:
    """Row security on these tables, for their owner too; nothing happens on SQLite. A superuser, or
    a role with BYPASSRLS, is above it: `embark doctor` names such a role."""
    if connection.dialect.name != "postgresql":
        return
    mine = f"current_setting('{_SETTING}', true) IN (tenant, '{EVERYBODY}')"
    for table in tables:
        connection.execute(text(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY'))
        connection.execute(text(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY'))
        connection.execute(
            text(f'CREATE POLICY of_tenant ON "{table}" USING ({mine}) WITH CHECK ({mine})')
        )


def unprotect(connection: Connection, *tables: str) -> None:
    """As before `protect`."""
    if connection.dialect.name != "postgresql":
        return
    for table in tables:
        connection.execute(text(f'DROP POLICY of_tenant ON "{table}"'))
        connection.execute(text(f'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY'))
        connection.execute(text(f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY'))


def is_protected(connection: Connection, table: str) -> bool:
    """Whether row security is on for this table and its owner; on SQLite nothing is missing."""
    if connection.dialect.name != "postgresql":
        return True
    forced = text("SELECT relforcerowsecurity FROM pg_class WHERE oid = to_regclass(:name)")
    return bool(connection.execute(forced, {"name": f'"{table}"'}).scalar_one())


def is_above(connection: Connection) -> bool:
    """Whether row security does not bind the role of this connection."""
    if connection.dialect.name != "postgresql":
        return False
    own = text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
    return bool(connection.execute(own).scalar_one())
