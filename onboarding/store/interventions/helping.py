"""Events -> frictions -> fixes, whose messages are planned in the transaction that finds them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog

from onboarding.interventions.detecting import NOTHING, Detectors
from onboarding.interventions.fixes import Intervention, Tried, choose
from onboarding.interventions.patterns import Looks
from onboarding.interventions.signals import Signal, Signals, person_of
from onboarding.store.interventions.watches import Held, WatchStore
from onboarding.types import Event, Friction, Person

_log = structlog.get_logger(__name__)
BLOCK: Final = 200
"""People whose timers are looked at in one transaction."""
Seen = Sequence[tuple[Person, Signal]]
Risks = Callable[[Person, datetime], Awaitable[Callable[[str], float] | None]]
"""Of a person's steps, read before the transaction; None where it is not known."""


def nothing_known(_person: Person) -> Looks:
    """Where neither a model nor medians are there."""
    return NOTHING


async def no_risks(_person: Person, _now: datetime) -> Callable[[str], float] | None:
    """Where nobody knows how likely a step is never taken."""
    return None


class FrictionDesk:
    """`looks` is asked inside a transaction, so it has to be quick; `risks` before it, of those
    alone whose timers have ended."""

    def __init__(
        self,
        detectors: Detectors,
        signals: Signals,
        watches: WatchStore,
        looks: Callable[[Person], Looks] = nothing_known,
        risks: Risks = no_risks,
    ) -> None:
        self._detectors = detectors
        self._signals = signals
        self._watches = watches
        self._looks = looks
        self._risks = risks

    async def see(self, events: Sequence[Event], now: datetime) -> tuple[Intervention, ...]:
        """Of one tenant, in the order in which they came. Raises StoreUnavailableError; the same
        events may then come again."""
        seen = [
            (person, signal)
            for event in events
            if (person := person_of(event)) is not None
            for signal in self._signals.of(event)
        ]
        return await self.take(seen, now)

    async def take(self, seen: Seen, now: datetime) -> tuple[Intervention, ...]:
        """Signals that come from elsewhere, such as a question with its vector."""
        if not seen:
            return ()
        people = {person.user: person for person, _ in seen}

        def work(held: Mapping[str, Held]) -> list[Intervention]:
            made: list[Intervention] = []
            for person, signal in seen:
                own = held[person.user]
                looks = self._looks(person)
                found = self._detectors.see(own.watch, person, signal, looks)
                made += self._chosen(own, found, now)
            return made

        return await self._planned(tuple(people.values()), now, work)

    async def visit(self, tenant: str, now: datetime) -> tuple[Intervention, ...]:
        """What timers show: called every second or so, by any number of processes."""
        people = await self._watches.due(tenant, now, BLOCK)
        if not people:
            return ()
        risks = {each.user: await self._risks(each, now) for each in people}

        def work(held: Mapping[str, Held]) -> list[Intervention]:
            made: list[Intervention] = []
            for own in held.values():
                looks = self._looks(own.person)
                risk = risks[own.person.user]
                if risk is not None:
                    looks = replace(looks, risk=risk)
                found = self._detectors.due(own.watch, own.person, now, looks)
                made += self._chosen(own, found, now)
            return made

        return await self._planned(people, now, work)

    async def worked(
        self, person: Person, detector: str, about: str, now: datetime, *, worked: bool
    ) -> bool:
        """What became of the last fix of a friction; False when there is none that is open."""

        def work(held: Mapping[str, Held]) -> bool:
            tried = held[person.user].tried.get((detector, about), [])
            if not tried or tried[-1].worked is not None:
                return False
            tried[-1] = replace(tried[-1], worked=worked)
            return True

        return await self._watches.change(person.tenant, [person], now, work)

    async def _planned(
        self,
        people: Sequence[Person],
        now: datetime,
        work: Callable[[Mapping[str, Held]], list[Intervention]],
    ) -> tuple[Intervention, ...]:
        made = await self._watches.change(people[0].tenant, people, now, work)
        for each in made:
            found = each.friction
            _log.info("friction", detector=found.detector, fix=each.fix, severity=found.severity)
        return tuple(made)

    def _chosen(self, own: Held, found: Sequence[Friction], now: datetime) -> list[Intervention]:
        made: list[Intervention] = []
        for friction in found:
            tried = own.tried.setdefault((friction.detector, friction.about), [])
            ladder = self._detectors.ladder(friction.detector)
            chosen = choose(friction, ladder, tried, own.watch.known, now)
            if chosen is None:
                continue
            tried[:] = [replace(t, worked=False) if t.worked is None else t for t in tried]
            tried.append(Tried(chosen.fix, now))
            own.messages.append(chosen.message)
            made.append(chosen)
        return made
