"""Transactions that write, one at a time in a process where the database has one writer.

SQLite lets who finds it locked sleep and look again, for longer each time: threads of one process
are better told when it is free.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine
from typing_extensions import override

from guardrails.store import Transactions
from guardrails.tenancy import within

T = TypeVar("T")
_LOCKS: WeakKeyDictionary[Engine, Lock] = WeakKeyDictionary()


class OneWriter(Transactions):
    """As `Transactions`; the stores over one engine share its turn."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._turn = None
        if engine.dialect.name == "sqlite":
            self._turn = _LOCKS.setdefault(engine, Lock())

    @override
    async def write(self, tenant: str, work: Callable[[Connection], T]) -> T:
        turn = self._turn
        if turn is None:
            return await super().write(tenant, work)

        def call() -> T:
            with turn, within(tenant), self._engine.begin() as connection:
                return work(connection)

        return await self._threaded(call)
