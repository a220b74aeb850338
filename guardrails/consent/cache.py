"""The reader: consents from memory while they are young, so that asking costs no database."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from guardrails.consent.state import Consents
from guardrails.consent.store import ConsentStore
from guardrails.store import StoreUnavailableError

MAX_AGE_S = 60.0
"""A withdrawal is in effect after this at the latest (safety reference, 10.2)."""
AGE_S = 30.0
"""Half of that: what a caller does with the answer takes time too."""
SILENT_S = 0.5
"""Of who has said nothing yet: what they say first, in another process, counts at once."""
CACHED = 10_000


class _Read(NamedTuple):
    consents: Consents
    began: float


class CachedConsents:
    """Of one process. `monotonic` counts seconds and never goes back.

    Raises ValueError for an age beyond 60 s, StoreUnavailableError when a fresh reading is due and
    none can be had: nobody is told what may have been withdrawn since.
    """

    def __init__(
        self,
        store: ConsentStore,
        age_s: float = AGE_S,
        monotonic: Callable[[], float] = time.monotonic,
        size: int = CACHED,
    ) -> None:
        if not 0 <= age_s <= MAX_AGE_S:
            raise ValueError(f"consents may be at most {MAX_AGE_S:.0f} s old, not {age_s}")
        self._store = store
        self._age_s = age_s
        self._monotonic = monotonic
        self._size = size
        self._read: OrderedDict[tuple[str, str], _Read] = OrderedDict()

    async def of(self, tenant: str, subject: str) -> Consents:
        return (await self.of_all(tenant, [subject]))[subject]

    async def of_all(self, tenant: str, subjects: Collection[str]) -> Mapping[str, Consents]:
        """Those that are not young any more in one reading."""
        began = self._monotonic()  # before the reading: what is withdrawn during it counts as older
        young = self._young(tenant, subjects, began, SILENT_S)
        missing = [subject for subject in subjects if subject not in young]
        if not missing:
            return young
        try:
            read = await self._missing(tenant, missing)
        except StoreUnavailableError:
            silent = self._young(tenant, missing, began, self._age_s)
            if len(silent) < len({*missing}):
                raise
            return {**young, **silent}
        for subject, consents in read.items():
            self._keep(tenant, subject, _Read(consents, began))
        return {**young, **read}

    async def _missing(self, tenant: str, subjects: Sequence[str]) -> Mapping[str, Consents]:
        if len(subjects) == 1:
            return {subjects[0]: await self._store.of(tenant, subjects[0])}
        return await self._store.of_all(tenant, subjects)

    def _young(
        self, tenant: str, subjects: Collection[str], now: float, silent_s: float
    ) -> dict[str, Consents]:
        """Readings that still count; of who has said nothing for `silent_s`."""
        found: dict[str, Consents] = {}
        for subject in subjects:
            known = self._read.get((tenant, subject))
            if known is None:
                continue
            age_s = self._age_s if known.consents.said else min(self._age_s, silent_s)
            if now - known.began < age_s:
                found[subject] = known.consents
        return found

    def _keep(self, tenant: str, subject: str, read: _Read) -> None:
        self._read[tenant, subject] = read
        self._read.move_to_end((tenant, subject))
        while len(self._read) > self._size:
            self._read.popitem(last=False)

    def drop(self, tenant: str, subject: str) -> None:
        """After a statement in this process: it is seen at once."""
        self._read.pop((tenant, subject), None)
