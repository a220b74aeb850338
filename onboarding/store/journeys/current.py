"""The catalogue that is current, and any version that somebody is still on."""

from __future__ import annotations

from onboarding.journeys import Catalogue, Journey, Kit, Source, load_sources
from onboarding.store.journeys.store import CatalogueStore

KEPT = 8
"""Releases kept in memory for each tenant: the current one, and those that rollbacks return to."""


class CurrentCatalogues:
    """Of one process. The pointer is read each time, so that a switch counts at once everywhere;
    files are parsed once."""

    def __init__(self, store: CatalogueStore) -> None:
        self._store = store
        self._releases: dict[tuple[str, int], Catalogue] = {}
        self._versions: dict[tuple[str, str, str, int], Journey | Kit] = {}

    async def of(self, tenant: str) -> Catalogue:
        """Empty where nothing is published. Raises StoreUnavailableError."""
        number = await self._store.pointer(tenant)
        if number is None:
            return Catalogue()
        known = self._releases.get((tenant, number))
        if known is None:
            release = await self._store.release(tenant, number)
            known = load_sources(release.sources)
            mine = [key for key in self._releases if key[0] == tenant]
            for key in mine[: max(0, len(mine) - KEPT + 1)]:
                del self._releases[key]
            self._releases[tenant, number] = known
        return known

    async def journey(self, tenant: str, name: str, version: int) -> Journey | None:
        """A journey or play as it was published, however long ago."""
        current = (await self.of(tenant)).journey(name)
        if current is not None and current.version == version:
            return current
        for kind in ("journey", "play"):
            found = await self._version(tenant, kind, name, version)
            if isinstance(found, Journey):
                return found
        return None

    async def kit(self, tenant: str, ref: str | None) -> Kit | None:
        """`name@version`."""
        if ref is None:
            return None
        name, _, version = ref.rpartition("@")
        found = await self._version(tenant, "kit", name, int(version))
        return found if isinstance(found, Kit) else None

    async def _version(
        self, tenant: str, kind: str, name: str, version: int
    ) -> Journey | Kit | None:
        key = (tenant, kind, name, version)
        if key not in self._versions:
            stored = (await self._store.published(tenant)).ever.get((kind, name, version))
            if stored is None:
                return None
            self._versions[key] = _one(stored)
        return self._versions[key]


def _one(source: Source) -> Journey | Kit:
    (defined,) = load_sources([source]).defined
    if not isinstance(defined.value, Journey | Kit):
        raise TypeError(f"{source.kind} {source.name} is no journey and no kit")
    return defined.value
