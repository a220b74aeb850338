"""facts and beliefs -> what their person reads: each in a plain sentence, with why, and how it can
be changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from onboarding.profile.beliefs import BELIEF, BeliefFile
from onboarding.profile.catalogue import FactCatalogue
from onboarding.profile.holding import Wishes, is_known, profile_of, wishes_of
from onboarding.profile.keeping import lineage
from onboarding.profile.questions import Offer
from onboarding.types import UNKNOWN, Event, Fact, Source


class Origin(NamedTuple):
    """An event, or a question, behind a fact; name and time while it is still stored."""

    id: str
    event: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is known, or thought, of somebody. `why` names what spoke for it; `used` is
    False where it is not sure enough to be acted on. `choices` are the values to correct it to, as
    value and words; `prediction` is what a belief expects next. `made_by` is the version of the
    model or rules, or the way it was said; `origins` is what it goes back to."""

    name: str
    says: str
    value: str
    source: Source
    confidence: float
    why: tuple[str, ...]
    used: bool
    since: datetime
    expires: datetime | None
    evidence: tuple[str, ...]
    choices: Mapping[str, str]
    prediction: str | None = None
    made_by: str = ""
    origins: tuple[Origin, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """All of it. `quiet` are names that are not inferred, `unasked` those that are not asked for,
    `off` whether personalisation is."""

    lines: tuple[Line, ...]
    quiet: tuple[str, ...]
    off: bool
    unasked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """What sentences are made from."""

    facts: FactCatalogue
    beliefs: BeliefFile

    def choices(self, name: str) -> tuple[str, ...] | None:
        """Values that a fact or belief may be corrected to; None where there is no such name."""
        if name in self.facts.facts:
            return tuple(self.facts.facts[name].values)
        kind = self.beliefs.named(name.removeprefix(BELIEF)) if name.startswith(BELIEF) else None
        return None if kind is None else (kind.values.likely, kind.values.unlikely)


@dataclass(frozen=True, slots=True)
class AskedLine:
    """A question as its person reads it; `offered` is what they are asked to confirm."""

    id: str
    fact: str
    asks: str
    why: str
    offered: str | None
    choices: Mapping[str, str]


def ask(offer: Offer, words: Words, locale: str = "en") -> AskedLine:
    question = offer.worth.question
    choices = _choices(question.fact, words, locale)
    asks = question.ask.for_(locale)
    if offer.offered is not None:
        named = choices.get(offer.offered, offer.offered)
        asks = question.confirm.for_(locale).format(value=named)
    why = question.why.for_(locale)
    return AskedLine(question.id, question.fact, asks, why, offer.offered, choices)


NOT_SURE = {"en": "We are not sure yet.", "de": "Das wissen wir noch nicht sicher."}
YOU_SAID = {"en": "you said so", "de": "Sie haben es gesagt"}
IMPORTED = {"en": "your company's records say so", "de": "so steht es bei Ihrer Firma"}
YOU_DID = {"en": "what you did so far", "de": "was Sie bisher getan haben"}


def tell(
    facts: Iterable[Fact],
    words: Words,
    now: datetime,
    locale: str = "en",
    events: Iterable[Event] = (),
) -> Told:
    """In the order of the files, beliefs last. What is stored is shown also while personalisation
    is off. `events` are those that may be named as origins."""
    stored = tuple(facts)
    wishes = wishes_of(stored)
    shown = [f for f in stored if not f.name.startswith("~off")]
    held = profile_of(shown, now).facts
    order = [*words.facts.facts, *(BELIEF + kind.id for kind in words.beliefs.beliefs)]
    known = {event.message_id: event for event in events}
    lines = tuple(
        replace(_line(held[n], words, wishes, locale), origins=origins(held[n], stored, known))
        for n in order
        if n in held
    )
    return Told(lines, tuple(sorted(wishes.quiet)), wishes.off, tuple(sorted(wishes.unasked)))


def origins(fact: Fact, facts: Sequence[Fact], known: Mapping[str, Event]) -> tuple[Origin, ...]:
    """What a fact goes back to, through the facts that it was made from."""
    found = []
    for id in lineage(fact, facts):
        event = known.get(id)
        found.append(Origin(id, event.name, event.occurred_at) if event else Origin(id))
    return tuple(found)


def _line(fact: Fact, words: Words, wishes: Wishes, locale: str) -> Line:
    return Line(
        name=fact.name,
        says=_says(fact, words, locale),
        value=fact.value,
        source=fact.source,
        confidence=fact.confidence,
        why=_why(fact, words, locale),
        used=is_known(fact) and not wishes.off,
        since=fact.valid_from,
        expires=fact.expires,
        evidence=fact.evidence,
        choices=_choices(fact.name, words, locale),
        prediction=_prediction(fact, words, locale),
        made_by=fact.made_by,
    )


def _says(fact: Fact, words: Words, locale: str) -> str:
    if fact.value == UNKNOWN:
        return _of(NOT_SURE, locale)
    if fact.name.startswith(BELIEF):
        kind = words.beliefs.named(fact.name.removeprefix(BELIEF))
        said = kind.says.get(fact.value) if kind is not None else None
        return fact.value if said is None else said.for_(locale)
    return words.facts.facts[fact.name].said(fact.value, locale)


def _why(fact: Fact, words: Words, locale: str) -> tuple[str, ...]:
    if fact.source is not Source.INFERRED:
        return (_of(YOU_SAID if fact.source is Source.DECLARED else IMPORTED, locale),)
    if fact.name.startswith(BELIEF):
        return (_of(YOU_DID, locale),)
    families = dict.fromkeys(reason.partition("=")[0] for reason in fact.reasons)
    return tuple(words.facts.cues[f].for_(locale) for f in families if f in words.facts.cues)


def _choices(name: str, words: Words, locale: str) -> dict[str, str]:
    if name.startswith(BELIEF):
        kind = words.beliefs.named(name.removeprefix(BELIEF))
        said = {} if kind is None else kind.says
        return {value: text.for_(locale) for value, text in said.items()}
    return {v: text.for_(locale) for v, text in words.facts.facts[name].values.items()}


def _prediction(fact: Fact, words: Words, locale: str) -> str | None:
    """Only of a belief that goes the way that its sentence tells."""
    kind = words.beliefs.named(fact.name.removeprefix(BELIEF))
    if not fact.name.startswith(BELIEF) or kind is None or fact.value != kind.values.likely:
        return None
    return kind.predicts.for_(locale)


def _of(texts: Mapping[str, str], locale: str) -> str:
    return texts["de" if locale.split("-", maxsplit=1)[0].lower() == "de" else "en"]
