"""Memories of subjects of whom nothing came any more, as things that are kept for a time."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class _Sweeps(Protocol):
    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = 500
    ) -> int: ...

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int: ...


class AgingFeatures:
    """An `Aging` of retention."""

    name = "features"

    def __init__(self, store: _Sweeps) -> None:
        self._store = store

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = 500
    ) -> int:
        return await self._store.sweep(tenant, before, keep, limit)

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        return await self._store.due(tenant, before, keep)
