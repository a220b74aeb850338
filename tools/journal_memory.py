"""The journal in memory: the twin, by the same rules as in SQL."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from typing_extensions import override

from tools.journal import Sealer
from tools.store.ledger import Ledger, Runner, Work
from tools.store.memory import MemoryRows, Shelves

T = TypeVar("T")
Clock = Callable[[], datetime]


async def at_once(work: Callable[[], T]) -> T:
    return work()


class MemoryJournal(Ledger):
    """Forgets with the process. `clock` is the journal's own time, UTC; journals over the same
    `shelves` are one journal."""

    def __init__(
        self,
        sealer: Sealer,
        clock: Clock,
        *,
        shelves: Shelves | None = None,
        runner: Runner = at_once,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        super().__init__(sealer, entropy)
        self._clock = clock
        self._runner = runner
        self.shelves = shelves or Shelves()

    @override
    async def _run(self, _tenant: str, work: Work[T]) -> T:
        def transact() -> T:
            with MemoryRows(self.shelves, self._clock()).transaction() as rows:
                return work(rows)

        return await self._runner(transact)

    async def close(self) -> None:
        """Nothing is held."""
