"""Holding a claim while it is worked on: renewed at a third of its lease, given up before its end.

The lease is counted down on the event loop's monotonic clock from before each renewal was asked
for, so the holder stops no later than the journal lets another one start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from tools.journal import Claim, FencedOutError, Journal, JournalUnavailableError

_T = TypeVar("_T")
BEATS = 3
"""Renewals in one lease: two may fail before it is lost."""


class Lease:
    """Of one claim, held since that time of the event loop, or since now."""

    def __init__(self, journal: Journal, claim: Claim, since: float | None = None) -> None:
        self._journal = journal
        self._claim = claim
        self._since = since

    async def hold(self, work: Coroutine[Any, Any, _T]) -> _T:
        """The work's result. Raises FencedOutError once the lease is lost; it is cancelled then, or
        never begun when the claim's answer came too late."""
        if asyncio.get_running_loop().time() >= self._ends():
            work.close()
            raise FencedOutError(f"lease of {self._claim.action.id} was over before it began")
        task = asyncio.create_task(work)
        beat = asyncio.create_task(self._beat())
        try:
            await asyncio.wait({task, beat}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise FencedOutError(f"lease of {self._claim.action.id} lost: {beat.result()}")
        finally:
            await _stop(beat)
            await _stop(task)

    def _ends(self) -> float:
        now = asyncio.get_running_loop().time()
        return (now if self._since is None else self._since) + self._claim.lease_s

    async def _beat(self) -> str:
        """Why the lease is lost."""
        loop = asyncio.get_running_loop()
        pause = self._claim.lease_s / BEATS
        ends = self._ends()
        while True:
            await asyncio.sleep(min(pause, max(ends - loop.time(), 0.0)))
            asked = loop.time()
            if asked >= ends:
                return "not renewed in time"
            try:
                async with asyncio.timeout_at(ends):
                    await self._journal.renew(self._claim)
                ends = asked + self._claim.lease_s
                pause = self._claim.lease_s / BEATS
            except FencedOutError as failure:
                return str(failure)
            except TimeoutError:
                return "not renewed in time"
            except JournalUnavailableError:
                pause = self._claim.lease_s / (4 * BEATS)  # sooner than the next beat


async def _stop(task: asyncio.Task[Any]) -> None:
    if not task.done():
        task.cancel()
        await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # looked at: its owner has been told of the loss instead
