"""The onboarding engine as conversation and HTTP see it: a signed-in person's standing, in their
language, with what they say to a card."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

import structlog
from pydantic import JsonValue

from agent.deps import Facts
from agent.guiding import Guide, ListedStep, NextStep, Question, Situation, Standing, Trouble
from api.advice import Muted, Snooze, UnknownCardError
from embark.product_reading import ProductReading, Read, person_of, reads_nothing
from guardrails.decisions import (
    Amount,
    Assignment,
    Kind,
    OutcomeUpdate,
    Row,
    Versions,
    evidence_id,
)
from guardrails.decisions import Decision as Recorded
from guardrails.decisions import Outcome as Became
from guardrails.labels import Integrity, Labelled
from guardrails.store import StoreUnavailableError
from onboarding.actions import STEP, Catalogue
from onboarding.engine.advising import Advice, Advisor, Asking
from onboarding.engine.asking import Questions
from onboarding.engine.cohorts import Outlooks
from onboarding.engine.hearing import Hearing
from onboarding.engine.inviting import Inviting
from onboarding.engine.moments import Moments
from onboarding.engine.speaking import in_locale, locale_of
from onboarding.engine.states import KnownStates
from onboarding.interventions.signals import SignalKind, Signals
from onboarding.profile.inviting import Suggestion
from onboarding.ranking import Sentences
from onboarding.rules import Moment
from onboarding.store.journeys.desk import JourneyDesk
from onboarding.store.ranking.store import NextSteps
from onboarding.types import (
    UNKNOWN,
    Card,
    Decision,
    Mode,
    Outcome,
    OutcomeKind,
    Person,
    StepState,
)
from tools.journal import Action, State
from tools.types import Actor

LATELY: Final = timedelta(hours=24)
"""How old trouble may be that the conversation still knows of."""
MOST_TROUBLES: Final = 5
INVITE_ROLE: Final = "team.invite_role"
"""The fact that a tool's argument is filled with."""
_LENGTHS: Final[Mapping[Snooze, timedelta | None]] = MappingProxyType(
    {Snooze.DAY: timedelta(days=1), Snooze.WEEK: timedelta(days=7), Snooze.VISIT: None}
)
_TROUBLE: Final = frozenset(
    {SignalKind.ERROR, SignalKind.IMPORT_FAILED, SignalKind.DENIED, SignalKind.LIMITED}
)
_BECAME: Final[Mapping[OutcomeKind, Became]] = MappingProxyType(
    {
        OutcomeKind.SEEN: Became.SHOWN,
        OutcomeKind.CLICKED: Became.ACCEPTED,
        OutcomeKind.COMPLETED: Became.SUCCEEDED,
        OutcomeKind.DISMISSED: Became.DISMISSED,
        OutcomeKind.SNOOZED: Became.DISMISSED,
        OutcomeKind.NEVER: Became.DISMISSED,
        OutcomeKind.ANOTHER: Became.DISMISSED,
        OutcomeKind.ACTIVATED: Became.RESOLVED,
    }
)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class GuidanceParts:
    """`record` takes what was decided. `texts` of actions come with the catalogue."""

    advisor: Advisor
    hearing: Hearing
    moments: Moments
    journeys: JourneyDesk
    outlooks: Outlooks
    steps: NextSteps
    states: KnownStates
    actions: Catalogue
    sentences: Sentences
    signals: Signals
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    record: Callable[[Row], object]
    questions: Questions
    inviting: Inviting
    read: Read = reads_nothing


class Guidance:
    """Of one tenant: `agent.guiding.Guide` and `api.advice.GuideDesk`."""

    def __init__(self, parts: GuidanceParts) -> None:
        self._parts = parts
        self._product = ProductReading(parts.read, parts.states, parts.clock)

    async def standing(self, actor: Actor, locale: str) -> Standing | None:
        """None also while a database does not answer: nobody waits for next steps."""
        try:
            advice = await self._advice(actor)
            if advice is None:
                return None
            shown = await self._shown(advice, locale)
            return replace(
                shown,
                cards=await self._with_people(actor, advice, shown.cards, locale),
                question=await self._question(actor, advice, locale),
            )
        except StoreUnavailableError:
            _log.warning("guidance.store_away")
            return None

    async def situation(self, actor: Actor) -> Situation:
        try:
            moment = await self._parts.moments.of(person_of(actor), self._parts.clock())
            if moment is None:
                return Situation()
            invite = await self._parts.inviting.of(person_of(actor), moment)
        except StoreUnavailableError:
            _log.warning("guidance.store_away")
            return Situation()
        facts = facts_of(moment) | invite_facts(invite, locale_of(moment))
        return Situation(facts, troubles_of(moment, self._parts.signals))

    async def reply(self, actor: Actor, question: str, session: str, value: str | None) -> bool:
        try:
            return await self._parts.questions.reply(person_of(actor), question, session, value)
        except StoreUnavailableError:
            _log.warning("guidance.store_away")
            return False

    async def respond(
        self, actor: Actor, card: tuple[str, str], kind: OutcomeKind, snooze: Snooze | None
    ) -> None:
        parts, now = self._parts, self._parts.clock()
        length = _LENGTHS[snooze] if snooze is not None else None
        until = now + length if length is not None else None
        said = await parts.advisor.respond(person_of(actor), card, kind, now, until)
        if said is None:
            raise UnknownCardError(card[1])
        parts.record(outcome_row(said, parts.new_id()))

    async def acted(self, action: Action) -> None:
        """What was done through the journal is done on the list too, and the product is asked anew
        how things stand. Raises StoreUnavailableError."""
        if action.state is not State.SUCCEEDED or action.parent is not None:
            return
        parts, who = self._parts, action.who
        person = Person(who.tenant, who.subject, who.account or None)
        parts.states.refresh(person)
        for each in parts.actions.actions:
            if action.call.tool in (each.runs.tool, each.runs.flow):
                await parts.journeys.complete(person, each.id, parts.clock(), [action.id])

    async def muted(self, actor: Actor, locale: str) -> Sequence[Muted]:
        parts, now = self._parts, self._parts.clock()
        found = await parts.steps.mutes(actor.tenant, actor.subject)
        held = [each for each in found if each.holds(now, None)]
        return [Muted(each.action, self._title(each.action, locale), each.until) for each in held]

    async def unmute(self, actor: Actor, action: str) -> bool:
        return await self._parts.steps.undo(actor.tenant, actor.subject, action)

    async def choose_mode(self, actor: Actor, mode: Mode) -> None:
        await self._parts.journeys.choose(person_of(actor), mode, self._parts.clock())

    async def _advice(self, actor: Actor) -> Advice | None:
        parts, person = self._parts, person_of(actor)
        await self._product.refresh(actor)
        advice = await parts.advisor.advise(Asking(person, parts.clock(), actor.rights))
        if advice is None or not advice.is_new:
            return advice
        await parts.hearing.look(person)
        for row in decision_rows(advice.decision):
            parts.record(row)
        return advice

    async def _with_people(
        self, actor: Actor, advice: Advice, cards: tuple[NextStep, ...], locale: str
    ) -> tuple[NextStep, ...]:
        """Cards that invite say whom, with which role and why; the product is asked who that may be
        only where one is there."""
        inviting, found = self._parts.inviting, list[NextStep]()
        for card in cards:
            person, suggestion = advice.decision.person, None
            if inviting.is_for(card.action):
                suggestion = await inviting.of(person, advice.moment, card.action)
            if suggestion is not None:
                people = await self._people(actor)
                arguments = inviting.arguments(suggestion)
                found.append(inviting_card(card, suggestion, arguments, people, locale))
            else:
                found.append(card)
        return tuple(found)

    async def _people(self, actor: Actor) -> Mapping[str, JsonValue]:
        found = await self._product.all(actor, self._parts.inviting.readings())
        return self._parts.inviting.people(found)

    async def _question(self, actor: Actor, advice: Advice, locale: str) -> Question | None:
        asking = Asking(person_of(actor), self._parts.clock(), actor.rights)
        posed = await self._parts.questions.of(asking, advice, locale)
        if posed is None:
            return None
        line = posed.line
        return Question(
            id=line.id,
            session=posed.session,
            fact=line.fact,
            asks=line.asks,
            why=line.why,
            choices=line.choices,
            offered=line.offered,
        )

    async def _shown(self, advice: Advice, locale: str) -> Standing:
        way, decision = advice.way, advice.decision
        cards = tuple(self._card(each, advice, locale) for each in decision.cards)
        curated = decision.model is None or decision.fallback is not None
        if way is None:
            return Standing(cards=cards, curated=curated)
        ahead = await self._parts.outlooks.of(way, advice.moment)
        return Standing(
            journey=way.composed.ref,
            title=in_locale(way.composed.journey.title, locale),
            checklist=_listed(advice, locale),
            cards=cards,
            share=way.progress.share,
            minutes_left=round(ahead.minutes_left) or None,
            mode=way.progress.mode.value,
            reached=way.progress.reached_at is not None,
            curated=curated,
        )

    def _card(self, card: Card, advice: Advice, locale: str) -> NextStep:
        action = self._parts.actions.by_id[card.action]
        step = None
        if advice.way is not None and card.step is not None:
            step = next(s for s in advice.way.composed.steps if s.id == card.step)
        texts = self._parts.actions.texts.of(card.action, locale)
        title = in_locale(step.title, locale) if step is not None else ""
        return NextStep(
            decision=advice.decision.id,
            action=card.action,
            title=title or texts.title,
            why=self._parts.sentences.said(card.why, locale)
            or (in_locale(step.why, locale) if step and card.why.key.startswith(STEP) else "")
            or texts.reason,
            effort=action.effort,
            minutes=step.minutes if step is not None else None,
            tool=action.runs.tool or action.runs.flow,
            opens=action.runs.page,
            alternatives=card.alternatives,
            arguments=kit_arguments(advice, action.runs.flow),
        )

    def _title(self, action: str, locale: str) -> str:
        """Of an action that may be gone from the catalogue since."""
        known = action in self._parts.actions.by_id
        return self._parts.actions.texts.of(action, locale).title if known else action


def kit_arguments(advice: Advice, flow: str | None) -> dict[str, JsonValue]:
    """What picks the kit of the person's way, where the flow applies it."""
    kit = advice.way.composed.kit if advice.way is not None else None
    if kit is None or kit.action != flow:
        return {}
    return {"industry": kit.industry, "persona": kit.persona}


class InformedFacts:
    """What is known of a person from the product, and from onboarding."""

    def __init__(self, known: Facts, guide: Guide) -> None:
        self._known = known
        self._guide = guide

    async def facts(self, actor: Actor) -> Mapping[str, Labelled[JsonValue]]:
        situation = await self._guide.situation(actor)
        return {**situation.facts, **await self._known.facts(actor)}


def facts_of(moment: Moment) -> dict[str, Labelled[JsonValue]]:
    """What planners may fill slots with; the person confirms what they did not type."""
    found: dict[str, Labelled[JsonValue]] = {}
    for name in moment.profile.facts:
        value = moment.profile.value(name)
        if value != UNKNOWN:
            found[f"profile.{name}"] = Labelled(value, Integrity.USER_TYPED, f"profile.{name}")
    return found


def inviting_card(
    card: NextStep,
    suggestion: Suggestion,
    arguments: Mapping[str, JsonValue],
    people: Mapping[str, JsonValue],
    locale: str,
) -> NextStep:
    return replace(
        card,
        why=suggestion.why.for_(locale),
        arguments=arguments,
        personal=people,
        evidence=suggestion.evidence,
    )


def invite_facts(suggestion: Suggestion | None, locale: str) -> dict[str, Labelled[JsonValue]]:
    """The role that the graph suggests, with why: what is confirmed says it."""
    if suggestion is None:
        return {}
    why = suggestion.why.for_(locale)
    return {INVITE_ROLE: Labelled(suggestion.role, Integrity.USER_TYPED, why)}


def troubles_of(moment: Moment, signals: Signals) -> tuple[Trouble, ...]:
    """Errors that the product told of lately, newest first."""
    found: list[Trouble] = []
    for event in reversed(moment.own.recent):
        if moment.now - event.occurred_at > LATELY or len(found) == MOST_TROUBLES:
            break
        seen = [each for each in signals.of(event) if each.kind in _TROUBLE]
        if seen:
            first = seen[0]
            found.append(
                Trouble(event.name, event.occurred_at, first.code or None, first.about or None)
            )
    return tuple(found)


def decision_rows(decision: Decision) -> list[Recorded]:
    """The suggestion as the decision record has it; nothing for the arm that shows nothing."""
    if not decision.cards:
        return []
    first = decision.cards[0]
    arm = next(iter(decision.arms.items()), (None, None))
    return [
        Recorded(
            id=decision.id,
            tenant=decision.person.tenant,
            kind=Kind.SUGGESTION,
            purpose=decision.purpose,
            at=decision.at,
            outcome=Became.SHOWN,
            reason=decision.fallback,
            subject=decision.person.user,
            versions=Versions(
                model=decision.model, policy=decision.policy.replace("@", "/"), tool=first.action
            ),
            assignment=Assignment(arm[0], arm[1], first.propensity),
            evidence=tuple(
                evidence_id(each) for card in decision.cards for each in card.why.evidence
            ),
            amounts={Amount.TOTAL_MS: round(decision.latency_ms)},
        )
    ]


def outcome_row(outcome: Outcome, id: str) -> OutcomeUpdate:
    return OutcomeUpdate(
        id=id,
        tenant=outcome.person.tenant,
        decision_id=outcome.decision,
        outcome=_BECAME[outcome.kind],
        at=outcome.at,
        reason=outcome.kind.value,
    )


def _listed(advice: Advice, locale: str) -> tuple[ListedStep, ...]:
    way = advice.way
    assert way is not None
    titles = {step.id: in_locale(step.title, locale) for step in way.composed.steps}
    own = way.enrolment.person.user
    return tuple(
        ListedStep(
            id=step.id,
            title=titles.get(step.id) or step.id,
            state=step.state.value,
            effort=step.effort,
            scope=step.scope.value,
            colleague=step.state is StepState.DONE and step.by not in (None, own),
        )
        for step in way.progress.steps
    )
