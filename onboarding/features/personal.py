"""What is remembered for features as one of the places that keep something of a person."""

from __future__ import annotations

from collections.abc import AsyncIterator

import orjson

from onboarding.events import EventLog
from onboarding.features.store import FeatureStore, subjects_of


class PersonalFeatures:
    """Erased before product events are: those say under which ids the person was seen."""

    name = "features"

    def __init__(self, log: EventLog, store: FeatureStore, spec: str) -> None:
        self._log = log
        self._store = store
        self._spec = spec

    async def export(self, tenant: str, subject: str) -> AsyncIterator[str]:
        subjects = await self._subjects(tenant, subject)
        for each, states in zip(
            subjects, await self._store.states(tenant, self._spec, subjects), strict=True
        ):
            if states:
                yield orjson.dumps({"under": each, "spec": self._spec, "states": states}).decode()

    async def erase(self, tenant: str, subject: str) -> int:
        accounts = [each.account for each in await self._log.accounts(tenant, subject)]
        await self._store.leave(tenant, subject, accounts)
        return await self._store.drop(tenant, await self._subjects(tenant, subject))

    async def residue(self, tenant: str, subject: str) -> int:
        return await self._store.count(tenant, await self._subjects(tenant, subject))

    async def _subjects(self, tenant: str, subject: str) -> list[str]:
        return subjects_of(subject, await self._log.aliases(tenant, subject))
