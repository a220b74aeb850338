"""A person's journey as it stands: begun, taken along to a new version, tracked, put on record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from onboarding.journeys import (
    Catalogue,
    Composed,
    Done,
    Enrolment,
    Journey,
    MigrationError,
    Tracked,
    compose,
    migrate,
    mode_for,
    open_plays,
    pinned,
    track,
)
from onboarding.store.journeys.current import CurrentCatalogues
from onboarding.store.journeys.store import Marks, ProgressStore
from onboarding.types import Mode, Person, Progress, StepState, View


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one person is in one journey or play."""

    enrolment: Enrolment
    composed: Composed
    progress: Progress


class StepNotOpenError(ValueError):
    """The step is not part of the person's journey, is over, or may not be left out."""

    def __init__(self, step: str) -> None:
        super().__init__(f"{step} is not open, or has to be done")
        self.step = step


class JourneyDesk:
    """One per process. Raises StoreUnavailableError from all."""

    def __init__(self, progress: ProgressStore, catalogues: CurrentCatalogues) -> None:
        self._progress = progress
        self._catalogues = catalogues

    async def standing(
        self, person: Person, view: View, *, consented: bool = True
    ) -> Standing | None:
        """Their journey, begun where they have none and one is for them; the last one they finished
        otherwise. None where there is none."""
        catalogue = await self._catalogues.of(person.tenant)
        known = await self._progress.of(person.tenant, person.user)
        mine = [each for each in known if each.journey not in catalogue.plays]
        now = await self._running(mine, view, consented)
        if now is None and consented:
            now = await self._begin(person, catalogue, known, view)
        if now is not None:
            return now
        ended = [each for each in mine if each.finished_at is not None]
        return await self.look(ended[-1], view, consented) if ended else None

    async def plays(self, person: Person, view: View, *, reached: bool) -> tuple[Standing, ...]:
        """The plays that are for them now, each begun; what was begun and is over is not shown."""
        catalogue = await self._catalogues.of(person.tenant)
        known = await self._progress.of(person.tenant, person.user)
        found: list[Standing] = []
        for play in open_plays(catalogue, view, reached=reached):
            running = [e for e in known if e.journey == play.name and e.is_running]
            if not running and play.name in taken(catalogue, known, view):
                continue
            new = pinned(play, None)
            enrolment = running[0] if running else await self._enrol(person, new, view)
            standing = await self.look(enrolment, view, consented=True)
            if standing is not None and standing.enrolment.is_running:
                found.append(standing)
        return tuple(found)

    async def complete(
        self, person: Person, action: str, at: datetime, evidence: Sequence[str] = ()
    ) -> int:
        """What this action was a step of is done, such as after its receipt. How many steps."""
        count = 0
        for enrolment in await self._progress.of(person.tenant, person.user):
            composed = await self._composed(enrolment) if enrolment.is_running else None
            steps = [s for s in (composed.actions if composed else ()) if s.action == action]
            done = [
                Done(s.id, action, StepState.DONE, at, s.scope, person.user, tuple(evidence))
                for s in steps
            ]
            await self._progress.complete(enrolment, done)
            count += len(done)
        return count

    async def skip(self, person: Person, step: str, view: View) -> Standing | None:
        """An optional step is left out for good. Raises StepNotOpenError."""
        standing = await self.standing(person, view)
        found = standing.composed.journey.step(step) if standing is not None else None
        if standing is None or found is None or not found.optional:
            raise StepNotOpenError(step)
        left_out = Done(
            step, found.action or "", StepState.SKIPPED, view.now, by=person.user
        )  # of this person alone, also where the step is the account's
        await self._progress.complete(standing.enrolment, [left_out])
        return await self.standing(person, view)

    async def choose(self, person: Person, mode: Mode, at: datetime) -> None:
        """Remembered on every device."""
        await self._progress.choose(person.tenant, person.user, mode, at)

    async def _running(
        self, known: Sequence[Enrolment], view: View, consented: bool
    ) -> Standing | None:
        for enrolment in reversed(known):
            if not enrolment.is_running:
                continue
            standing = await self.look(enrolment, view, consented)
            if standing is not None and standing.enrolment.left_at is None:
                return standing
        return None

    async def _begin(
        self, person: Person, catalogue: Catalogue, known: Sequence[Enrolment], view: View
    ) -> Standing | None:
        composed = compose(catalogue, view, taken(catalogue, known, view))
        if composed is None:
            return None
        return await self.look(await self._enrol(person, composed, view), view, consented=True)

    async def _enrol(self, person: Person, composed: Composed, view: View) -> Enrolment:
        journey, kit = composed.journey, composed.kit
        return await self._progress.enrol(
            Enrolment(person, journey.name, journey.version, view.now, kit=kit.ref if kit else None)
        )

    async def look(
        self, enrolment: Enrolment, view: View, consented: bool = True
    ) -> Standing | None:
        """One way as it stands now, taken along and put on record; None for a version that was
        never published."""
        enrolment = await self._taken_along(enrolment)
        composed = await self._composed(enrolment)
        if composed is None:
            return None
        person = enrolment.person
        mode = mode_for(view, await self._progress.mode(person.tenant, person.user))
        done = await self._progress.done(enrolment)
        tracked = track(composed, enrolment, view, done, mode, consented=consented)
        stands = await self._record(enrolment, tracked, view)
        return Standing(stands, composed, tracked.progress)

    async def _record(self, enrolment: Enrolment, tracked: Tracked, view: View) -> Enrolment:
        """Only what is new is written."""
        await self._progress.complete(enrolment, tracked.fresh)
        marks = Marks(
            reached_at=None if enrolment.reached_at else tracked.progress.reached_at,
            finished_at=view.now if tracked.finished and not enrolment.finished_at else None,
            left_at=view.now if tracked.left else None,
            left_why=tracked.left,
        )
        return await self._progress.mark(enrolment, marks) if marks != Marks() else enrolment

    async def _taken_along(self, enrolment: Enrolment) -> Enrolment:
        """To the version that says how, if it is the current one."""
        tenant = enrolment.person.tenant
        current = (await self._catalogues.of(tenant)).journey(enrolment.journey)
        if current is None or current.migrate is None or current.version == enrolment.version:
            return enrolment
        old = await self._catalogues.journey(tenant, enrolment.journey, enrolment.version)
        try:
            moved = migrate(enrolment, old, current) if old is not None else None
        except (
            MigrationError
        ):  # lint refuses such a file; whoever is under way stays where they are
            return enrolment
        if moved is None or await self._progress.move(moved):
            return moved.after if moved is not None else enrolment
        return await self._again(enrolment)  # another process was first

    async def _again(self, enrolment: Enrolment) -> Enrolment:
        """As the store has it now."""
        person = enrolment.person
        stored = await self._progress.of(person.tenant, person.user)
        same = (e for e in stored if (e.journey, e.entry) == (enrolment.journey, enrolment.entry))
        return next(same, enrolment)

    async def _composed(self, enrolment: Enrolment) -> Composed | None:
        tenant = enrolment.person.tenant
        journey = await self._catalogues.journey(tenant, enrolment.journey, enrolment.version)
        if journey is None:
            return None
        return pinned(journey, await self._catalogues.kit(tenant, enrolment.kit))


def taken(catalogue: Catalogue, known: Sequence[Enrolment], view: View) -> frozenset[str]:
    """What they may not enter now: too often, too soon, or its event has not happened."""
    every = (*catalogue.journeys.values(), *catalogue.plays.values())
    return frozenset(each.name for each in every if not _may_enter(each, known, view))


def _may_enter(journey: Journey, known: Sequence[Enrolment], view: View) -> bool:
    entries = [each for each in known if each.journey == journey.name]
    rule = journey.entry
    if rule is None:
        return not entries
    if not view.alone().count(rule.on, None, {}) or len(entries) >= rule.max:
        return False
    last = max((each.started_at for each in entries), default=None)
    return last is None or rule.every is None or view.now - last >= rule.every
