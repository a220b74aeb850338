"""Next steps as one of the places that keep something of a person, and as something that ages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import orjson

from onboarding.store.ranking.rows import dumped, mute_row, outcome_row
from onboarding.store.ranking.store import BLOCK, NextSteps


class PersonalNextSteps:
    """Decisions with their snapshots, outcomes, and what is muted."""

    name = "next_steps"

    def __init__(self, store: NextSteps) -> None:
        self._store = store

    async def export(self, tenant: str, subject: str) -> AsyncIterator[str]:
        for decision in await self._store.decisions_of(tenant, subject):
            yield _line("decision", orjson.loads(dumped(decision)))
        for outcome in await self._store.outcomes_of(tenant, subject):
            yield _line("outcome", outcome_row(outcome))
        for mute in await self._store.mutes(tenant, subject):
            yield _line("mute", mute_row(mute))

    async def erase(self, tenant: str, subject: str) -> int:
        return await self._store.erase(tenant, subject)

    async def residue(self, tenant: str, subject: str) -> int:
        return await self._store.count(tenant, subject)


class AgingNextSteps:
    """An `Aging` of retention: decisions and outcomes; mutes stay until they are undone."""

    name = "next_steps"

    def __init__(self, store: NextSteps) -> None:
        self._store = store

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = BLOCK
    ) -> int:
        return await self._store.sweep(tenant, before, keep, limit)

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        return await self._store.due(tenant, before, keep)


def _line(kind: str, told: dict[str, Any]) -> str:
    return orjson.dumps({"kind": kind, **told}).decode()
