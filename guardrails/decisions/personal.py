"""The decision record as one of the places that keep something of a person."""

from __future__ import annotations

from collections.abc import AsyncIterator

from guardrails.decisions.export import exported
from guardrails.decisions.record import DecisionRecord, Wanted


class PersonalDecisions:
    """Erased decisions stay as numbers without a person, so that rates do not change."""

    name = "decisions"

    def __init__(self, record: DecisionRecord) -> None:
        self._record = record

    async def export(self, tenant: str, subject: str) -> AsyncIterator[str]:
        async for line in exported(self._record, tenant, Wanted(subject=subject)):
            yield line.decode().rstrip("\n")

    async def erase(self, tenant: str, subject: str) -> int:
        return await self._record.erase(tenant, subject)

    async def residue(self, tenant: str, subject: str) -> int:
        """Pages are counted whole, so that 0 is certain."""
        return len((await self._record.query(tenant, Wanted(subject=subject))).rows)
