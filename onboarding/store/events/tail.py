"""The newest events of this process's own appending, so that who reads at once asks no database.

What is held is older than AGE_S for nobody: readers that lag, and events that were deleted since,
are the database's to tell.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from onboarding.events import Numbered

AGE_S: Final = 0.25
MOST: Final = 10_000
"""Events of one tenant that are held at most."""


@dataclass(slots=True)
class _Held:
    """All that was appended after `floor`, without a gap, and when it was."""

    floor: int
    events: deque[Numbered] = field(default_factory=deque)
    times: deque[float] = field(default_factory=deque)

    @property
    def last(self) -> int:
        return self.floor + len(self.events)

    def cut(self, before: float) -> None:
        while self.events and (self.times[0] < before or len(self.events) > MOST):
            self.events.popleft()
            self.times.popleft()
            self.floor += 1


class Tail:
    """Of one log, used by its event loop alone."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: dict[str, _Held] = {}

    def add(self, tenant: str, new: Sequence[Numbered]) -> None:
        """What was committed, in order. A number left out may be an event of another process: what
        is held begins anew behind it."""
        now = self._clock()
        for each in new:
            held = self._held.get(tenant)
            if held is None or each.number != held.last + 1:
                held = self._held[tenant] = _Held(each.number - 1)
            held.events.append(each)
            held.times.append(now)
        if new:
            self._held[tenant].cut(now - AGE_S)

    def after(self, tenant: str, number: int, limit: int) -> tuple[Numbered, ...]:
        """As they were sent; empty where the database has to be asked."""
        held = self._held.get(tenant)
        if held is None:
            return ()
        held.cut(self._clock() - AGE_S)
        if not held.floor <= number < held.last:
            return ()
        start = number - held.floor
        return tuple(islice(held.events, start, start + limit))

    def last(self, tenant: str) -> int:
        """Number of the newest event of this process; 0 before there was one."""
        held = self._held.get(tenant)
        return 0 if held is None else held.last

    def forget(self, tenant: str) -> None:
        """Somebody was erased."""
        self._held.pop(tenant, None)
