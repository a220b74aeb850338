"""What the SQL stores of this package share: transactions of one tenant.

An engine is given to them, and whoever opened it disposes of it. On PostgreSQL it has to be under
`guardrails.tenancy.confine`; without that row security shows no row and takes none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import InterfaceError, OperationalError, TimeoutError

from guardrails.tenancy import within

T = TypeVar("T")
READS = {"embark_reads": True}
"""Execution options of a connection that only reads: it takes no write lock on SQLite."""


_LINES: WeakKeyDictionary[Engine, ThreadPoolExecutor] = WeakKeyDictionary()


class StoreUnavailableError(Exception):
    """The database does not answer; what was to be written may be written again."""


class Transactions:
    """Runs work in transactions of one tenant, in a thread. Raises StoreUnavailableError.

    SQLite lets one write at a time, and those it turns away sleep before they try again: writers of
    one engine stand in line for a thread of their own instead.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._line = _line_of(engine)

    async def write(self, tenant: str, work: Callable[[Connection], T]) -> T:
        def call() -> T:
            with within(tenant), self._engine.begin() as connection:
                return work(connection)

        return await self._threaded(call, self._line)

    async def read(self, tenant: str, work: Callable[[Connection], T]) -> T:
        def call() -> T:
            with within(tenant), self._engine.connect() as connection:
                return work(connection.execution_options(**READS))

        return await self._threaded(call)

    async def _threaded(self, call: Callable[[], T], line: ThreadPoolExecutor | None = None) -> T:
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(line, copy_context().run, call)
        except (OperationalError, InterfaceError, TimeoutError) as error:
            reason = type(getattr(error, "orig", error)).__qualname__  # its text holds values
            raise StoreUnavailableError(f"the database does not answer: {reason}") from error


def _line_of(engine: Engine) -> ThreadPoolExecutor | None:
    if engine.dialect.name != "sqlite":
        return None
    if engine not in _LINES:
        _LINES[engine] = ThreadPoolExecutor(1, thread_name_prefix="sqlite writer")
    return _LINES[engine]
