"""Work beside a server, such as readers of a log: what ends by an error begins again.

An error that nobody foresaw would otherwise end such work in silence until the next start.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog

_log = structlog.get_logger(__name__)
Work = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds before work begins again: `first_s`, doubled at each error up to `most_s`; what went
    well for `well_s` starts over at `first_s`."""

    first_s: float = 1.0
    most_s: float = 60.0
    well_s: float = 60.0


PACE: Final = Pace()


@asynccontextmanager
async def beside(works: Mapping[str, Work], pace: Pace = PACE) -> AsyncIterator[None]:
    """Each in a task of its name until the block ends, which cancels them and waits for them."""
    tasks = [
        asyncio.create_task(lasting(name, work, pace), name=name) for name, work in works.items()
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def lasting(
    name: str, work: Work, pace: Pace = PACE, stop: asyncio.Event | None = None
) -> None:
    """Until it returns by itself, is cancelled, or fails when `stop` is set. Where it failed is
    logged."""
    clock = asyncio.get_running_loop().time
    ended = stop or asyncio.Event()
    wait_s = pace.first_s
    while True:
        began = clock()
        try:
            await work()
        except Exception as failure:  # noqa: BLE001  # it is told, and the work goes on
            _log.error("background.failed", work=name, exc_info=failure)
        else:
            return
        if clock() - began >= pace.well_s:
            wait_s = pace.first_s
        if await _set_within(ended, wait_s):
            return
        wait_s = min(2 * wait_s, pace.most_s)


async def _set_within(ended: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await ended.wait()
    except TimeoutError:
        return False
