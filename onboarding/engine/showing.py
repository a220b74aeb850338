"""Tooltips, walkthroughs and clips: which is for this person on this page now, and what they did
with it, on whatever device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from guardrails.consent import Purpose
from onboarding.engine.moments import Moments
from onboarding.journeys import (
    Catalogue,
    Guide,
    GuideMark,
    Guides,
    GuideState,
    Reader,
    ShownGuide,
    fact_of,
)
from onboarding.store.journeys.current import CurrentCatalogues, version_of
from onboarding.store.journeys.store import ProgressStore
from onboarding.types import Person

PROFICIENCY = "proficiency"


class Did(StrEnum):
    """What a person did with a guide; `reached` is a place of a walkthrough."""

    SHOWN = "shown"
    REACHED = "reached"
    DONE = "done"
    DISMISSED = "dismissed"


class Page(NamedTuple):
    """Where somebody is, and in which language they read; `every` asks for all that apply."""

    path: str | None
    locale: str
    every: bool = False


class UnknownGuideError(LookupError):
    """No such guide is published, or it has no such place."""


class Permits(Protocol):
    """What a person consents to now; False while nobody can be asked."""

    async def may(self, tenant: str, subject: str | None, purpose: Purpose) -> bool: ...


@dataclass(frozen=True, slots=True)
class ShowingParts:
    permission: Permits
    moments: Moments
    catalogues: CurrentCatalogues
    progress: ProgressStore
    clock: Callable[[], datetime]


class Showing:
    """Raises StoreUnavailableError."""

    def __init__(self, parts: ShowingParts) -> None:
        self._parts = parts
        self._compiled: tuple[Catalogue, Guides] | None = None

    async def of(self, person: Person, page: Page) -> tuple[ShownGuide, ...] | None:
        """The first that applies, or all; None where nothing of the person may be used."""
        parts = self._parts
        view = await parts.moments.of(person, parts.clock())
        if view is None:
            return None
        catalogue = await parts.catalogues.of(person.tenant)
        marks = await parts.progress.guides(person.tenant, person.user)
        reader = Reader(
            proficiency=fact_of(view, PROFICIENCY),
            locale=page.locale,
            page=page.path,
            may=await self._may(person, catalogue),
            marks={mark.guide: mark for mark in marks},
        )
        found = tuple(self._guides(catalogue).of(view, reader))
        return found if page.every else found[:1]

    async def note(self, person: Person, ref: str, did: Did, stop: int = 0) -> GuideMark | None:
        """What stands afterwards; None where nothing of the person may be kept. Raises
        UnknownGuideError."""
        parts, now = self._parts, self._parts.clock()
        guide = await self._guide(person.tenant, ref)
        if stop > most_stops(guide):
            raise UnknownGuideError(f"{ref} has no place {stop}")
        if await parts.moments.profiles.guided(person) is None:
            return None
        state = GuideState(did.value) if did is not Did.REACHED else GuideState.SHOWN
        mark = GuideMark(guide.name, guide.version, state, now, now, stop)
        return await parts.progress.note(person.tenant, person.user, mark)

    async def _guide(self, tenant: str, ref: str) -> Guide:
        named = version_of(ref)
        guides = (await self._parts.catalogues.of(tenant)).guides
        found = guides.get(named.name) if named is not None else None
        if found is None or named is None or found.version != named.number:
            raise UnknownGuideError(f"there is no guide {ref}")
        return found

    async def _may(self, person: Person, catalogue: Catalogue) -> frozenset[Purpose]:
        wanted = {guide.purpose for guide in catalogue.guides.values()}
        allowed = {
            purpose
            for purpose in wanted
            if await self._parts.permission.may(person.tenant, person.user, purpose)
        }
        return frozenset(allowed)

    def _guides(self, catalogue: Catalogue) -> Guides:
        if self._compiled is None or self._compiled[0] is not catalogue:
            self._compiled = (catalogue, Guides(catalogue.guides.values()))
        return self._compiled[1]


def most_stops(guide: Guide) -> int:
    """At the depth that has most."""
    return max((len(depth.stops) for depth in guide.depth.by_name().values()), default=0)
