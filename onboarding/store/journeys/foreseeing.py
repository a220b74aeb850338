"""Where a person would stand if they were seen otherwise: nothing is begun or put on record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from onboarding.journeys import (
    Catalogue,
    Composed,
    Done,
    Enrolment,
    Kit,
    compose,
    mode_for,
    pinned,
    track,
)
from onboarding.journeys.composing import fitting_kit
from onboarding.store.journeys.current import CurrentCatalogues
from onboarding.store.journeys.desk import taken
from onboarding.store.journeys.store import ProgressStore
from onboarding.types import Mode, Person, Progress, View


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A way as `JourneyDesk.standing` would find it, and the kit that fits."""

    progress: Progress | None = None
    journey: str | None = None  # name@version
    kit: Kit | None = None


@dataclass(slots=True)
class _Read:
    """What is stored of one person; each thing is read once."""

    catalogue: Catalogue
    known: tuple[Enrolment, ...]
    mode: Mode | None
    composed: dict[str, Composed | None] = field(default_factory=dict)
    done: dict[str, tuple[Done, ...]] = field(default_factory=dict)


class Foreseeing:
    """One per process. Raises StoreUnavailableError."""

    def __init__(self, progress: ProgressStore, catalogues: CurrentCatalogues) -> None:
        self._progress = progress
        self._catalogues = catalogues

    async def of(self, person: Person, views: Sequence[View]) -> list[Foreseen]:
        """For each view, in their order."""
        read = _Read(
            await self._catalogues.of(person.tenant),
            await self._progress.of(person.tenant, person.user),
            await self._progress.mode(person.tenant, person.user),
        )
        return [await self._one(person, view, read) for view in views]

    async def _one(self, person: Person, view: View, read: _Read) -> Foreseen:
        mine = [each for each in read.known if each.journey not in read.catalogue.plays]
        for enrolment in reversed(mine):
            if enrolment.is_running and (found := await self._look(enrolment, view, read)):
                return found
        begun = compose(read.catalogue, view, taken(read.catalogue, read.known, view))
        if begun is not None:
            return await self._begun(person, begun, view, read)
        ended = [each for each in mine if each.finished_at is not None]
        last = await self._look(ended[-1], view, read) if ended else None
        return last or Foreseen(kit=fitting_kit(read.catalogue, view))

    async def _look(self, enrolment: Enrolment, view: View, read: _Read) -> Foreseen | None:
        """None where it cannot be read, or the person would leave it."""
        if enrolment.ref not in read.composed:
            read.composed[enrolment.ref] = await self._composed(enrolment)
        composed = read.composed[enrolment.ref]
        return await self._tracked(enrolment, composed, view, read) if composed else None

    async def _begun(self, person: Person, composed: Composed, view: View, read: _Read) -> Foreseen:
        journey = composed.journey
        enrolment = Enrolment(person, journey.name, journey.version, view.now)
        found = await self._tracked(enrolment, composed, view, read)
        return found or Foreseen(kit=fitting_kit(read.catalogue, view))

    async def _tracked(
        self, enrolment: Enrolment, composed: Composed, view: View, read: _Read
    ) -> Foreseen | None:
        if enrolment.ref not in read.done:
            read.done[enrolment.ref] = await self._progress.done(enrolment)
        done = read.done[enrolment.ref]
        tracked = track(composed, enrolment, view, done, mode_for(view, read.mode))
        if tracked.left is not None:
            return None
        kit = composed.kit or fitting_kit(read.catalogue, view)
        return Foreseen(tracked.progress, composed.ref, kit)

    async def _composed(self, enrolment: Enrolment) -> Composed | None:
        tenant = enrolment.person.tenant
        journey = await self._catalogues.journey(tenant, enrolment.journey, enrolment.version)
        kit = await self._catalogues.kit(tenant, enrolment.kit)
        return pinned(journey, kit) if journey is not None else None
