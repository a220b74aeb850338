"""Staff sessions in SQL, where several processes serve. It has its own metadata, made by `prepare`;
what is in it is over within the day."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Engine,
    Float,
    MetaData,
    RowMapping,
    Table,
    Text,
    delete,
    insert,
    inspect,
    or_,
    select,
    text,
    update,
)

from api.staff.sessions import ABSOLUTE, FLOW, IDLE, SEEN_EVERY, Flow, StaffSession, is_over
from guardrails.tenancy import EVERYBODY, protect, within
from tools.store.engine import READS

_T = TypeVar("_T")
_LOCK = 0x73746166  # one process at a time makes the tables; any number serves
metadata = MetaData()

staff_flow = Table(
    "staff_flow",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("state", Text, primary_key=True),
    Column("browser", Text, nullable=False),
    Column("next", Text, nullable=False),
    Column("fresh", Boolean, nullable=False),
    Column("begun", Float(53), nullable=False, index=True),
)
staff_session = Table(
    "staff_session",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("roles", Text, nullable=False),  # a JSON list
    Column("auth_time", Float(53)),
    Column("opened", Float(53), nullable=False),
    Column("seen", Float(53), nullable=False, index=True),
)
"""Times are seconds since 1970."""


def prepare(engine: Engine) -> None:
    """Make the tables; nothing happens when they are there."""
    with within(EVERYBODY), engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if not inspect(connection).has_table(staff_session.name):
            metadata.create_all(connection)
            protect(connection, staff_flow.name, staff_session.name)


class SqlStaff:
    """A `StaffStore` over an engine of `tools.store.engine`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def begin(self, state: str, flow: Flow) -> None:
        row = {
            "tenant": flow.tenant,
            "state": state,
            "browser": flow.browser,
            "next": flow.next,
            "fresh": flow.fresh,
            "begun": flow.begun.timestamp(),
        }
        table = staff_flow.c
        over = delete(staff_flow).where(
            table.tenant == flow.tenant, table.begun <= (flow.begun - FLOW).timestamp()
        )

        def begun(connection: Connection) -> None:
            connection.execute(over)
            connection.execute(insert(staff_flow).values(row))

        await self._run(flow.tenant, begun)

    async def take(self, tenant: str, state: str, now: datetime) -> Flow | None:
        table = staff_flow.c
        once = delete(staff_flow).where(table.tenant == tenant, table.state == state)
        gone = once.returning(*table)
        row = await self._run(tenant, lambda c: c.execute(gone).mappings().one_or_none())
        if row is None or row["begun"] + FLOW.total_seconds() <= now.timestamp():
            return None
        begun = datetime.fromtimestamp(row["begun"], UTC)
        return Flow(tenant, row["browser"], row["next"], row["fresh"], begun)

    async def open(self, digest: str, session: StaffSession) -> None:
        table, now = staff_session.c, session.opened
        over = or_(
            table.seen <= (now - IDLE).timestamp(), table.opened <= (now - ABSOLUTE).timestamp()
        )
        swept = delete(staff_session).where(table.tenant == session.tenant, over)

        def opened(connection: Connection) -> None:
            connection.execute(swept)
            connection.execute(insert(staff_session).values(_row(digest, session)))

        await self._run(session.tenant, opened)

    async def find(self, tenant: str, digest: str, now: datetime) -> StaffSession | None:
        table = staff_session.c
        mine = (table.tenant == tenant, table.digest == digest)
        query = select(staff_session).where(*mine)
        row = await self._run(
            tenant, lambda c: c.execute(query).mappings().one_or_none(), reads=True
        )
        found = None if row is None else _session(row)
        if found is None or is_over(found, now):
            return None
        if now - found.seen >= SEEN_EVERY:
            seen = update(staff_session).where(*mine).values(seen=now.timestamp())
            await self._run(tenant, lambda c: c.execute(seen))
        return found

    async def close(self, tenant: str, digest: str) -> bool:
        table = staff_session.c
        gone = delete(staff_session).where(table.tenant == tenant, table.digest == digest)
        return await self._run(tenant, lambda c: c.execute(gone).rowcount) > 0

    async def close_all(self, tenant: str, subject: str) -> int:
        table = staff_session.c
        gone = delete(staff_session).where(table.tenant == tenant, table.subject == subject)
        return await self._run(tenant, lambda c: c.execute(gone).rowcount)

    async def _run(
        self, tenant: str, work: Callable[[Connection], _T], *, reads: bool = False
    ) -> _T:
        def call() -> _T:
            engine = self._engine.execution_options(**READS) if reads else self._engine
            with within(tenant), engine.begin() as connection:
                return work(connection)

        return await asyncio.to_thread(call)


def _row(digest: str, session: StaffSession) -> dict[str, object]:
    since = session.auth_time
    return {
        "tenant": session.tenant,
        "digest": digest,
        "subject": session.subject,
        "roles": json.dumps(session.roles),
        "auth_time": None if since is None else since.timestamp(),
        "opened": session.opened.timestamp(),
        "seen": session.seen.timestamp(),
    }


def _session(row: RowMapping) -> StaffSession:
    since = row["auth_time"]
    return StaffSession(
        tenant=row["tenant"],
        subject=row["subject"],
        roles=tuple(json.loads(row["roles"])),
        auth_time=None if since is None else datetime.fromtimestamp(since, UTC),
        opened=datetime.fromtimestamp(row["opened"], UTC),
        seen=datetime.fromtimestamp(row["seen"], UTC),
    )
