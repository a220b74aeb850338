"""Events as they come -> what is known of each person, their progress, messages that are due.

Three readers of the log, so that none waits for another: what is learned of people, how far they
are, what got in their way. Each does once what it is given twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from onboarding.engine.inviting import Inviting
from onboarding.engine.moments import Moments
from onboarding.engine.outcomes import Outcomes
from onboarding.engine.speaking import NOTHING, REASON, locale_of, messages_of, wants_reason
from onboarding.events import EventLog
from onboarding.interventions import Reason, Value
from onboarding.rules import Moment
from onboarding.store.interventions.helping import FrictionDesk
from onboarding.store.interventions.store import DeliveryStore
from onboarding.store.journeys.desk import JourneyDesk, Standing
from onboarding.store.profile.desk import ProfileDesk
from onboarding.types import Event, Person

ACHIEVED_WITHIN: Final = timedelta(hours=24)
"""What a person did this long after a message counts for it (onboarding reference, 11)."""


@dataclass(frozen=True, slots=True)
class HearingParts:
    """`placeholders` are those of each template."""

    log: EventLog
    moments: Moments
    profiles: ProfileDesk
    journeys: JourneyDesk
    frictions: FrictionDesk
    deliveries: DeliveryStore
    placeholders: Mapping[str, Collection[str]]
    inviting: Inviting
    outcomes: Outcomes
    clock: Callable[[], datetime]


class Hearing:
    """Of one tenant. Raises StoreUnavailableError from all."""

    def __init__(self, parts: HearingParts) -> None:
        self._parts = parts

    async def learn(self, events: Sequence[Event]) -> None:
        """Facts, beliefs and the graph of whoever the events are of."""
        parts, now = self._parts, self._parts.clock()
        for person, own in by_person(events).items():
            history = await parts.log.history(person, now)
            for event in own:
                earlier = [each for each in history.recent if each.user == person.user]
                await parts.profiles.grow(event, earlier)
            if await parts.profiles.guided(person) is not None:
                await parts.profiles.learn(
                    person, history, await parts.moments.features.snapshot(person, now)
                )

    async def advance(self, events: Sequence[Event]) -> None:
        """What was done is put on record, and what is due is planned."""
        for person in by_person(events):
            await self.look(person)

    async def look(self, person: Person) -> int:
        """Progress of one person, and what is due to them; how many messages."""
        parts = self._parts
        moment = await parts.moments.of(person, parts.clock())
        if moment is None:
            return 0
        way = await parts.journeys.standing(person, moment)
        if way is not None:
            await parts.outcomes.note(person, way.progress, moment.now)
        reached = way is not None and way.progress.reached_at is not None
        if way is not None and reached:
            await self._achieved(person, way.enrolment.journey)
        plays = await parts.journeys.plays(person, moment, reached=reached)
        standings = (*((way,) if way is not None else ()), *plays)
        told = await self._told(person, moment, standings)
        found = [
            message
            for standing in standings
            for message in messages_of(standing, moment, parts.placeholders, told)
        ]
        await parts.deliveries.plan(found, moment.now)
        return len(found)

    async def _told(
        self, person: Person, moment: Moment, standings: Sequence[Standing]
    ) -> Mapping[str, Value]:
        """What messages say beside the step; the graph is asked only where one says it."""
        parts = self._parts
        if not any(wants_reason(each, parts.placeholders) for each in standings):
            return NOTHING
        suggestion = await parts.inviting.of(person, moment)
        if suggestion is None:
            return NOTHING
        return {REASON: suggestion.why.for_(locale_of(moment))}

    async def help(self, events: Sequence[Event]) -> None:
        """Frictions, each with its fix planned in the transaction that finds it."""
        await self._parts.frictions.see(events, self._parts.clock())

    async def _achieved(self, person: Person, journey: str) -> None:
        """Nothing of it is sent any more, and what was sent has worked."""
        parts, now = self._parts, self._parts.clock()
        await parts.deliveries.achieve(person, journey, now, ACHIEVED_WITHIN)
        await parts.deliveries.leave(person, journey, Reason.GOAL_REACHED, now)


def by_person(events: Iterable[Event]) -> dict[Person, list[Event]]:
    """In the order in which they are first named; what nobody did is nobody's."""
    found: dict[Person, list[Event]] = {}
    for event in events:
        if event.user is not None:
            person = Person(event.tenant, event.user, event.account)
            found.setdefault(person, []).append(event)
    return found
