"""Messages that broke their contract: kept for a time, sealed, and run again once it is mended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from onboarding.events.verdicts import Quarantined

KEPT_DAYS = 30
"""Onboarding reference, 2."""


class ErasedError(Exception):
    """The subject's key was destroyed: nothing can be sealed for them, or opened."""


class Seal(Protocol):
    """Encrypts under the key of one subject. Raises ErasedError, StoreUnavailableError."""

    async def seal(self, tenant: str, subject: str, plain: bytes) -> bytes: ...

    async def open(self, tenant: str, subject: str, sealed: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Held:
    """How many messages of one event are in quarantine for one reason."""

    name: str
    reason: str
    count: int
    newest: datetime


class Quarantine(Protocol):
    """By tenant and message id; the first copy stays. Raises StoreUnavailableError."""

    async def hold(self, tenant: str, rows: Sequence[Quarantined]) -> None:
        """Durable when it returns."""
        ...

    async def held(
        self, tenant: str, since: datetime | None = None, after: str = "", limit: int = 500
    ) -> tuple[Quarantined, ...]:
        """By message id, those received since then."""
        ...

    async def reasons(self, tenant: str) -> tuple[Held, ...]:
        """The most frequent first."""
        ...

    async def release(self, tenant: str, message_ids: Sequence[str]) -> int:
        """Deletes; how many."""
        ...


@dataclass(frozen=True, slots=True)
class Fix:
    """How one event is mended: another name or version, fields renamed (None: left out), values
    that were missing."""

    event: str | None = None
    version: str | None = None
    fields: Mapping[str, str | None] | None = None
    values: Mapping[str, object] | None = None
