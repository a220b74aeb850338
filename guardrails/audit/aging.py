"""The audit log as something that is kept for a time."""

from __future__ import annotations

from datetime import datetime

from guardrails.audit.log import BLOCK, AuditLog


class AgingAudit:
    """An `Aging` of retention."""

    name = "audit"

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = BLOCK
    ) -> int:
        return await self._log.sweep(tenant, before, limit, keep)

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        return await self._log.due(tenant, before, keep)
