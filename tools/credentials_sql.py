"""Credentials in SQL, ciphertext under the connector's key and the subject's. The tables lie beside
the journal's.

They have their own metadata and are made by `prepare`; what is in them is short-lived and is handed
over anew at the next sign-in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TypeVar

import structlog
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Delete,
    Engine,
    LargeBinary,
    MetaData,
    Table,
    Text,
    delete,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError

from guardrails.tenancy import EVERYBODY, protect, within
from tools.credentials import BearerToken, Place, checked, not_signed_in, opened, sealed
from tools.store.engine import READS
from tools.tool import NotSentError
from tools.types import Principal
from tools.vault import Vault

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)
IsStopped = Callable[[str, str], Awaitable[bool]]
"""Tenant and target -> whether an operator has stopped it."""
_LOCK = 0x63726564  # one process at a time makes the table; any number serves
metadata = MetaData()

user_credential = Table(
    "user_credential",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("stored", Text, nullable=False),
)
connector_key = Table(
    "connector_key",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("generation", BigInteger, nullable=False),
)
"""How often the credentials of a target were revoked: each time its data key is another."""


def prepare(engine: Engine) -> None:
    """Make the table; nothing happens when it is there."""
    with within(EVERYBODY), engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        found = inspect(connection)
        for table in (user_credential, connector_key):
            if not found.has_table(table.name):
                table.create(connection)
                protect(connection, table.name)


async def _never(_tenant: str, _target: str) -> bool:
    return False


class SqlCredentials:
    """Over an engine of `tools.store.engine` and the vault of the same subjects. Nothing is kept
    of a target that is stopped. Raises NotSentError where the database does not answer."""

    def __init__(
        self,
        engine: Engine,
        vault: Vault,
        now: Callable[[], datetime],
        is_stopped: IsStopped = _never,
    ) -> None:
        self._engine = engine
        self._insert = sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert
        self._vault = vault
        self._now = now
        self._is_stopped = is_stopped

    async def headers(self, who: Principal, target: str) -> Mapping[str, str]:
        query = select(user_credential.c.sealed).where(*_of(who, target))

        def found(connection: Connection) -> tuple[bytes | None, int]:
            return connection.execute(query).scalar(), _generation(connection, who.tenant, target)

        stored, generation = await self._run(who.tenant, found, reads=True)
        if stored is None:
            raise not_signed_in()
        place = Place(who, target, generation)
        try:
            token = await asyncio.to_thread(opened, self._vault, place, stored)
        except ValueError as failure:  # of another generation, or changed: of use to nobody
            _log.warning("credential_unreadable", reason=type(failure).__name__)
            raise not_signed_in() from failure
        if token is None or (token.expires is not None and token.expires <= self._now()):
            raise not_signed_in()
        return token.headers()

    async def store(self, who: Principal, target: str, token: BearerToken) -> None:
        if await self._is_stopped(who.tenant, target):
            return
        generation = await self._run(
            who.tenant, lambda c: _generation(c, who.tenant, target), reads=True
        )
        place = Place(who, target, generation)
        ciphertext = await asyncio.to_thread(sealed, self._vault, place, checked(token))
        row = {
            "tenant": who.tenant,
            "subject": who.subject,
            "target": target,
            "sealed": ciphertext,
            "stored": self._now().isoformat(),
        }

        def replaced(connection: Connection) -> None:
            connection.execute(delete(user_credential).where(*_of(who, target)))
            connection.execute(insert(user_credential).values(row))

        await self._run(who.tenant, replaced)

    async def forget(self, who: Principal, target: str | None = None) -> int:
        return await self._deleted(who.tenant, delete(user_credential).where(*_of(who, target)))

    async def revoke_all(self, tenant: str, target: str) -> int:
        """The key first: whoever dies in between has left rows that nobody can open."""
        generation = await self._run(tenant, lambda c: _generation(c, tenant, target), reads=True)
        data_key = Place(Principal(tenant, "", ""), target, generation).data_key
        await asyncio.to_thread(self._vault.destroy, tenant, data_key)
        table = user_credential.c
        gone = delete(user_credential).where(table.tenant == tenant, table.target == target)
        row = {"tenant": tenant, "target": target}
        new = self._insert(connector_key).values(**row, generation=generation + 1)
        moved = new.on_conflict_do_update(
            index_elements=["tenant", "target"], set_={"generation": generation + 1}
        )

        def revoked(connection: Connection) -> int:
            connection.execute(moved)
            return connection.execute(gone).rowcount

        return await self._run(tenant, revoked)

    async def count(self, tenant: str, target: str) -> int:
        table = user_credential.c
        kept = select(func.count()).where(table.tenant == tenant, table.target == target)
        return await self._run(tenant, lambda c: c.execute(kept).scalar_one(), reads=True)

    async def _deleted(self, tenant: str, statement: Delete) -> int:
        return await self._run(tenant, lambda c: c.execute(statement).rowcount)

    async def _run(
        self, tenant: str, work: Callable[[Connection], _T], *, reads: bool = False
    ) -> _T:
        def call() -> _T:
            engine = self._engine.execution_options(**READS) if reads else self._engine
            try:
                with within(tenant), engine.begin() as connection:
                    return work(connection)
            except OperationalError as error:
                told = "the database of the credentials does not answer"
                raise NotSentError("credentials_unavailable", told) from error

        return await asyncio.to_thread(call)


def _generation(connection: Connection, tenant: str, target: str) -> int:
    table = connector_key.c
    now = select(table.generation).where(table.tenant == tenant, table.target == target)
    return connection.execute(now).scalar() or 0


def _of(who: Principal, target: str | None) -> list[ColumnElement[bool]]:
    table = user_credential.c
    own: list[ColumnElement[bool]] = [table.tenant == who.tenant, table.subject == who.subject]
    return [*own, *([table.target == target] if target is not None else [])]
