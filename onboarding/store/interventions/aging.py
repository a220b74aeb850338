"""Deliveries and detectors' watches as something that is kept for a time."""

from __future__ import annotations

from datetime import datetime

from onboarding.store.interventions.store import DeliveryStore
from onboarding.store.interventions.watches import WatchStore

BLOCK = 500


class AgingDeliveries:
    """Those that ended, with their cap tokens: keep them for longer than any cap looks back."""

    name = "deliveries"

    def __init__(self, store: DeliveryStore) -> None:
        self._store = store

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = BLOCK
    ) -> int:
        return await self._store.age(tenant, before, keep, limit)

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        return await self._store.aged(tenant, before, keep)


class AgingWatches:
    """What detectors remember of who has not been seen since, and the fixes they were offered."""

    name = "friction_watches"

    def __init__(self, store: WatchStore) -> None:
        self._store = store

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = BLOCK
    ) -> int:
        return await self._store.age(tenant, before, keep, limit)

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        return await self._store.aged(tenant, before, keep)
