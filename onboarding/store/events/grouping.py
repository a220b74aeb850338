"""Appends of many callers -> one transaction: those that come soon after a write wait for company
and share the next."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from guardrails.store import StoreUnavailableError
from onboarding.events import Addition, Appended

Write = Callable[[str, Sequence[Addition]], Awaitable[tuple[Appended, ...]]]


@dataclass(frozen=True, slots=True)
class Grouped:
    """How appends are put together (onboarding reference, 2: 20 ms or 500 events)."""

    linger_s: float = 0.02
    """From the beginning of a transaction to that of the next: who comes after a pause waits for
    nobody."""
    batch: int = 500
    """Events at which nobody waits any longer, and of one transaction where there are more."""
    capacity: int = 20_000
    """Events that may wait; more are refused, and their sender comes again."""


@dataclass(slots=True)
class _Unit:
    tenant: str
    additions: Sequence[Addition]
    done: asyncio.Future[tuple[Appended, ...]]


class GroupCommit:
    """Of one process and one event loop. One transaction at a time, in the order of arrival."""

    def __init__(self, write: Write, pace: Grouped) -> None:
        self._write = write
        self._pace = pace
        self._waiting: deque[_Unit] = deque()
        self._count = 0
        self._full = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._next = 0.0

    async def append(self, tenant: str, additions: Sequence[Addition]) -> tuple[Appended, ...]:
        """Raises StoreUnavailableError, also where too many wait already."""
        if self._count + len(additions) > self._pace.capacity + self._pace.batch:
            raise StoreUnavailableError("more events wait than are written")
        unit = _Unit(tenant, additions, asyncio.get_running_loop().create_future())
        self._waiting.append(unit)
        self._count += len(additions)
        if self._count >= self._pace.batch:
            self._full.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="event writer")
        return await unit.done

    async def _run(self) -> None:
        """Until nothing waits."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            if not self._full.is_set():
                try:
                    async with asyncio.timeout_at(self._next):
                        await self._full.wait()
                except TimeoutError:
                    pass
            self._next = loop.time() + self._pace.linger_s
            units = self._taken()
            await self._written(units)

    def _taken(self) -> list[_Unit]:
        """The oldest, of one tenant, up to a batch; one that is larger goes alone."""
        units = [self._waiting.popleft()]
        size = len(units[0].additions)
        while self._waiting and self._waiting[0].tenant == units[0].tenant:
            more = len(self._waiting[0].additions)
            if size + more > self._pace.batch:
                break
            units.append(self._waiting.popleft())
            size += more
        self._count -= size
        if self._count < self._pace.batch:
            self._full.clear()
        return units

    async def _written(self, units: Sequence[_Unit]) -> None:
        additions = [each for unit in units for each in unit.additions]
        try:
            done = await self._write(units[0].tenant, additions)
        except asyncio.CancelledError:
            _fail(units, StoreUnavailableError("the writer was stopped"))
            raise
        except StoreUnavailableError as failure:
            _fail(units, failure)
        except Exception as failure:  # noqa: BLE001  # it is of whoever sent what cannot be written
            await self._apart(units, failure)
        else:
            _tell(units, done)

    async def _apart(self, units: Sequence[_Unit], failure: Exception) -> None:
        """Nobody fails for what another sent."""
        if len(units) == 1:
            _fail(units, failure)
            return
        for unit in units:
            await self._written([unit])


def _tell(units: Sequence[_Unit], done: Sequence[Appended]) -> None:
    start = 0
    for unit in units:
        ends = start + len(unit.additions)
        if not unit.done.done():  # who waited may have gone
            unit.done.set_result(tuple(done[start:ends]))
        start = ends


def _fail(units: Sequence[_Unit], failure: Exception) -> None:
    for unit in units:
        if not unit.done.done():
            unit.done.set_exception(failure)
