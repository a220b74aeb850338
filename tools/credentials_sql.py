"""Credentials in SQL, ciphertext under the subject's key. The table lies beside the journal's.

It has its own metadata and is made by `prepare`; what is in it is short-lived and is handed over
anew at the next sign-in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from sqlalchemy import (
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
    insert,
    select,
    text,
)
from sqlalchemy.exc import OperationalError

from tools.credentials import BearerToken, checked, not_signed_in, opened, sealed
from tools.store.engine import READS
from tools.tool import NotSentError
from tools.types import Principal
from tools.vault import Vault

_T = TypeVar("_T")
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


def prepare(engine: Engine) -> None:
    """Make the table; nothing happens when it is there."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        metadata.create_all(connection)


class SqlCredentials:
    """Over an engine of `tools.store.engine` and the vault of the same subjects. Raises
    NotSentError where the database does not answer."""

    def __init__(self, engine: Engine, vault: Vault, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._vault = vault
        self._now = now

    async def headers(self, who: Principal, target: str) -> Mapping[str, str]:
        query = select(user_credential.c.sealed).where(*_of(who, target))
        stored = await self._run(lambda c: c.execute(query).scalar(), reads=True)
        if stored is None:
            raise not_signed_in()
        token = await asyncio.to_thread(opened, self._vault, who, target, stored)
        if token is None or (token.expires is not None and token.expires <= self._now()):
            raise not_signed_in()
        return token.headers()

    async def store(self, who: Principal, target: str, token: BearerToken) -> None:
        ciphertext = await asyncio.to_thread(sealed, self._vault, who, target, checked(token))
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

        await self._run(replaced)

    async def forget(self, who: Principal, target: str | None = None) -> int:
        return await self._deleted(delete(user_credential).where(*_of(who, target)))

    async def revoke_all(self, target: str) -> int:
        return await self._deleted(
            delete(user_credential).where(user_credential.c.target == target)
        )

    async def _deleted(self, statement: Delete) -> int:
        return await self._run(lambda c: c.execute(statement).rowcount)

    async def _run(self, work: Callable[[Connection], _T], *, reads: bool = False) -> _T:
        def call() -> _T:
            engine = self._engine.execution_options(**READS) if reads else self._engine
            try:
                with engine.begin() as connection:
                    return work(connection)
            except OperationalError as error:
                told = "the database of the credentials does not answer"
                raise NotSentError("credentials_unavailable", told) from error

        return await asyncio.to_thread(call)


def _of(who: Principal, target: str | None) -> list[ColumnElement[bool]]:
    table = user_credential.c
    own: list[ColumnElement[bool]] = [table.tenant == who.tenant, table.subject == who.subject]
    return [*own, *([table.target == target] if target is not None else [])]
