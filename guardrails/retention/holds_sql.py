"""Legal holds in SQL, beside the audit log. The table is made by `prepare`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    MetaData,
    RowMapping,
    Table,
    Text,
    delete,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite

from guardrails.refs import stamp
from guardrails.retention.holds import Hold
from guardrails.store import Transactions
from guardrails.tenancy import EVERYBODY, protect, within

_LOCK = 0x686F6C64  # one process at a time makes the table; any number serves
metadata = MetaData()

legal_hold = Table(
    "legal_hold",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("since", Text, nullable=False),
    Column("placed_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
)


def prepare(engine: Engine) -> None:
    """Make the table; nothing happens when it is there."""
    with within(EVERYBODY), engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if not inspect(connection).has_table(legal_hold.name):
            metadata.create_all(connection)
            protect(connection, legal_hold.name)


class SqlHolds:
    """Over an engine on which `prepare` ran."""

    def __init__(self, engine: Engine) -> None:
        self._transactions = Transactions(engine)

    async def place(self, hold: Hold) -> Hold:
        row = {
            "tenant": hold.tenant,
            "subject": hold.subject,
            "since": stamp(hold.since),
            "placed_by": hold.placed_by,
            "reason": hold.reason,
        }

        def work(connection: Connection) -> Hold:
            dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
            connection.execute(dialect.insert(legal_hold).values(row).on_conflict_do_nothing())
            stood = select(legal_hold).where(_own(hold.tenant, hold.subject))
            return _hold(connection.execute(stood).mappings().one())

        return await self._transactions.write(hold.tenant, work)

    async def release(self, tenant: str, subject: str) -> bool:
        gone = delete(legal_hold).where(_own(tenant, subject))
        return await self._transactions.write(tenant, lambda c: c.execute(gone).rowcount > 0)

    async def all(self, tenant: str) -> tuple[Hold, ...]:
        wanted = (
            select(legal_hold)
            .where(legal_hold.c.tenant == tenant)
            .order_by(legal_hold.c.since, legal_hold.c.subject)
        )
        rows = await self._transactions.read(tenant, lambda c: c.execute(wanted).mappings().all())
        return tuple(_hold(row) for row in rows)

    async def holds(self, tenant: str, subject: str) -> bool:
        counted = select(func.count()).select_from(legal_hold).where(_own(tenant, subject))
        return await self._transactions.read(tenant, lambda c: bool(c.scalar(counted)))


def _own(tenant: str, subject: str) -> ColumnElement[bool]:
    return (legal_hold.c.tenant == tenant) & (legal_hold.c.subject == subject)


def _hold(row: RowMapping) -> Hold:
    return Hold(
        tenant=row["tenant"],
        subject=row["subject"],
        since=datetime.fromisoformat(row["since"]),
        placed_by=row["placed_by"],
        reason=row["reason"],
    )
