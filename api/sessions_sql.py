"""Sessions in SQL, where several processes serve; the hash of a credential, never the credential.

It has its own metadata and is made by `prepare`. What is in it is over within the hour.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    MetaData,
    RowMapping,
    Table,
    Text,
    delete,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import IntegrityError

from api.sessions import Session, Spent
from guardrails.tenancy import EVERYBODY, protect, within
from tools.store.engine import READS

_T = TypeVar("_T")
_LOCK = 0x73657373  # one process at a time makes the tables; any number serves
SWEPT = 100
"""Rows that one exchange clears away; it adds two."""
metadata = MetaData()

spent_token = Table(
    "spent_token",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("token", Text, primary_key=True),
    Column("until", Float(53), nullable=False, index=True),
)
widget_session = Table(
    "widget_session",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("subject", Text, nullable=False, index=True),
    Column("expires", Float(53), nullable=False, index=True),
    Column("workspace", Text, nullable=False),
    Column("kid", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("roles", Text, nullable=False),  # a JSON list
    Column("plan", Text, nullable=False),
    Column("auth_time", Float(53)),
    Column("origin", Text, nullable=False),
)
"""Times are seconds since 1970."""


def prepare(engine: Engine) -> None:
    """Make the tables; nothing happens when they are there."""
    with within(EVERYBODY), engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if not inspect(connection).has_table(widget_session.name):
            metadata.create_all(connection)
            protect(connection, spent_token.name, widget_session.name)


class SqlSessions:
    """A `SessionStore` over an engine of `tools.store.engine`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def open(self, digest: str, session: Session, spent: Spent, now: datetime) -> bool:
        used = {"tenant": session.tenant, "token": spent.token, "until": spent.until.timestamp()}

        def opened(connection: Connection) -> None:
            _sweep(connection, session.tenant, now.timestamp())
            connection.execute(insert(spent_token).values(used))
            connection.execute(insert(widget_session).values(_row(digest, session)))

        try:
            await self._run(session.tenant, opened)
        except IntegrityError:  # the key of `spent_token`: digests do not meet
            return False
        return True

    async def find(self, tenant: str, digest: str, now: datetime) -> Session | None:
        table = widget_session.c
        query = select(widget_session).where(table.tenant == tenant, table.digest == digest)
        alive = query.where(table.expires > now.timestamp())
        row = await self._run(
            tenant, lambda c: c.execute(alive).mappings().one_or_none(), reads=True
        )
        return None if row is None else _session(row)

    async def close(self, tenant: str, digest: str) -> bool:
        table = widget_session.c
        gone = delete(widget_session).where(table.tenant == tenant, table.digest == digest)
        return await self._run(tenant, lambda c: c.execute(gone).rowcount) > 0

    async def close_all(self, tenant: str, subject: str) -> int:
        table = widget_session.c
        gone = delete(widget_session).where(table.tenant == tenant, table.subject == subject)
        return await self._run(tenant, lambda c: c.execute(gone).rowcount)

    async def count(self, tenant: str, subject: str) -> int:
        table = widget_session.c
        own = select(func.count()).where(table.tenant == tenant, table.subject == subject)
        return await self._run(tenant, lambda c: c.execute(own).scalar_one(), reads=True)

    async def _run(
        self,
        tenant: str,
        work: Callable[[Connection], _T],
        *,
        reads: bool = False,
    ) -> _T:
        def call() -> _T:
            engine = self._engine.execution_options(**READS) if reads else self._engine
            with within(tenant), engine.begin() as connection:
                return work(connection)

        return await asyncio.to_thread(call)


def _sweep(connection: Connection, tenant: str, now: float) -> None:
    """Rows that another process is sweeping are left to it: nobody waits, nobody deadlocks."""
    for key, end in (
        (spent_token.c.token, spent_token.c.until),
        (widget_session.c.digest, widget_session.c.expires),
    ):
        mine = key.table.c.tenant == tenant
        over = select(key).where(mine, end <= now).limit(SWEPT).with_for_update(skip_locked=True)
        keys = connection.execute(over).scalars().all()
        if keys:
            connection.execute(delete(key.table).where(mine, key.in_(keys)))


def _row(digest: str, session: Session) -> dict[str, object]:
    since = session.auth_time
    return {
        "tenant": session.tenant,
        "digest": digest,
        "subject": session.subject,
        "expires": session.expires.timestamp(),
        "workspace": session.workspace,
        "kid": session.kid,
        "account": session.account,
        "roles": json.dumps(session.roles),
        "plan": session.plan,
        "auth_time": None if since is None else since.timestamp(),
        "origin": session.origin,
    }


def _session(row: RowMapping) -> Session:
    since = row["auth_time"]
    return Session(
        tenant=row["tenant"],
        workspace=row["workspace"],
        kid=row["kid"],
        subject=row["subject"],
        account=row["account"],
        roles=tuple(json.loads(row["roles"])),
        plan=row["plan"],
        auth_time=None if since is None else datetime.fromtimestamp(since, UTC),
        origin=row["origin"],
        expires=datetime.fromtimestamp(row["expires"], UTC),
    )
