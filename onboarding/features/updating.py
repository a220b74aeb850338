"""log -> memories: the one who keeps features up to date."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from guardrails.store import StoreUnavailableError
from onboarding.events import EventLog
from onboarding.features.compiling import FeatureSet
from onboarding.features.store import GROUP, FeatureStore

BATCH = 500
WAIT_S = 1.0
RETRY_S = 1.0


class FeatureUpdater:
    """Of one tenant. Its position lies with the states, so that an event counts once, whatever is
    killed when; new definitions begin with the oldest event."""

    def __init__(
        self, log: EventLog, store: FeatureStore, features: FeatureSet, tenant: str
    ) -> None:
        self._log = log
        self._store = store
        self._features = features
        self._tenant = tenant

    async def run(self, failed: Callable[[Exception], None] | None = None) -> None:
        """Until cancelled."""
        at: int | None = None
        while True:
            try:
                if at is None:
                    at = await self.catch_up()
                await self._log.changed(self._tenant, at, WAIT_S)
                at = await self._step(at)
            except StoreUnavailableError as failure:
                at = None
                if failed is not None:
                    failed(failure)
                await asyncio.sleep(RETRY_S)

    async def catch_up(self) -> int:
        """Until nothing is left for now; the number of the last event applied."""
        at = await self._store.position(self._tenant, self._features.spec)
        while (done := await self._step(at)) > at:
            at = done
        return at

    async def _step(self, at: int) -> int:
        """One batch of what came after `at`; how far it goes."""
        read = await self._log.read(self._tenant, GROUP, at, BATCH, as_sent=True)
        if read:
            await self._store.apply(self._tenant, self._features, read)
        return read[-1].number if read else at
