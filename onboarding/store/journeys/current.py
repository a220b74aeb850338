"""The catalogue that is current, and any version that somebody is still on.

Lint keeps what cannot be read from being published. Where it is stored all the same, such as by an
older server, that one definition is not served and the log says so once; the others are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import structlog

from onboarding.journeys import Catalogue, Journey, Kit, Source, load_sources
from onboarding.journeys.catalogue import Defined
from onboarding.rules import DataFileError
from onboarding.store.journeys.store import CatalogueStore, UnknownReleaseError

KEPT: Final = 8
"""Releases kept in memory for each tenant: the current one, and those that rollbacks return to."""
LONGEST: Final = 9
"""Digits of a version."""
_log = structlog.get_logger(__name__)


class Version(NamedTuple):
    """What `name@version` says."""

    name: str
    number: int


def version_of(ref: str) -> Version | None:
    """None for what is no such reference."""
    name, _, number = ref.rpartition("@")
    fits = name and number.isdecimal() and len(number) <= LONGEST
    return Version(name, int(number)) if fits else None


class CurrentCatalogues:
    """Of one process. The pointer is read each time, so that a switch counts at once everywhere;
    files are parsed once."""

    def __init__(self, store: CatalogueStore) -> None:
        self._store = store
        self._releases: dict[tuple[str, int], Catalogue] = {}
        self._versions: dict[tuple[str, str, str, int], Journey | Kit | None] = {}
        self._refused: set[tuple[str, str]] = set()

    async def of(self, tenant: str) -> Catalogue:
        """Empty where nothing is published. Raises StoreUnavailableError."""
        number = await self._store.pointer(tenant)
        if number is None:
            return Catalogue()
        known = self._releases.get((tenant, number))
        if known is None:
            known = await self._released(tenant, number)
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
        """`name@version`; None for what is none, or cannot be read."""
        named = version_of(ref) if ref is not None else None
        if named is None:
            self._refuse(tenant, ref)
            return None
        found = await self._version(tenant, "kit", named.name, named.number)
        return found if isinstance(found, Kit) else None

    async def _released(self, tenant: str, number: int) -> Catalogue:
        try:
            release = await self._store.release(tenant, number)
        except UnknownReleaseError:
            _log.error("journeys.no_release", release=number)
            return Catalogue()
        return Catalogue(_readable(release.sources))

    def _refuse(self, tenant: str, ref: str | None) -> None:
        """Told once."""
        if ref is not None and (tenant, ref) not in self._refused:
            self._refused.add((tenant, ref))
            _log.error("journeys.bad_kit_reference", kit=ref)

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


def _one(source: Source) -> Journey | Kit | None:
    values = [each.value for each in _readable([source])]
    return next((each for each in values if isinstance(each, Journey | Kit)), None)


def _readable(sources: Iterable[Source]) -> list[Defined]:
    """Those that can be read; each other one is told."""
    found: list[Defined] = []
    for each in sources:
        try:
            found += load_sources([each]).defined
        except DataFileError as failure:
            name = f"{each.kind} {each.name}@{each.version}"
            _log.error("journeys.unreadable", definition=name, problem=failure.problems[0])
    return found
