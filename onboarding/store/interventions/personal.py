"""Deliveries as one of the places that keep something of a person.

Refused addresses are kept as keyed hashes without a person: they are what keeps mail from going
where it was said not to go.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from onboarding.store.interventions.store import DeliveryStore


class PersonalDeliveries:
    """Messages, cap tokens, choices, silences, detectors' watches and fixes."""

    name = "deliveries"

    def __init__(self, store: DeliveryStore) -> None:
        self._store = store

    async def export(self, tenant: str, subject: str) -> AsyncIterator[str]:
        for table, row in await self._store.rows(tenant, subject):
            yield json.dumps({"table": table, **row}, ensure_ascii=False, default=str)

    async def erase(self, tenant: str, subject: str) -> int:
        return await self._store.erase(tenant, subject)

    async def residue(self, tenant: str, subject: str) -> int:
        return len(await self._store.rows(tenant, subject))
