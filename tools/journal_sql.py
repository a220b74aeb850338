"""The journal in SQL: SQLite in a file of its own, or PostgreSQL by URL.

Calls run in worker threads, on SQLite in a single one: it has one writer anyway, and a queue is
fairer and quicker than its busy handler.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionError
from typing_extensions import override

from guardrails.tenancy import within
from tools.journal import Action, JournalUnavailableError, NewAction, Sealer
from tools.store import deciding
from tools.store.codec import Codec
from tools.store.engine import POSTGRES_THREADS
from tools.store.ledger import Ledger, Runner, Work
from tools.store.sql import Clock, SqlRows
from tools.vault import Vault

T = TypeVar("T")


class SqlJournal(Ledger):
    """Over an engine of `tools.store.engine` whose tables `upgrade` has made.

    `clock` is the journal's time, UTC; None on PostgreSQL: its server's. SQLite has no clock of its
    own: start time + monotonic, see `tools.store.ledger.steady_clock`. `runner` replaces the
    threads. `close` disposes of the engine.
    """

    def __init__(  # what a journal is made of, each by name
        self,
        engine: Engine,
        vault: Vault,
        sealer: Sealer,
        *,
        clock: Clock | None = None,
        runner: Runner | None = None,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        super().__init__(sealer, entropy)
        server = engine.dialect.name == "postgresql"
        if clock is None and not server:
            raise ValueError("a journal on SQLite needs a clock, such as steady_clock(...)")
        self._engine = engine
        self._vault = vault
        self._codec = Codec(vault)
        self._clock = clock
        self._threads = ThreadPoolExecutor(
            POSTGRES_THREADS if server else 1, thread_name_prefix="journal"
        )
        self._runner = runner or self._in_thread

    @override
    async def propose(self, new: NewAction) -> Action:
        tenant, subject = new.who.tenant, new.who.subject

        def make_key() -> None:
            # before the transaction: the vault may write to the same SQLite file
            self._vault.mac(tenant, subject, b"")

        return await self._run(
            tenant, lambda rows: deciding.propose(self._book(rows), new), make_key
        )

    @override
    async def _run(
        self, tenant: str, work: Work[T], before: Callable[[], None] = lambda: None
    ) -> T:
        def transact() -> T:
            before()
            with within(tenant), self._engine.begin() as connection:
                return work(SqlRows(connection, self._codec, self._clock))

        return await self._runner(lambda: self._answered(transact))

    def _answered(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except (OperationalError, InterfaceError) as error:
            raise JournalUnavailableError(f"the journal does not answer: {error.orig}") from error
        except NoConnectionError as error:
            raise JournalUnavailableError(f"the journal is overloaded: {error}") from error

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.dispose()
