"""Progressive profiling: one question, asked only when its answer is worth more than it costs.

EVI(q) = sum over answers a of P(a | x) * max_k s_k(x, a)  -  max_k s_k(x)

where a model ranks, else by what the rules would show (`showing`). A question is asked when that is
more than it costs; each one that stayed without an answer makes the next dearer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from importlib.resources import as_file, files
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from pydantic import Field

from onboarding.profile.catalogue import FactCatalogue, Name, Strict, Texts
from onboarding.profile.holding import declared, is_known
from onboarding.profile.showing import Curated, Shown, change
from onboarding.rules import DataFileError, Duration, did_you_mean, read_data
from onboarding.types import Fact, Person, Profile, Source

QUESTION_ID: Final = "question:"
"""What the evidence of an answer begins with: ids of events are not so."""
IMPORTED_RIGHT = 0.9
"""How surely an import is right until somebody confirmed it; initial."""
Scores = Mapping[str, float]
"""By action: the score that the ranker gives it."""


class Limits(Strict):
    """`cost` in activation lift, `changes` a share of people; `unanswered` is what each question
    that stayed without an answer multiplies the costs by, `curated` counts before a model ranks."""

    per_session: int = Field(ge=0)
    in_onboarding: int = Field(ge=0)
    again_after: Duration
    cost: float = Field(ge=0)
    changes: float = Field(ge=0, le=1)
    unanswered: float = Field(default=2.0, ge=1)
    curated: Curated = Curated()


class Question(Strict):
    """Asks for one fact. `confirm` is said instead where a value is known well enough to be
    offered; its `{value}` is filled. `cost` replaces the common one where a model ranks."""

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

    def without(self, facts: Collection[str]) -> QuestionFile:
        """Those that ask for other facts."""
        kept = tuple(each for each in self.questions if each.fact not in facts)
        return self.model_copy(update={"questions": kept})


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
    """What a question is worth to one person now. Where a model ranks `expected` is its EVI in
    activation lift and `changes` the probability that the first suggestion becomes another; else
    `expected` is the share of what is shown that it would change, and `changes` the probability
    that anything does. `cost` is in the same measure as `expected`."""

    question: Question
    expected: float
    changes: float
    cost: float = 0.0

    @property
    def net(self) -> float:
        return self.expected - self.cost


@dataclass(frozen=True, slots=True)
class Offer:
    """The question to ask. `offered` is the value to confirm, None to choose from all."""

    worth: Worth
    offered: str | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """`by_answer`: question -> answer -> the scores that it would give; `without` those of now.
    `shown` and `shown_by_answer` are the same of what the rules show."""

    session: str
    without: Scores = field(default_factory=lambda: MappingProxyType({}))
    by_answer: Mapping[str, Mapping[str, Scores]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    onboarding: bool = True
    shown: Shown | None = None
    shown_by_answer: Mapping[str, Mapping[str, Shown]] = field(
        default_factory=lambda: MappingProxyType({})
    )


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


def evidence_of(question: str, session: str) -> str:
    """What an answer names as its evidence: the question as it was put."""
    return f"{QUESTION_ID}{question}@{session}"


def next_question(
    profile: Profile, asking: QuestionFile, moment: Moment, asked: Sequence[Asked], now: datetime
) -> Offer | None:
    """None where no question pays, or enough were asked."""
    limits = asking.limits
    if not may_ask_at_all(asking, asked, moment.session, onboarding=moment.onboarding):
        return None
    open_ = open_questions(profile, asking, asked, now).questions
    tired = limits.unanswered ** sum(each.reply is not Reply.ANSWERED for each in asked)
    worths = (worth_of(each, profile, moment, limits, tired) for each in open_)
    paying = [w for w in worths if w.net > 0 and w.changes >= limits.changes]
    if not paying:
        return None
    best = max(paying, key=lambda worth: worth.net)  # the first of equals
    return Offer(best, offered(profile.facts.get(best.question.fact)))


def open_questions(
    profile: Profile, asking: QuestionFile, asked: Sequence[Asked], now: datetime
) -> QuestionFile:
    """Those that may be asked, whatever they are worth."""
    again = asking.limits.again_after
    kept = tuple(q for q in asking.questions if _may_ask(q, profile, asked, again, now))
    return asking.model_copy(update={"questions": kept})


def may_ask_at_all(
    asking: QuestionFile, asked: Sequence[Asked], session: str, *, onboarding: bool
) -> bool:
    """Whether this session, and onboarding, have room for one more."""
    here = sum(each.session == session for each in asked)
    room = not onboarding or len(asked) < asking.limits.in_onboarding
    return room and here < asking.limits.per_session


def what_if(profile: Profile, person: Person, fact: str, value: str, now: datetime) -> Profile:
    """The profile as it would be had the person answered so."""
    said = declared(person, fact, value, now)
    sure = {each: float(each == value) for each in profile.odds.get(fact, {})}
    odds = {**profile.odds, fact: sure} if sure else profile.odds
    return Profile({**profile.facts, fact: said}, odds)


def worth_of(
    question: Question, profile: Profile, moment: Moment, limits: Limits, tired: float = 1.0
) -> Worth:
    """Nothing where nobody said what the answers would change. `tired` multiplies the cost."""
    if moment.without and moment.by_answer.get(question.id):
        cost = limits.cost if question.cost is None else question.cost
        return _ranked(question, profile, moment, cost * tired)
    if moment.shown is not None and moment.shown_by_answer.get(question.id):
        return _curated(question, profile, moment, limits.curated, tired)
    return Worth(question, 0.0, 0.0)


def _ranked(question: Question, profile: Profile, moment: Moment, cost: float) -> Worth:
    by_answer = moment.by_answer[question.id]
    odds = answer_odds(question.fact, profile, tuple(by_answer))
    top = _best(moment.without)
    reached = sum(odds[a] * scores[_best(scores)] for a, scores in by_answer.items() if scores)
    missing = sum(odds[a] * moment.without[top] for a, scores in by_answer.items() if not scores)
    changes = sum(odds[a] for a, scores in by_answer.items() if scores and _best(scores) != top)
    return Worth(question, reached + missing - moment.without[top], changes, cost)


def _curated(
    question: Question, profile: Profile, moment: Moment, of: Curated, tired: float
) -> Worth:
    shown, by_answer = moment.shown or Shown(), moment.shown_by_answer[question.id]
    odds = answer_odds(question.fact, profile, tuple(by_answer))
    moved = {answer: change(shown, then, of) for answer, then in by_answer.items()}
    expected = sum(odds[answer] * by for answer, by in moved.items())
    return Worth(
        question, expected, sum(odds[a] for a, by in moved.items() if by > 0), of.cost * tired
    )


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


def offered(held: Fact | None) -> str | None:
    """The value to confirm, where one is known well enough."""
    return held.value if held is not None and is_known(held) else None


def _best(scores: Scores) -> str:
    return min(scores, key=lambda action: (-scores[action], action))
