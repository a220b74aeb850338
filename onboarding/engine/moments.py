"""What is stored of a person -> the moment that rules see."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from onboarding.engine.states import KnownStates
from onboarding.events import EventLog
from onboarding.rules import Moment
from onboarding.store.journeys.desk import Standing
from onboarding.types import History, Mode, Person, Profile, Seen, Snapshot, StepState

Risks = Callable[[Person, Snapshot], Awaitable[Mapping[str, float]]]
"""How likely each step is never taken, by step. Raises StoreUnavailableError."""


class Snapshots(Protocol):
    """Features of a person as of a time. Raises StoreUnavailableError."""

    async def snapshot(
        self, person: Person, at: datetime, given: Mapping[str, float] | None = None
    ) -> Snapshot:
        """`given` are numbers that other rooms know, such as progress."""
        ...


class Profiles(Protocol):
    """Raises StoreUnavailableError."""

    async def guided(self, person: Person) -> Profile | None:
        """None where nothing of them may be used."""
        ...


@dataclass(frozen=True, slots=True)
class Moments:
    """Reads moments. Raises StoreUnavailableError."""

    log: EventLog
    features: Snapshots
    profiles: Profiles
    states: KnownStates
    risks: Risks

    async def of(self, person: Person, now: datetime) -> Moment | None:
        """None where nothing of the person may be used."""
        profile = await self.profiles.guided(person)
        if profile is None:
            return None
        own = await self.log.history(Person(person.tenant, person.user), now)
        snapshot = await self.features.snapshot(person, now)
        return Moment(
            now,
            own=own,
            team=await self._team(person, own, now),
            snapshot=snapshot,
            profile=profile,
            states=self.states.of(person, now),
            risks=await self.risks(person, snapshot),
        )

    async def with_way(self, person: Person, moment: Moment, way: Standing | None) -> Moment:
        """The same with the features that progress gives."""
        if way is None:
            return moment
        given = given_of(way, moment.now)
        return replace(moment, snapshot=await self.features.snapshot(person, moment.now, given))

    async def _team(self, person: Person, own: History, now: datetime) -> History:
        if person.account is None:
            return History()
        return without(await self.log.history(person, now), own)


def given_of(way: Standing, now: datetime) -> dict[str, float]:
    """What features are given of a person's way (onboarding reference, 3): shares, counts and
    hours."""
    progress = way.progress
    done = [step.done_at for step in progress.steps if step.done_at is not None]
    since = max([progress.started_at, *done])
    left = sum(step.state in (StepState.OPEN, StepState.BLOCKED) for step in progress.steps)
    hours = max((now - since).total_seconds() / 3600, 0.0)
    return {
        "progress": progress.share,
        "steps_left": float(left),
        "hours_in_step": hours,
        "hours_since_progress": hours,
        "advanced": float(progress.mode is Mode.ADVANCED),
    }


def without(whole: History, own: History) -> History:
    """What the others of an account did. An own event among the newest of all is among the newest
    own ones too, so that none is taken for theirs. First and last time are those of all."""
    mine = {event.message_id for event in own.recent}
    recent = tuple(event for event in whole.recent if event.message_id not in mine)
    seen = {
        name: Seen(seen.count - _count(own, name), seen.first, seen.last)
        for name, seen in whole.seen.items()
        if seen.count > _count(own, name)
    }
    return History(seen, recent)


def _count(history: History, name: str) -> int:
    seen = history.seen.get(name)
    return seen.count if seen is not None else 0
