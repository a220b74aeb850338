"""The trail of consents as one of the places that keep something of a person."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime

from guardrails.consent.export import exported
from guardrails.consent.store import ConsentStore

Forget = Callable[[str, str], None]


class PersonalConsents:
    """What is left of a forgotten trail is its HMAC row. `forget` drops what this process read."""

    name = "consent_trail"

    def __init__(
        self, store: ConsentStore, clock: Callable[[], datetime], forget: Forget | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._forget = forget

    async def export(self, tenant: str, subject: str) -> AsyncIterator[str]:
        for line in exported(await self._store.trail(tenant, subject)):
            yield line.decode().rstrip("\n")

    async def erase(self, tenant: str, subject: str) -> int:
        before = await self._store.erasures(tenant, subject)
        erasure = await self._store.forget(tenant, subject, self._clock())
        if self._forget is not None:
            self._forget(tenant, subject)
        return 0 if erasure in before else erasure.entries

    async def residue(self, tenant: str, subject: str) -> int:
        return len(await self._store.trail(tenant, subject))
