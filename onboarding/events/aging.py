"""Product events, and messages in quarantine, as things that are kept for a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from onboarding.events.catalogue import EventCatalogue
from onboarding.events.keeping import Due, EventKeeping
from onboarding.events.quarantine import KEPT_DAYS


class AgingEvents:
    """An `Aging` of retention; a contract that says a shorter time has it."""

    name = "product_events"

    def __init__(
        self, keeping: EventKeeping, catalogue: EventCatalogue, clock: Callable[[], datetime]
    ) -> None:
        self._keeping = keeping
        self._catalogue = catalogue
        self._clock = clock

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = 500
    ) -> int:
        return await self._keeping.sweep(tenant, self._due(before, keep), limit)

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        return await self._keeping.due(tenant, self._due(before, keep))

    def _due(self, before: datetime, keep: frozenset[str]) -> Due:
        now = self._clock()
        ends = {
            name: now - timedelta(days=each.retention_days)
            for name, each in self._catalogue.contracts.items()
            if each.retention_days is not None
        }
        return Due(before, {name: at for name, at in ends.items() if at > before}, keep)


class AgingQuarantine:
    """An `Aging`; 30 days whatever the settings say of longer."""

    name = "event_quarantine"

    def __init__(self, keeping: EventKeeping, clock: Callable[[], datetime]) -> None:
        self._keeping = keeping
        self._clock = clock

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = 500
    ) -> int:
        ends = self._ends(before)
        return await self._keeping.sweep_quarantine(tenant, ends, sorted(keep), limit)

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        return await self._keeping.due_quarantine(tenant, self._ends(before), sorted(keep))

    def _ends(self, before: datetime) -> datetime:
        return max(before, self._clock() - timedelta(days=KEPT_DAYS))
