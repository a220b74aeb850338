"""A person -> their checklist and the cards that help them most now, decided and put on record."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from onboarding.actions import Catalogue, Standing, candidates
from onboarding.engine.moments import Moments
from onboarding.ranking import Asked, Policy, Ranker, decide, with_profile
from onboarding.ranking.control import Mute, muted
from onboarding.rules import Moment
from onboarding.store.journeys.desk import JourneyDesk
from onboarding.store.journeys.desk import Standing as Way
from onboarding.store.ranking.store import NextSteps
from onboarding.types import Candidate, Card, Decision, History, Outcome, OutcomeKind, Person

LASTS: Final = timedelta(minutes=30)
"""How long a decision stands while nothing changes: one session, as features have it."""
KNOWN: Final = ("role", "intent", "industry", "size", "proficiency")
"""Facts that a ranker may see; what they are in a snapshot, training sees too."""
SESSION_GAP: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, and what the product lets them do."""

    person: Person
    now: datetime
    rights: AbstractSet[str] | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """What is known and suggested now. `decision` without cards is the arm that shows nothing."""

    moment: Moment
    way: Way | None
    decision: Decision
    is_new: bool
    mutes: tuple[Mute, ...] = ()


@dataclass(frozen=True, slots=True)
class AdvisorParts:
    """`ranker` is asked anew for each decision, so that a promoted model serves the next."""

    moments: Moments
    journeys: JourneyDesk
    actions: Catalogue
    decisions: NextSteps
    ranker: Callable[[], Awaitable[Ranker]]
    new_id: Callable[[], str]
    timer: Callable[[], float]
    policy: Policy = field(default_factory=Policy)


class Advisor:
    """Of one tenant. Raises StoreUnavailableError."""

    def __init__(self, parts: AdvisorParts) -> None:
        self._parts = parts

    async def advise(self, asking: Asking) -> Advice | None:
        """None where nothing of the person may be used."""
        parts, person = self._parts, asking.person
        moment = await parts.moments.of(person, asking.now)
        if moment is None:
            return None
        way = await parts.journeys.standing(person, moment)
        moment = await parts.moments.with_way(person, moment, way)
        mutes = await parts.decisions.mutes(person.tenant, person.user)
        newest = await parts.decisions.latest(person.tenant, person.user)
        given = await self._candidates(asking, moment, way, mutes)
        journey = way.composed.ref if way is not None else None
        if newest is not None and _stands(newest, given, journey, asking.now):
            return Advice(moment, way, newest, False, mutes)
        decision = await self._decided(asking, moment, way, given)
        await parts.decisions.add(decision)
        return Advice(moment, way, decision, True, mutes)

    async def respond(
        self,
        person: Person,
        card: tuple[str, str],
        said: OutcomeKind,
        now: datetime,
        until: datetime | None = None,
    ) -> Outcome | None:
        """What was said of a card, by decision and action; None when this person was shown no such
        card."""
        id, action = card
        decision = await self._parts.decisions.decision(person.tenant, id)
        if decision is None or decision.person.user != person.user:
            return None
        if action not in {each.action for each in decision.cards}:
            return None
        outcome = Outcome(id, person, action, said, now, until)
        await self._parts.decisions.note(outcome)
        return outcome

    async def _candidates(
        self,
        asking: Asking,
        moment: Moment,
        way: Way | None,
        mutes: Sequence[Mute],
    ) -> tuple[Candidate, ...]:
        began = visit_began(moment.own, asking.now)
        standing = Standing(
            view=moment,
            progress=way.progress if way is not None else None,
            muted=muted(mutes, asking.now, began),
            rights=asking.rights,
        )
        return passed_over(candidates(self._parts.actions, standing), await self._passed(asking))

    async def _passed(self, asking: Asking) -> list[Card]:
        """Cards of this session of which another was wished for, oldest first."""
        decisions, since = self._parts.decisions, asking.now - LASTS
        found = []
        person = asking.person
        for outcome in await decisions.outcomes_of(person.tenant, person.user):
            if outcome.kind is OutcomeKind.ANOTHER and outcome.at > since:
                of = await decisions.decision(asking.person.tenant, outcome.decision)
                found += [c for c in (of.cards if of else ()) if c.action == outcome.action]
        return found

    async def _decided(
        self, asking: Asking, moment: Moment, way: Way | None, given: tuple[Candidate, ...]
    ) -> Decision:
        parts = self._parts
        ranker = await parts.ranker()
        began, id = parts.timer(), parts.new_id()
        assert moment.snapshot is not None
        asked = Asked(
            id=id,
            person=asking.person,
            at=asking.now,
            candidates=given,
            snapshot=with_profile(moment.snapshot, moment.profile, KNOWN),
            seed=seed_of(id),
            profile=moment.profile,
            journey=way.composed.ref if way is not None else None,
            arms=moment.arms,
            blocks=parts.actions.blocks,
        )
        return decide(asked, ranker, parts.policy, lambda: parts.timer() - began)


def seed_of(id: str) -> int:
    """Of a decision: the same id draws the same."""
    return int.from_bytes(hashlib.sha256(id.encode()).digest()[:8], "big")


def visit_began(history: History, now: datetime) -> datetime | None:
    """When the session began that is under way; None without any event of it."""
    began: datetime | None = None
    later = now
    for event in reversed(history.recent):
        if later - event.occurred_at > SESSION_GAP:
            break
        began = later = event.occurred_at
    return began


def passed_over(given: tuple[Candidate, ...], passed: Sequence[Card]) -> tuple[Candidate, ...]:
    """What "another path" makes of the list: the card's place is taken by the best of another kind,
    and the card is left out for the session, unless nothing else is there."""
    order = [each.action for each in given]
    for card in passed:
        if card.action not in order:
            continue
        place = order.index(card.action)
        best = next((name for name in card.alternatives if name in order), None)
        if len(order) == 1:
            break
        order.remove(card.action)
        if best is not None:
            order.remove(best)
            order.insert(min(place, len(order)), best)
    by_name = {each.action: each for each in given}
    return tuple(replace(by_name[name], order=place) for place, name in enumerate(order))


def _stands(
    newest: Decision, given: tuple[Candidate, ...], journey: str | None, now: datetime
) -> bool:
    """The same question asked again within a session has the same answer; on another journey the
    same actions are other steps."""
    before, after = ([(each.action, each.step) for each in of] for of in (newest.candidates, given))
    same = before == after and newest.journey == journey
    return same and timedelta(0) <= now - newest.at < LASTS
