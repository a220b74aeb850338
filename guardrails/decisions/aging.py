"""Decisions of one kind as something that is kept for a time."""

from __future__ import annotations

from datetime import datetime

from guardrails.decisions.record import DecisionRecord
from guardrails.decisions.types import Kind


class AgingDecisions:
    """An `Aging` of retention."""

    def __init__(self, record: DecisionRecord, kind: Kind) -> None:
        self._record = record
        self._kind = kind

    @property
    def name(self) -> str:
        return f"decisions.{self._kind.value}"

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = 500
    ) -> int:
        return await self._record.sweep(tenant, self._kind, before, limit, keep)

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        return await self._record.due(tenant, self._kind, before, keep)
