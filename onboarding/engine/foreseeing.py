"""A person with another profile -> what the rules would show them: cards, branch and kit.

This is the decision that a question is worth something to, before a model ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime

from onboarding.actions import Catalogue, Standing, candidates
from onboarding.engine.moments import Moments
from onboarding.profile.showing import Shown
from onboarding.ranking import Asked, Policy, RuleRanker, decide
from onboarding.ranking.control import muted
from onboarding.rules import Moment
from onboarding.store.journeys.foreseeing import Foreseeing, Foreseen
from onboarding.store.ranking.store import NextSteps
from onboarding.types import Person, Profile, StepState

_LEFT = (StepState.OPEN, StepState.BLOCKED)


@dataclass(frozen=True, slots=True)
class ForesightParts:
    moments: Moments
    journeys: Foreseeing
    actions: Catalogue
    decisions: NextSteps
    clock: Callable[[], datetime]
    policy: Policy = field(default_factory=Policy)


class Foresight:
    """Of one tenant: `onboarding.store.profile.parts.Foresee`. Nothing is decided, begun or put on
    record. Raises StoreUnavailableError."""

    def __init__(self, parts: ForesightParts) -> None:
        self._parts = parts

    async def __call__(
        self, person: Person, profiles: Sequence[Profile], rights: AbstractSet[str] | None
    ) -> Sequence[Shown]:
        """Nothing where nothing of the person may be used."""
        parts, now = self._parts, self._parts.clock()
        moment = await parts.moments.of(person, now)
        if moment is None:
            return ()
        mutes = await parts.decisions.mutes(person.tenant, person.user)
        put_aside = muted(mutes, now, None)
        views = [replace(moment, profile=profile) for profile in profiles]
        ways = await parts.journeys.of(person, views)
        return [
            self._shown(person, view, way, Standing(view, way.progress, put_aside, rights))
            for view, way in zip(views, ways, strict=True)
        ]

    def _shown(self, person: Person, view: Moment, way: Foreseen, standing: Standing) -> Shown:
        steps = way.progress.steps if way.progress is not None else ()
        return Shown(
            cards=self._cards(person, view, standing),
            branch=frozenset(each.action for each in steps if each.state in _LEFT),
            kit=way.kit.ref if way.kit is not None else None,
        )

    def _cards(self, person: Person, view: Moment, standing: Standing) -> tuple[str, ...]:
        """In the curated order, without chance."""
        parts = self._parts
        assert view.snapshot is not None
        asked = Asked(
            id="foreseen",
            person=person,
            at=view.now,
            candidates=candidates(parts.actions, standing),
            snapshot=view.snapshot,
            seed=0,
            profile=view.profile,
            blocks=parts.actions.blocks,
        )
        calm = replace(parts.policy, explore=0.0, nothing=0.0)
        return tuple(card.action for card in decide(asked, RuleRanker(), calm).cards)
