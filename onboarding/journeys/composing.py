"""catalogue + view -> the journey that this person begins, with its kit and the reason for both."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from onboarding.journeys.catalogue import Catalogue
from onboarding.journeys.format import Journey, Step
from onboarding.journeys.kits import Kit
from onboarding.rules import always, compile_rule, evidence
from onboarding.types import CONFIDENT, UNKNOWN, Source, View

INDUSTRY: Final = "industry"
ROLE: Final = "role"
ANYONE: Final = "anyone"
"""The persona of a kit for every role."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Why a definition was taken or passed over. `evidence` are ids of messages and facts."""

    ref: str
    verdict: str  # chosen | not_in_audience | behind | other_industry | other_persona
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Composed:
    """A journey as one person has it. `steps` are those of the journey, then the kit's."""

    journey: Journey
    kit: Kit | None
    steps: tuple[Step, ...]
    choices: tuple[Choice, ...] = ()

    @property
    def ref(self) -> str:
        """`name@version`."""
        return self.journey.ref

    @property
    def actions(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.is_action)

    def log(self) -> bytes:
        """What was chosen and why, in a form that equal inputs make byte for byte equal."""
        document = {
            "journey": self.ref,
            "kit": self.kit.ref if self.kit else None,
            "steps": [step.id for step in self.steps],
            "choices": [[each.ref, each.verdict, list(each.evidence)] for each in self.choices],
        }
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def compose(catalogue: Catalogue, view: View, taken: Collection[str] = ()) -> Composed | None:
    """The first journey by priority, then name, in whose audience the person is, with the kit of
    their industry and role. `taken` names journeys that they may not enter again. None where no
    journey is for them."""
    choices: list[Choice] = []
    chosen: Journey | None = None
    for journey in by_priority(catalogue.journeys):
        choice = _judged(journey, view, chosen, taken)
        choices.append(choice)
        if choice.verdict == "chosen":
            chosen = journey
    if chosen is None:
        return None
    kit, kit_choices = _kit(catalogue, view) if chosen.kits else (None, [])
    return pinned(chosen, kit, (*choices, *kit_choices))


def pinned(journey: Journey, kit: Kit | None, choices: tuple[Choice, ...] = ()) -> Composed:
    """The same from versions that were chosen before. A kit's step waits only for steps that are
    there, and one whose id the journey has already is the journey's."""
    own = {step.id for step in journey.steps}
    added = [step for step in kit.steps if step.id not in own] if kit else []
    known = own | {step.id for step in added}
    fitted = [
        step.model_copy(update={"after": tuple(id for id in step.after if id in known)})
        for step in added
    ]
    return Composed(journey, kit, (*journey.steps, *fitted), choices)


def open_plays(catalogue: Catalogue, view: View, *, reached: bool) -> tuple[Journey, ...]:
    """Plays in whose audience the person is, the most urgent first, one of each exclusive group;
    those that come after the goal only once it is `reached`."""
    found: list[Journey] = []
    groups: set[str] = set()
    for play in by_priority(catalogue.plays):
        group = play.exclusive
        if (play.after_goal and not reached) or (group is not None and group in groups):
            continue
        if in_audience(play, view):
            found.append(play)
            groups |= {group} if group is not None else set()
    return tuple(found)


def in_audience(journey: Journey, view: View) -> bool:
    """Whether it is for this person now."""
    return compile_rule(journey.audience)(view) if journey.audience else always(view)


def by_priority(journeys: Mapping[str, Journey]) -> list[Journey]:
    """The smaller number first, then by name."""
    return sorted(journeys.values(), key=lambda each: (each.priority, each.name))


def fitting_kit(catalogue: Catalogue, view: View) -> Kit | None:
    """The kit of the person's industry and role, whatever journey they are on."""
    return _kit(catalogue, view)[0]


def fact_of(view: View, name: str) -> str:
    """A fact as rules see it."""
    fact = view.fact(name)
    if fact is None or (fact.source is Source.INFERRED and fact.confidence < CONFIDENT):
        return UNKNOWN
    return fact.value


def _judged(journey: Journey, view: View, chosen: Journey | None, taken: Collection[str]) -> Choice:
    if chosen is not None:
        return Choice(journey.ref, "behind", (chosen.ref,))
    if journey.name in taken:
        return Choice(journey.ref, "entered_before")
    if not in_audience(journey, view):
        return Choice(journey.ref, "not_in_audience")
    shown = evidence(journey.audience, view) if journey.audience else ()
    return Choice(journey.ref, "chosen", tuple(each.id for each in shown))


def _kit(catalogue: Catalogue, view: View) -> tuple[Kit | None, list[Choice]]:
    industry, role = fact_of(view, INDUSTRY), fact_of(view, ROLE)
    choices: list[Choice] = []
    chosen: Kit | None = None
    ordered = sorted(catalogue.kits.values(), key=lambda each: (each.persona == ANYONE, each.name))
    for kit in ordered:
        verdict = _kit_verdict(kit, view, industry, role)
        if verdict == "chosen" and chosen is not None:
            verdict = "behind"
        elif verdict == "chosen":
            chosen = kit
        choices.append(Choice(kit.ref, verdict, _facts(view) if verdict == "chosen" else ()))
    return chosen, choices


def _kit_verdict(kit: Kit, view: View, industry: str, role: str) -> str:
    if kit.industry != industry:
        return "other_industry"
    if kit.persona not in (role, ANYONE):
        return "other_persona"
    if kit.audience is not None and not compile_rule(kit.audience)(view):
        return "not_in_audience"
    return "chosen"


def _facts(view: View) -> tuple[str, ...]:
    facts = (view.fact(INDUSTRY), view.fact(ROLE))
    return tuple(id for fact in facts if fact is not None for id in fact.evidence)
