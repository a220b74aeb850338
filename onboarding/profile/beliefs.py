"""The self-model: events -> a few beliefs on one person, and how far these beliefs hold.

A belief says how likely the person acts one way on the next occasion. Each occasion is predicted
before it is counted, so that beliefs are tested all the time. They are folded from the events anew:
the same events in any order give the same model, and nothing has to be repaired.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, JsonValue, model_validator

from guardrails.consent import Purpose
from onboarding.profile.catalogue import EventName, FieldName, Name, Strict, Texts, Value
from onboarding.profile.evidence import Known
from onboarding.profile.holding import Wishes, wishes_of
from onboarding.profile.model import digest_of
from onboarding.rules import Duration, read_data
from onboarding.types import Event, Fact, Source

BELIEF: Final = "belief."
"""Before the id of a belief where it stands among facts."""
SCORED_OVER = 20
SHOWN_FROM = 5
SWITCHED_FROM = 10
"""Of predictions (onboarding reference, section 4)."""
EVIDENCE_KEPT = 10
PRIOR_WEIGHT = 2.0
"""Occasions that the segment's rate counts for."""


class Occasion(Strict):
    """An event of this name whose fields have these values."""

    event: EventName
    where: Mapping[FieldName, JsonValue] = Field(default_factory=dict)

    def is_(self, event: Event) -> bool:
        if event.name != self.event:
            return False
        fields = event.serving(Purpose.PRODUCT_ANALYTICS) if self.where else {}
        return all(fields.get(name) == value for name, value in self.where.items())


class Sides(Strict):
    """The value of a belief where `yes` is likelier than not, and where it is not."""

    likely: Value
    unlikely: Value


class BeliefKind(Strict):
    """`prior` is the segment's rate of `yes`."""

    id: Name
    prior: Annotated[float, Field(gt=0, lt=1)]
    yes: tuple[Occasion, ...] = Field(min_length=1)
    no: tuple[Occasion, ...] = Field(min_length=1)
    values: Sides
    says: Mapping[Value, Texts]
    predicts: Texts

    @model_validator(mode="after")
    def _said(self) -> Self:
        for value in (self.values.likely, self.values.unlikely):
            if value not in self.says:
                raise ValueError(f"{value} has no sentence under says")
        return self

    def outcome(self, event: Event) -> bool | None:
        """None where the event is no occasion of this belief."""
        if any(each.is_(event) for each in self.yes):
            return True
        return False if any(each.is_(event) for each in self.no) else None


class BeliefFile(Strict):
    """`least_seen` occasions before a belief is held; `most` are held."""

    version: Literal[1]
    half_life: Duration
    most: int = Field(ge=1, le=5)
    least_seen: int = Field(ge=1)
    beliefs: tuple[BeliefKind, ...]

    def named(self, id: str) -> BeliefKind | None:
        return next((each for each in self.beliefs if each.id == id), None)

    @property
    def made_by(self) -> str:
        """Names this version of the file in what is made by it."""
        return f"beliefs#{digest_of(self.model_dump_json().encode())}"


@dataclass(frozen=True, slots=True)
class Belief:
    """Beta(a, b) of `yes`, as of `at`. `seen` counts occasions; `evidence` the newest of them. A
    belief that the person corrected is `declared`."""

    id: str
    value: str
    a: float
    b: float
    at: datetime
    seen: int = 0
    evidence: tuple[str, ...] = ()
    declared: bool = False

    @property
    def mean(self) -> float:
        """How likely `yes` is on the next occasion: the prediction."""
        return self.a / (self.a + self.b)


@dataclass(frozen=True, slots=True)
class Scored:
    """A prediction that an event has tested: `said` and the segment's `prior`, each of `yes`."""

    belief: str
    event: str
    said: float
    prior: float
    outcome: bool

    @property
    def ours(self) -> float:
        return (self.said - self.outcome) ** 2

    @property
    def segments(self) -> float:
        return (self.prior - self.outcome) ** 2


@dataclass(frozen=True, slots=True)
class SelfModel:
    """`beliefs` are those held, surest first; none where `trusted` is False: the segment's defaults
    serve then. `scored` are the last predictions, oldest first."""

    beliefs: tuple[Belief, ...] = ()
    scored: tuple[Scored, ...] = ()
    trusted: bool = True

    @property
    def alignment(self) -> float | None:
        """`1 - Brier(beliefs) / Brier(segment)` over the last 20; None below 5."""
        return alignment(self.scored) if len(self.scored) >= SHOWN_FROM else None


def load_beliefs(path: Path | None = None) -> BeliefFile:
    """The shipped file when none is given. Raises DataFileError."""
    if path is not None:
        return read_data(path).parse(BeliefFile)
    with as_file(files("onboarding.profile") / "definitions" / "beliefs.yaml") as shipped:
        return read_data(shipped).parse(BeliefFile)


def alignment(scored: Iterable[Scored]) -> float:
    """Above 0: these beliefs predict this person better than their segment does."""
    last = list(scored)[-SCORED_OVER:]
    segments = sum(each.segments for each in last)
    return 1 - sum(each.ours for each in last) / segments if segments else 0.0


def self_model(known: Known, kinds: BeliefFile, now: datetime) -> SelfModel:
    """Empty without consent to product analytics, or where personalisation is off."""
    wishes = wishes_of(known.facts)
    if wishes.off or not known.consents.allows(Purpose.PRODUCT_ANALYTICS):
        return SelfModel()
    told = {
        fact.name.removeprefix(BELIEF): fact
        for fact in sorted(known.facts, key=lambda f: f.valid_from)
        if fact.name.startswith(BELIEF) and fact.source is Source.DECLARED
    }
    states, scored = _folded(known, kinds, wishes, now)
    trusted = len(scored) < SWITCHED_FROM or alignment(scored) >= 0
    held = _held(states.values(), kinds) if trusted else ()
    corrected = tuple(_corrected(kinds, fact) for id, fact in told.items() if _stands(fact, wishes))
    ids = {each.id for each in corrected}
    inferred = tuple(each for each in held if each.id not in ids)
    return SelfModel((*corrected, *inferred)[: kinds.most], tuple(scored[-SCORED_OVER:]), trusted)


def decayed(belief: Belief, kind: BeliefKind, half_life: timedelta, now: datetime) -> Belief:
    """What was seen counts half after a half-life; the segment's rate stays."""
    keep = 0.5 ** (max(now - belief.at, timedelta()) / half_life)
    a, b = PRIOR_WEIGHT * kind.prior, PRIOR_WEIGHT * (1 - kind.prior)
    return replace(belief, a=a + (belief.a - a) * keep, b=b + (belief.b - b) * keep, at=now)


def fact_of(belief: Belief, known: Known, kinds: BeliefFile) -> Fact:
    """A belief as a fact, for rules, the graph and whoever lists what is known."""
    sure = belief.mean if belief.a >= belief.b else 1 - belief.mean
    source = Source.DECLARED if belief.declared else Source.INFERRED
    return Fact(
        known.person.tenant,
        known.person.user,
        BELIEF + belief.id,
        belief.value,
        1.0 if belief.declared else sure,
        source,
        belief.at,
        belief.evidence,
        None if belief.declared else belief.at + kinds.half_life,
        made_by=kinds.made_by,
    )


def _folded(
    known: Known, kinds: BeliefFile, wishes: Wishes, now: datetime
) -> tuple[dict[str, Belief], list[Scored]]:
    states: dict[str, Belief] = {}
    scored: list[Scored] = []
    asked = [each for each in kinds.beliefs if BELIEF + each.id not in wishes.quiet]
    for event in _in_order(known, now):
        for kind in asked:
            outcome = kind.outcome(event)
            gone = wishes.deleted.get(BELIEF + kind.id)
            if outcome is None or (gone is not None and event.occurred_at <= gone):
                continue
            before = states.get(kind.id) or _unseen(kind, event.occurred_at)
            before = decayed(before, kind, kinds.half_life, event.occurred_at)
            scored.append(Scored(kind.id, event.message_id, before.mean, kind.prior, outcome))
            states[kind.id] = _counted(before, kind, event, outcome)
    named = {each.id: each for each in asked}
    final = {id: decayed(s, named[id], kinds.half_life, now) for id, s in states.items()}
    return {id: _valued(named[id], each) for id, each in final.items()}, scored


def _in_order(known: Known, now: datetime) -> list[Event]:
    """Their own, each message once."""
    unique = {event.message_id: event for event in known.own if event.received_at <= now}
    return sorted(unique.values(), key=lambda e: (e.occurred_at, e.message_id))


def _unseen(kind: BeliefKind, at: datetime) -> Belief:
    a, b = PRIOR_WEIGHT * kind.prior, PRIOR_WEIGHT * (1 - kind.prior)
    return Belief(kind.id, kind.values.likely, a, b, at)


def _counted(belief: Belief, kind: BeliefKind, event: Event, outcome: bool) -> Belief:
    evidence = (*belief.evidence, event.message_id)[-EVIDENCE_KEPT:]
    return _valued(
        kind,
        replace(
            belief,
            a=belief.a + outcome,
            b=belief.b + (not outcome),
            seen=belief.seen + 1,
            evidence=evidence,
        ),
    )


def _valued(kind: BeliefKind, belief: Belief) -> Belief:
    likely = belief.a >= belief.b
    return replace(belief, value=kind.values.likely if likely else kind.values.unlikely)


def _held(beliefs: Iterable[Belief], kinds: BeliefFile) -> tuple[Belief, ...]:
    """Seen often enough, and not even; the surest first."""
    fit = [each for each in beliefs if each.seen >= kinds.least_seen and each.a != each.b]
    return tuple(sorted(fit, key=lambda b: (-abs(b.mean - 0.5), b.id))[: kinds.most])


def _stands(fact: Fact, wishes: Wishes) -> bool:
    gone = wishes.deleted.get(fact.name)
    return gone is None or fact.valid_from > gone


def _corrected(kinds: BeliefFile, fact: Fact) -> Belief:
    """Certain one way, as the person said."""
    id = fact.name.removeprefix(BELIEF)
    kind = kinds.named(id)
    likely = kind is None or fact.value == kind.values.likely
    a, b = (1.0, 0.0) if likely else (0.0, 1.0)
    return Belief(id, fact.value, a, b, fact.valid_from, declared=True)
