"""What the desk of profiles is made of, what it answers with, and what the ranker tells it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime

from guardrails.consent import ConsentReader
from onboarding.profile.beliefs import SelfModel
from onboarding.profile.graph import GraphStore
from onboarding.profile.growing import GraphFile
from onboarding.profile.inferring import Mind
from onboarding.profile.keeping import ProfileStore
from onboarding.profile.questions import (
    Asked,
    Moment,
    Offer,
    QuestionFile,
    Reply,
    Scores,
    Worth,
    offered,
    what_if,
)
from onboarding.profile.showing import Shown
from onboarding.profile.telling import Told, Words
from onboarding.types import Fact, History, Person, Profile

Score = Callable[[Person, Profile], Awaitable[Scores]]
"""What the ranker would give each action for somebody of this profile."""
Foresee = Callable[[Person, Sequence[Profile], AbstractSet[str] | None], Awaitable[Sequence[Shown]]]
"""What the rules would show the person with each of these profiles and the host's rights; nothing
where they cannot tell."""


Reading = Callable[[Person, datetime], Awaitable[History]]
"""What is stored of a person's events."""


async def reads_no_events(_person: Person, _now: datetime) -> History:
    """Where no events are kept, their ids are all that is told of them."""
    return History()


async def no_scores(_person: Person, _profile: Profile) -> Scores:
    """Where nothing ranks, rules say what an answer would change."""
    return {}


async def foresees_nothing(
    _person: Person, _profiles: Sequence[Profile], _rights: AbstractSet[str] | None
) -> Sequence[Shown]:
    """Where there are no rules either, no question pays."""
    return ()


@dataclass(frozen=True, slots=True)
class ProfileParts:
    """`score` says what an answer would change, `foresee` where no model can; `history` has the
    events that facts go back to."""

    store: ProfileStore
    graph: GraphStore
    consents: ConsentReader
    mind: Mind
    words: Words
    questions: QuestionFile
    edges: GraphFile
    score: Score = no_scores
    foresee: Foresee = foresees_nothing
    history: Reading = reads_no_events


@dataclass(frozen=True, slots=True)
class Learned:
    """What a person's events came to, and how many facts are new."""

    profile: Profile
    model: SelfModel
    new: int


@dataclass(frozen=True, slots=True)
class Page:
    """What a person reads of themselves. `alignment` is None below five tested predictions."""

    told: Told
    alignment: float | None = None
    trusted: bool = True
    facts: tuple[Fact, ...] = field(default=(), repr=False)


async def moment_of(
    parts: ProfileParts,
    person: Person,
    profile: Profile,
    file: QuestionFile,
    now: datetime,
    rights: AbstractSet[str] | None = None,
) -> Moment:
    """What is suggested now, and what would be after each answer to these; of no session yet."""
    without = await parts.score(person, profile)
    answers = [
        (question.id, value, what_if(profile, person, question.fact, value, now))
        for question in file.questions
        for value in parts.words.choices(question.fact) or ()
    ]
    if not without:
        return await _foreseen(parts, person, profile, answers, rights)
    by_answer: dict[str, dict[str, Scores]] = {}
    for question, value, then in answers:
        by_answer.setdefault(question, {})[value] = await parts.score(person, then)
    return Moment("", without, by_answer)


async def _foreseen(
    parts: ProfileParts,
    person: Person,
    profile: Profile,
    answers: Sequence[tuple[str, str, Profile]],
    rights: AbstractSet[str] | None,
) -> Moment:
    found = await parts.foresee(person, [profile, *(then for _, _, then in answers)], rights)
    if not found:
        return Moment("")
    by_answer: dict[str, dict[str, Shown]] = {}
    for (question, value, _), shown in zip(answers, found[1:], strict=True):
        by_answer.setdefault(question, {})[value] = shown
    return Moment("", shown=found[0], shown_by_answer=by_answer)


def with_priors(profile: Profile, mind: Mind) -> Profile:
    """For weighting answers alone: of whom nothing was seen is as people are."""
    priors = {n: model.odds({}) for n, model in mind.models.items() if n not in profile.odds}
    return replace(profile, odds={**priors, **profile.odds})


def still_open(
    file: QuestionFile, profile: Profile, asked: Sequence[Asked], session: str
) -> Offer | None:
    """The question that was put in this session and has no reply yet."""
    for each in asked:
        question = file.named(each.question)
        if (each.session, each.reply) == (session, Reply.OPEN) and question is not None:
            return Offer(Worth(question, 0.0, 0.0), offered(profile.facts.get(question.fact)))
    return None
