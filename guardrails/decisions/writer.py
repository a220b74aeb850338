"""Decisions on their way to the record: put without waiting, written in batches."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby, islice
from random import Random
from types import TracebackType
from typing import Self

from guardrails.decisions.record import Added, DecisionRecord
from guardrails.decisions.types import Row
from guardrails.logging import Log
from guardrails.store import StoreUnavailableError


@dataclass(frozen=True, slots=True)
class Pace:
    """How rows wait and are written."""

    capacity: int = 10_000
    """Rows that may wait, about 2 KB each; more are dropped and counted."""
    batch: int = 200
    """Rows of one transaction."""
    linger_s: float = 0.05
    """How long a row waits for company."""
    retry_s: float = 0.1
    """First pause when the database is away; it doubles up to `retry_max_s`."""
    retry_max_s: float = 5.0
    close_s: float = 10.0
    """How long closing waits for the rows that are left."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Rows since the start. `dropped` found no room, or no time at the end; of those `stored`
    `orphans` updated no decision that is there and were left out by the record."""

    accepted: int = 0
    stored: int = 0
    dropped: int = 0
    orphans: int = 0
    retries: int = 0


class RecordWriter:
    """`async with RecordWriter(record, log, rng) as writer`, used from its event loop alone.

    When the database is away rows wait, in order, and are tried again until it is back. Anything
    else that fails ends the writer: it is logged, rows are dropped from then on, and `settle` and
    closing raise it. A kill of the process loses what nobody settled.
    """

    def __init__(
        self, record: DecisionRecord, log: Log, rng: Random, pace: Pace | None = None
    ) -> None:
        """`rng` jitters the pauses."""
        self._record = record
        self._log = log
        self._rng = rng
        self._pace = pace or Pace()
        self._tally = Tally()
        self._waiting: deque[Row] = deque()
        self._some = asyncio.Event()
        self._hurry = asyncio.Event()
        self._overflowing = self._away = False

    async def __aenter__(self) -> Self:
        self._progress = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name="decision writer")
        self._task.add_done_callback(self._ended)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    @property
    def tally(self) -> Tally:
        return self._tally

    def put(self, row: Row) -> bool:
        """Whether it will be written. Never waits."""
        if self._task.done() or len(self._waiting) >= self._pace.capacity:
            self._count(dropped=1)
            if not self._overflowing:
                self._overflowing = True
                self._log.warning("decisions.overflow", waiting=len(self._waiting))
            return False
        if self._overflowing:
            self._overflowing = False
            self._log.warning("decisions.overflow_over", dropped=self._tally.dropped)
        self._waiting.append(row)
        self._count(accepted=1)
        self._some.set()
        if len(self._waiting) >= self._pace.batch:
            self._hurry.set()
        return True

    async def settle(self) -> None:
        """Returns when all that was put before is in the record. Raises what ended the writer."""
        aim = self._tally.accepted
        while self._tally.stored < aim:
            self._hurry.set()
            await asyncio.wait({self._task, self._progress}, return_when=asyncio.FIRST_COMPLETED)
            if self._task.cancelled():
                raise StoreUnavailableError("the writer was closed before the rows were written")
            if self._task.done():
                self._task.result()

    async def aclose(self) -> None:
        """Writes what waits, for `close_s` at most; what is left then is counted and logged."""
        if self._task.cancelled():
            return
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.close_s):
                    await self.settle()
        finally:
            self._task.cancel()
            await asyncio.wait({self._task})
            if self._waiting:
                self._count(dropped=len(self._waiting))
                self._log.error("decisions.lost", rows=len(self._waiting))
                self._waiting.clear()

    async def _run(self) -> None:
        while True:
            await self._some.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.linger_s):
                    await self._hurry.wait()
            rows = list(islice(self._waiting, self._pace.batch))
            await self._write(rows)
            for _ in rows:
                self._waiting.popleft()
            self._written(len(rows))

    async def _write(self, rows: Sequence[Row]) -> None:
        """A transaction a tenant; rows of a tenant keep their order."""
        for tenant, theirs in groupby(sorted(rows, key=_tenant), key=_tenant):
            added = await self._stored(tenant, list(theirs))
            if added.orphans:
                self._count(orphans=added.orphans)
                self._log.warning("decisions.orphans", rows=added.orphans)

    async def _stored(self, tenant: str, rows: Sequence[Row]) -> Added:
        pause_s = self._pace.retry_s
        while True:
            try:
                added = await self._record.add(tenant, rows)
            except StoreUnavailableError:
                self._tell(away=True)
                self._count(retries=1)
                await asyncio.sleep(pause_s * self._rng.uniform(0.5, 1))
                pause_s = min(2 * pause_s, self._pace.retry_max_s)
            else:
                self._tell(away=False)
                return added

    def _written(self, rows: int) -> None:
        self._count(stored=rows)
        if not self._waiting:
            self._some.clear()
        if len(self._waiting) < self._pace.batch:
            self._hurry.clear()
        self._progress.set_result(None)
        self._progress = asyncio.get_running_loop().create_future()

    def _tell(self, away: bool) -> None:
        if away and not self._away:
            self._log.warning("decisions.store_away", waiting=len(self._waiting))
        elif self._away and not away:
            self._log.warning("decisions.store_back", waiting=len(self._waiting))
        self._away = away

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            reason = {"reason": type(error).__qualname__}
            self._log.write("error", "decisions.writer_failed", reason)

    def _count(self, **more: int) -> None:
        now = {name: getattr(self._tally, name) + number for name, number in more.items()}
        self._tally = replace(self._tally, **now)


def _tenant(row: Row) -> str:
    return row.tenant
