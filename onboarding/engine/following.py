"""The log of events -> whoever does something about them, each at their own pace.

A follower reads what comes after its mark, handles it, and moves the mark. What it was handling
when its process died it is given again, so that handling twice must be handling once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import structlog

from guardrails.store import StoreUnavailableError
from onboarding.events import EventLog, Numbered
from onboarding.types import Event

WAIT_S: Final = 5.0
"""How long one look for new events lasts."""
AGAIN_S: Final = 1.0
"""After a database that did not answer."""
_log = structlog.get_logger(__name__)
Handle = Callable[[Sequence[Event]], Awaitable[None]]


class Readers:
    """What the followers of one process hold of the log right now."""

    def __init__(self) -> None:
        self._held: set[asyncio.Event] = set()

    @contextmanager
    def holding(self) -> Iterator[None]:
        """From before events are read until what is made of them is written."""
        over = asyncio.Event()
        self._held.add(over)
        try:
            yield
        finally:
            self._held.remove(over)
            over.set()

    async def settled(self) -> None:
        """When all that is held now is written: events that were deleted before are in nobody's
        hands any more."""
        for over in tuple(self._held):
            await over.wait()


@dataclass(frozen=True, slots=True)
class Follower:
    """One group of readers of one tenant's log. `handle` may raise StoreUnavailableError: the same
    events come again."""

    log: EventLog
    tenant: str
    group: str
    handle: Handle
    readers: Readers = field(default_factory=Readers)

    async def step(self) -> int:
        """Handle what is there now; how many events."""
        with self.readers.holding():
            found = await self.log.read(self.tenant, self.group)
            if found:
                await self._handled(found)
                await self.log.ack(self.tenant, self.group, found[-1].number)
        return len(found)

    async def _handled(self, found: Sequence[Numbered]) -> None:
        """All at once; each alone where that fails, so that one event does not hold up the rest."""
        try:
            await self.handle([numbered.event for numbered in found])
        except StoreUnavailableError:
            raise
        except Exception:  # noqa: BLE001  # whose fault it is shows next
            for numbered in found:
                await self._alone(numbered)

    async def _alone(self, numbered: Numbered) -> None:
        try:
            await self.handle([numbered.event])
        except StoreUnavailableError:
            raise
        except Exception as failure:  # noqa: BLE001  # told, and passed over
            number = numbered.number
            _log.error("events.passed_over", group=self.group, number=number, exc_info=failure)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                if await self.step() == 0:
                    mark = await self.log.position(self.tenant, self.group)
                    await self.log.changed(self.tenant, mark, WAIT_S)
            except StoreUnavailableError:
                _log.warning("events.reader_waits", group=self.group)
                await asyncio.sleep(AGAIN_S)
