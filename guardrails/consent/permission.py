"""May this purpose be used for this person now? Who cannot be asked has not agreed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

import structlog

from guardrails.consent.state import NOTHING_SAID, Consents
from guardrails.consent.types import Purpose
from guardrails.store import StoreUnavailableError

_log = structlog.get_logger(__name__)


class ConsentReader(Protocol):
    """Such as `CachedConsents`: at most 60 s old. Raises StoreUnavailableError."""

    async def of(self, tenant: str, subject: str) -> Consents: ...

    async def of_all(self, tenant: str, subjects: Collection[str]) -> Mapping[str, Consents]: ...


class Permission:
    """The one question that every part asks before it uses something of a person."""

    def __init__(self, reader: ConsentReader) -> None:
        self._reader = reader

    async def may(
        self, tenant: str, subject: str | None, purpose: Purpose, field: str | None = None
    ) -> bool:
        """False for everything, support too, while the database does not answer."""
        try:
            return await self.stated(tenant, subject, purpose, field)
        except StoreUnavailableError:
            _log.warning("consent.not_known", purpose=purpose.value)
            return False

    async def who_may(
        self, tenant: str, subjects: Collection[str], purpose: Purpose
    ) -> frozenset[str]:
        """Those of them who allow it; nobody while the database does not answer."""
        try:
            found = await self._reader.of_all(tenant, subjects)
        except StoreUnavailableError:
            _log.warning("consent.not_known", purpose=purpose.value)
            return frozenset()
        return frozenset(subject for subject, said in found.items() if said.allows(purpose))

    async def stated(
        self, tenant: str, subject: str | None, purpose: Purpose, field: str | None = None
    ) -> bool:
        """For who can wait: raises StoreUnavailableError. An anonymous visitor, None, allows what
        is allowed before anybody is asked."""
        if subject is None:
            return NOTHING_SAID.allows(purpose, field)
        return (await self._reader.of(tenant, subject)).allows(purpose, field)
