"""Published files in memory: the twin."""

from __future__ import annotations

from dataclasses import replace

from guardrails.refs import owner
from onboarding.journeys import Source
from onboarding.journeys.lint import Published
from onboarding.store.journeys.store import (
    Draft,
    EditedVersionError,
    Release,
    StaleReleaseError,
    Switch,
    UnknownReleaseError,
)
from onboarding.store.journeys.storing import digest_of, edited, published_of


class MemoryCatalogues:
    """Keeps nothing beyond the process."""

    def __init__(self) -> None:
        self._sources: dict[str, dict[tuple[str, str, int], Source]] = {}
        self._releases: dict[str, list[Release]] = {}
        self._switches: dict[str, list[Switch]] = {}

    async def publish(self, tenant: str, draft: Draft, expected: int | None) -> Release:
        owner(tenant)
        current = await self.pointer(tenant)
        if current != expected:
            raise StaleReleaseError(expected, current)
        known = self._sources.setdefault(tenant, {})
        if changed := edited(draft.sources, {name: each.digest for name, each in known.items()}):
            raise EditedVersionError(changed)
        kept = tuple(sorted(draft.sources, key=lambda each: (each.kind, each.name)))
        for each in kept:
            known.setdefault((each.kind.value, each.name, each.version), replace(each, path=""))
        releases = self._releases.setdefault(tenant, [])
        digest = digest_of(kept)
        new = Release(len(releases) + 1, draft.by, draft.at, draft.note, digest, kept)
        releases.append(new)
        switch = Switch(new.number, draft.by, draft.at, "published")
        self._switches.setdefault(tenant, []).append(switch)
        return new

    async def pointer(self, tenant: str) -> int | None:
        switches = self._switches.get(tenant)
        return switches[-1].number if switches else None

    async def release(self, tenant: str, number: int) -> Release:
        found = (each for each in self._releases.get(tenant, ()) if each.number == number)
        release = next(found, None)
        if release is None:
            raise UnknownReleaseError(number)
        return release

    async def switch(self, tenant: str, switch: Switch) -> Release:
        release = await self.release(tenant, switch.number)
        self._switches[tenant].append(switch)
        return release

    async def releases(self, tenant: str) -> tuple[Release, ...]:
        found = reversed(self._releases.get(tenant, []))
        return tuple(replace(each, sources=()) for each in found)

    async def switches(self, tenant: str) -> tuple[Switch, ...]:
        return tuple(reversed(self._switches.get(tenant, [])))

    async def published(self, tenant: str) -> Published:
        number = await self.pointer(tenant)
        current = (await self.release(tenant, number)).sources if number is not None else ()
        return published_of(self._sources.get(tenant, {}).values(), current)
