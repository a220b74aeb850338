"""Where the audit log is kept: rows are added; they change only to lose a name, and go by age."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Protocol

from guardrails.audit.types import EVERYTHING, Entry, Note, Wanted

PAGE = 100
BLOCK = 500
ERASED = "erased."
"""What the reference of an erased person begins with; random characters follow."""


class AuditLog(Protocol):
    """Durable once a call returns. Raises StoreUnavailableError from all: what cannot be written
    down must not be handed out."""

    async def write(self, note: Note) -> Entry: ...

    async def page(
        self,
        tenant: str,
        wanted: Wanted = EVERYTHING,
        *,
        before: int | None = None,
        limit: int = PAGE,
    ) -> tuple[Entry, ...]:
        """Newest first; `before` is the last `seq` seen."""
        ...

    async def erase(self, tenant: str, subject: str) -> int:
        """Puts one random reference that leads nowhere in the place of theirs: in rows about them,
        and where they approved something. How many rows. Who read data of others stays."""
        ...

    async def naming(self, tenant: str, subject: str) -> int:
        """How many rows an erasure would change."""
        ...

    async def sweep(
        self, tenant: str, before: datetime, limit: int = BLOCK, keep: frozenset[str] = frozenset()
    ) -> int:
        """Deletes the oldest rows written before a time, but for those about `keep`; how many. That
        they were there, and up to which number, stays."""
        ...

    async def due(
        self, tenant: str, before: datetime, keep: frozenset[str] = frozenset()
    ) -> int: ...


def nameless() -> str:
    """A reference of nobody: 128 random bits."""
    return ERASED + secrets.token_urlsafe(16)


def new_request_id() -> str:
    """96 random bits as 16 characters."""
    return secrets.token_urlsafe(12)
