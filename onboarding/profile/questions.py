"""Progressive profiling: one question, asked only when its answer is worth more than it costs.

EVI(q) = sum over answers a of P(a | x) * max_k s_k(x, a)  -  max_k s_k(x)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from importlib.resources import as_file, files
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from onboarding.profile.catalogue import FactCatalogue, Name, Strict, Texts
from onboarding.profile.holding import declared, is_known
from onboarding.rules import DataFileError, Duration, did_you_mean, read_data
from onboarding.types import Fact, Person, Profile, Source

IMPORTED_RIGHT = 0.9
"""How surely an import is right until somebody confirmed it; initial."""
Scores = Mapping[str, float]
"""By action: the score that the ranker gives it."""


class Limits(Strict):
    """`cost` in activation lift; `changes` a share of people."""

    per_session: int = Field(ge=0)
    in_onboarding: int = Field(ge=0)
    again_after: Duration
    cost: float = Field(ge=0)
    changes: float = Field(ge=0, le=1)


class Question(Strict):
    """Asks for one fact. `confirm` is said instead where a value is known well enough to be
    offered; its `{value}` is filled. `cost` replaces the common one."""

    id: Name
    fact: Name
    ask: Texts
    confirm: Texts
    why: Texts
    cost: float | None = Field(default=None, ge=0)


class QuestionFile(Strict):
    """In the order in which ties are asked."""

    version: Literal[1]
    limits: Limits
    questions: tuple[Question, ...]

    def named(self, id: str) -> Question | None:
        return next((each for each in self.questions if each.id == id), None)


class Reply(StrEnum):
    """What became of a question that was asked."""

    OPEN = "open"
    ANSWERED = "answered"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that was shown; `session` is the host's name for one visit."""

    question: str
    session: str
    at: datetime
    reply: Reply = Reply.OPEN


@dataclass(frozen=True, slots=True)
class Worth:
    """What a question is worth to one person now. `expected` is its EVI in activation lift,
    `changes` the probability that the first suggestion becomes another."""

    question: Question
    expected: float
    changes: float


@dataclass(frozen=True, slots=True)
class Offer:
    """The question to ask. `offered` is the value to confirm, None to choose from all."""

    worth: Worth
    offered: str | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """`by_answer`: question -> answer -> the scores that it would give; `without` those of now."""

    session: str
    without: Scores = field(default_factory=lambda: MappingProxyType({}))
    by_answer: Mapping[str, Mapping[str, Scores]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    onboarding: bool = True


def load_questions(facts: FactCatalogue, path: Path | None = None) -> QuestionFile:
    """The shipped file when none is given. Raises DataFileError, also for a fact that is none."""
    if path is None:
        with as_file(files("onboarding.profile") / "definitions" / "questions.yaml") as shipped:
            return load_questions(facts, shipped)
    file = read_data(path)
    parsed = file.parse(QuestionFile)
    problems = [
        f"{file.at(('questions', at, 'fact'))}: questions.{at}.fact: no fact {each.fact}"
        + did_you_mean(each.fact, facts.facts)
        for at, each in enumerate(parsed.questions)
        if each.fact not in facts.facts
    ]
    ids = [each.id for each in parsed.questions]
    problems += [
        f"{file.at(('questions', at, 'id'))}: questions.{at}.id: {id} stands here twice"
        for at, id in enumerate(ids)
        if id in ids[:at]
    ]
    if problems:
        raise DataFileError(problems)
    return parsed


def next_question(
    profile: Profile, asking: QuestionFile, moment: Moment, asked: Sequence[Asked], now: datetime
) -> Offer | None:
    """None where no question pays, or enough were asked."""
    limits = asking.limits
    here = sum(each.session == moment.session for each in asked)
    if here >= limits.per_session or (moment.onboarding and len(asked) >= limits.in_onboarding):
        return None
    open_ = [q for q in asking.questions if _may_ask(q, profile, asked, limits.again_after, now)]
    paying = [w for w in (worth_of(q, profile, moment) for q in open_) if _pays(w, limits)]
    if not paying:
        return None
    best = max(paying, key=lambda worth: worth.expected)  # the first of equals
    return Offer(best, offered(profile.facts.get(best.question.fact)))


def what_if(profile: Profile, person: Person, fact: str, value: str, now: datetime) -> Profile:
    """The profile as it would be had the person answered so."""
    said = declared(person, fact, value, now)
    sure = {each: float(each == value) for each in profile.odds.get(fact, {})}
    odds = {**profile.odds, fact: sure} if sure else profile.odds
    return Profile({**profile.facts, fact: said}, odds)


def worth_of(question: Question, profile: Profile, moment: Moment) -> Worth:
    """Nothing where the ranker did not say what the answers would change."""
    by_answer = moment.by_answer.get(question.id, {})
    if not by_answer or not moment.without:
        return Worth(question, 0.0, 0.0)
    odds = answer_odds(question.fact, profile, tuple(by_answer))
    top = _best(moment.without)
    reached = sum(odds[a] * scores[_best(scores)] for a, scores in by_answer.items() if scores)
    missing = sum(odds[a] * moment.without[top] for a, scores in by_answer.items() if not scores)
    changes = sum(odds[a] for a, scores in by_answer.items() if scores and _best(scores) != top)
    return Worth(question, reached + missing - moment.without[top], changes)


def answer_odds(fact: str, profile: Profile, answers: Sequence[str]) -> dict[str, float]:
    """P(a | x): inferred odds, an import with the rest spread, else all alike; over `answers`."""
    held = profile.facts.get(fact)
    known = dict(profile.odds.get(fact, {}))
    if held is not None and held.source is Source.IMPORTED:
        rest = (1 - IMPORTED_RIGHT) / max(len(answers) - 1, 1)
        known = {a: IMPORTED_RIGHT if a == held.value else rest for a in answers}
    shares = {a: known.get(a, 0.0) for a in answers}
    whole = sum(shares.values())
    return {a: s / whole if whole else 1 / len(answers) for a, s in shares.items()}


def _may_ask(
    question: Question, profile: Profile, asked: Sequence[Asked], again: timedelta, now: datetime
) -> bool:
    """Never what was declared; what was skipped or left open comes back after a while."""
    held = profile.facts.get(question.fact)
    if held is not None and held.source is Source.DECLARED:
        return False
    before = [each for each in asked if each.question == question.id]
    if any(each.reply is Reply.ANSWERED for each in before):
        return False
    return all(now - each.at >= again for each in before)


def _pays(worth: Worth, limits: Limits) -> bool:
    cost = limits.cost if worth.question.cost is None else worth.question.cost
    return worth.expected > cost and worth.changes >= limits.changes


def offered(held: Fact | None) -> str | None:
    """The value to confirm, where one is known well enough."""
    return held.value if held is not None and is_known(held) else None


def _best(scores: Scores) -> str:
    return min(scores, key=lambda action: (-scores[action], action))
