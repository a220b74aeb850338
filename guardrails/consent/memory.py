"""The trail in memory: the twin."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from guardrails.consent.state import Consents, effective
from guardrails.consent.store import subject_mac
from guardrails.consent.types import Entry, Erasure, Statement


class MemoryConsents:
    """Keeps nothing beyond the process. `key`: 32 bytes or more."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._trails: dict[tuple[str, str], list[Entry]] = {}
        self._erasures: dict[str, list[Erasure]] = {}
        subject_mac(key, "", "")  # a key too short fails here

    async def record(self, statement: Statement) -> Entry:
        trail = self._trails.setdefault((statement.tenant, statement.subject), [])
        trail.append(Entry(len(trail) + 1, statement))
        return trail[-1]

    async def of(self, tenant: str, subject: str) -> Consents:
        return effective(self._trails.get((tenant, subject), ()))

    async def of_all(self, tenant: str, subjects: Collection[str]) -> Mapping[str, Consents]:
        return {subject: await self.of(tenant, subject) for subject in subjects}

    async def trail(self, tenant: str, subject: str) -> tuple[Entry, ...]:
        return tuple(self._trails.get((tenant, subject), ()))

    async def forget(self, tenant: str, subject: str, now: datetime) -> Erasure:
        trail = self._trails.pop((tenant, subject), [])
        before = await self.erasures(tenant, subject)
        if before and not trail:
            return before[-1]
        mac = subject_mac(self._key, tenant, subject)
        erasure = Erasure(tenant, mac, len(before) + 1, now, len(trail))
        self._erasures.setdefault(tenant, []).append(erasure)
        return erasure

    async def erasures(self, tenant: str, subject: str) -> tuple[Erasure, ...]:
        mac = subject_mac(self._key, tenant, subject)
        return tuple(e for e in self._erasures.get(tenant, ()) if e.subject_mac == mac)
