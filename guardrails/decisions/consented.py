"""A record that takes only what its subjects allow."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from guardrails.consent.permission import Permission
from guardrails.decisions.record import (
    EVERYTHING,
    PAGE,
    Added,
    Cursor,
    DecisionRecord,
    Page,
    Recorded,
    Wanted,
)
from guardrails.decisions.types import Decision, Kind, Row


class ConsentedDecisions:
    """Decisions whose purpose their subject does not allow when they are written are left out, and
    so are their updates; all else is the inner record's.

    Where consents cannot be read `add` raises StoreUnavailableError: a writer keeps the rows and
    asks again, by what is allowed then.
    """

    def __init__(self, inner: DecisionRecord, permission: Permission) -> None:
        self._inner = inner
        self._permission = permission

    async def add(self, tenant: str, rows: Sequence[Row]) -> Added:
        return await self._inner.add(tenant, [row for row in rows if await self._may(row)])

    async def get(self, tenant: str, id: str) -> Recorded | None:
        return await self._inner.get(tenant, id)

    async def query(
        self,
        tenant: str,
        wanted: Wanted = EVERYTHING,
        *,
        after: Cursor | None = None,
        limit: int = PAGE,
    ) -> Page:
        return await self._inner.query(tenant, wanted, after=after, limit=limit)

    async def erase(self, tenant: str, subject: str) -> int:
        return await self._inner.erase(tenant, subject)

    async def sweep(
        self,
        tenant: str,
        kind: Kind,
        before: datetime,
        limit: int = 1000,
        keep: frozenset[str] = frozenset(),
    ) -> int:
        return await self._inner.sweep(tenant, kind, before, limit, keep)

    async def due(
        self, tenant: str, kind: Kind, before: datetime, keep: frozenset[str] = frozenset()
    ) -> int:
        return await self._inner.due(tenant, kind, before, keep)

    async def _may(self, row: Row) -> bool:
        if not isinstance(row, Decision):
            return True
        return await self._permission.stated(row.tenant, row.subject, row.purpose)
