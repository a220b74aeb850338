"""What the desk of profiles is made of, what it answers with, and what the ranker tells it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
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
from onboarding.profile.telling import Told, Words
from onboarding.types import Fact, Person, Profile

Score = Callable[[Person, Profile], Awaitable[Scores]]
"""What the ranker would give each action for somebody of this profile."""


async def no_scores(_person: Person, _profile: Profile) -> Scores:
    """Where nothing ranks, no question pays."""
    return {}


@dataclass(frozen=True, slots=True)
class ProfileParts:
    """`score` says what an answer would change."""

    store: ProfileStore
    graph: GraphStore
    consents: ConsentReader
    mind: Mind
    words: Words
    questions: QuestionFile
    edges: GraphFile
    score: Score = no_scores


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


async def moment_of(parts: ProfileParts, person: Person, profile: Profile, now: datetime) -> Moment:
    """What the ranker says now, and what it would say after each answer; of no session yet."""
    without = await parts.score(person, profile)
    by_answer: dict[str, dict[str, Scores]] = {}
    for question in parts.questions.questions if without else ():
        for value in parts.words.choices(question.fact) or ():
            then = what_if(profile, person, question.fact, value, now)
            by_answer.setdefault(question.id, {})[value] = await parts.score(person, then)
    return Moment("", without, by_answer)


def still_open(
    file: QuestionFile, profile: Profile, asked: Sequence[Asked], session: str
) -> Offer | None:
    """The question that was put in this session and has no reply yet."""
    for each in asked:
        question = file.named(each.question)
        if (each.session, each.reply) == (session, Reply.OPEN) and question is not None:
            return Offer(Worth(question, 0.0, 0.0), offered(profile.facts.get(question.fact)))
    return None
