"""People who went away are looked at again: what time alone makes due reaches them too.

Messages come with events and visits otherwise. Here everybody who was heard of is looked at after
an hour of silence, each hour of the first day, then each day; so many a minute, by any number of
processes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from onboarding.store.ranking.silences import Pace, SilenceStore
from onboarding.types import Event, Person

Look = Callable[[Person], Awaitable[int]]
"""Plans what is due to a person; how many messages."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Silences:
    """Of one tenant. Raises StoreUnavailableError: events come again, a look an interval later."""

    store: SilenceStore
    tenant: str
    look: Look
    clock: Callable[[], datetime]
    pace: Pace = field(default_factory=Pace)

    async def hear(self, events: Sequence[Event]) -> None:
        """Whoever the events are of is not silent."""
        newest: dict[str, tuple[datetime, Person]] = {}
        for event in events:
            if event.user is not None:
                known = newest.get(event.user)
                if known is None or event.occurred_at >= known[0]:
                    person = Person(event.tenant, event.user, event.account)
                    newest[event.user] = event.occurred_at, person
        await self.store.heard(self.tenant, {person: at for at, person in newest.values()})

    async def visit(self) -> int:
        """One pass over those who are due; how many were looked at."""
        taken = await self.store.claim(self.tenant, self.clock(), self.pace)
        found = 0
        for each in taken:
            found += await self.look(each.person)
        if found:
            _log.info("silences.spoken_to", people=len(taken), messages=found)
        return len(taken)
