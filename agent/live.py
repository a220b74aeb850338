"""A run under way: its events so far, and everyone who follows it.

The run belongs to the server, not to the client that asked: whoever goes away, it ends by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from agent.conversations import LoggedEvent
from agent.events import dump_event
from agent.types import Numbered, RunEvent


class LiveRun:
    """Events in order, numbered from `first`; followers see all of them, late ones too."""

    def __init__(self, run_id: str, first: int) -> None:
        self.run_id = run_id
        self._first = first
        self._events: list[RunEvent] = []
        self._logged = 0
        self._over = False
        self._error: BaseException | None = None
        self._changed = asyncio.Event()

    def publish(self, *events: RunEvent) -> None:
        self._events.extend(events)
        self._wake()

    def end(self, error: BaseException | None = None) -> None:
        """No more events; followers get the error, when there is one, after the last event."""
        self._over, self._error = True, error
        self._wake()

    async def follow(self) -> AsyncIterator[Numbered]:
        """Every event from the first to the last, as they come."""
        position = 0
        while True:
            changed = self._changed
            while position < len(self._events):
                yield Numbered(self._first + position, self._events[position])
                position += 1
            if self._over and position == len(self._events):
                break
            if changed is self._changed:
                await changed.wait()
        if self._error is not None:
            raise self._error

    async def over(self) -> None:
        """Return once there are no more events, however it ended."""
        while not self._over:
            await self._changed.wait()

    def unlogged(self, coming: Sequence[RunEvent] = ()) -> tuple[LoggedEvent, ...]:
        """Events that are not stored yet, and those about to be published after them."""
        pending = (*self._events[self._logged :], *coming)
        return tuple(
            LoggedEvent(self._first + self._logged + place, self.run_id, dump_event(event))
            for place, event in enumerate(pending)
        )

    def mark_logged(self, count: int) -> None:
        self._logged += count

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
