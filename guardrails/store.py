"""What the SQL stores of this package share: transactions of one tenant.

An engine is given to them, and whoever opened it disposes of it. On PostgreSQL it has to be under
`guardrails.tenancy.confine`; without that row security shows no row and takes none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import InterfaceError, OperationalError, TimeoutError

from guardrails.tenancy import within

T = TypeVar("T")
READS = {"embark_reads": True}
"""Execution options of a connection that only reads: it takes no write lock on SQLite."""


class StoreUnavailableError(Exception):
    """The database does not answer; what was to be written may be written again."""


class Transactions:
    """Runs work in transactions of one tenant, in a thread. Raises StoreUnavailableError."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def write(self, tenant: str, work: Callable[[Connection], T]) -> T:
        def call() -> T:
            with within(tenant), self._engine.begin() as connection:
                return work(connection)

        return await self._threaded(call)

    async def read(self, tenant: str, work: Callable[[Connection], T]) -> T:
        def call() -> T:
            with within(tenant), self._engine.connect() as connection:
                return work(connection.execution_options(**READS))

        return await self._threaded(call)

    async def _threaded(self, call: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(call)
        except (OperationalError, InterfaceError, TimeoutError) as error:
            reason = type(getattr(error, "orig", error)).__qualname__  # its text holds values
            raise StoreUnavailableError(f"the database does not answer: {reason}") from error
