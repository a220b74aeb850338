"""cues -> facts: one for every fact that has a model, with its odds and what spoke for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Protocol

from guardrails.consent import Purpose
from onboarding.profile.catalogue import EvidenceSpec, FactCatalogue
from onboarding.profile.evidence import Cue, Cues, Known, gather
from onboarding.profile.holding import wishes_of
from onboarding.profile.model import FactModel, Models
from onboarding.types import CONFIDENT, UNKNOWN, Fact, Source

LASTS = timedelta(days=30)
"""Of an inferred fact (onboarding reference, section 4)."""
MOVED = 0.05
"""A confidence that moved by less says nothing new."""
RENEWED_BEFORE = timedelta(days=7)
MOST_REASONS = 3
_LEAST = 1e-6
SPOKE = 0.01
"""A text that moved the value by less is no reason for it."""


SAID = "said"
"""The cue of a text."""
TEXT_WEIGHT = 0.5
"""Of a text's log odds beside those of events; initial: both tell of the same person, so that they
are not independent."""


class TextOdds(Protocol):
    """Such as `onboarding.profile.text.TextClassifier`, whose labels are a fact's values."""

    def odds(self, text: str) -> Mapping[str, float]: ...


@dataclass(frozen=True, slots=True)
class Mind:
    """What inference works with: the facts, where their cues are read, and the weights; `texts`
    by name of the fact that they speak for."""

    facts: FactCatalogue
    evidence: EvidenceSpec
    models: Models = field(default_factory=lambda: MappingProxyType({}))
    texts: Mapping[str, TextOdds] = field(default_factory=lambda: MappingProxyType({}))


def infer(known: Known, mind: Mind, now: datetime) -> list[Fact]:
    """Nothing without consent to product analytics, where personalisation is off, or for a fact
    that is not to be inferred. A fact that was deleted comes back on newer events alone."""
    wishes = wishes_of(known.facts)
    if wishes.off or not known.consents.allows(Purpose.PRODUCT_ANALYTICS):
        return []
    cues: dict[datetime | None, Mapping[str, Cue]] = {}
    found = []
    for name, model in mind.models.items():
        since = wishes.deleted.get(name)
        if name in wishes.quiet:
            continue
        if since not in cues:
            cues[since] = gather(known, mind.evidence, now, since)
        fact = judged(model, cues[since], known, now, mind.texts.get(name))
        if fact is not None:
            found.append(fact)
    return found


def judged(
    model: FactModel, cues: Cues, known: Known, now: datetime, text: TextOdds | None = None
) -> Fact | None:
    """None where no cue of the model was seen and nothing was said: its prior is no inference on
    anybody."""
    said = known.said.get(model.of.fact) if text is not None else None
    if not model.index.keys() & cues.keys() and said is None:
        return None
    plain = odds = model.odds(cues)
    if said is not None and text is not None:
        odds = _with_text(plain, text.odds(said.text))
    value = max(odds, key=odds.__getitem__)
    reasons = [each.cue for each in model.spoke(cues, value)]
    events = _events(cues, reasons)
    if said is not None and odds[value] - plain[value] >= SPOKE:
        reasons, events = [SAID, *reasons][:MOST_REASONS], (said.event, *events)
    known_well = odds[value] >= max(CONFIDENT, model.of.abstain_below)
    return Fact(
        tenant=known.person.tenant,
        subject=known.person.user,
        name=model.of.fact,
        value=value if known_well else UNKNOWN,
        confidence=odds[value],
        source=Source.INFERRED,
        valid_from=now,
        evidence=tuple(dict.fromkeys(events)),
        expires=now + LASTS,
        odds=odds,
        reasons=tuple(reasons),
        made_by=model.made_by,
    )


def _with_text(odds: Mapping[str, float], told: Mapping[str, float]) -> dict[str, float]:
    """A label that is no value of the fact says nothing."""
    even = 1 / len(odds)
    raised = {v: p * max(told.get(v, even), _LEAST) ** TEXT_WEIGHT for v, p in odds.items()}
    whole = sum(raised.values())
    return {value: share / whole for value, share in raised.items()}


def news(new: Iterable[Fact], before: Mapping[str, Fact], now: datetime) -> list[Fact]:
    """Of inferred facts those that are worth a row: another value, another confidence, or soon
    over. `before`: the newest inferred one by name."""
    return [fact for fact in new if _is_news(fact, before.get(fact.name), now)]


def _is_news(fact: Fact, old: Fact | None, now: datetime) -> bool:
    if old is None or old.value != fact.value or abs(old.confidence - fact.confidence) >= MOVED:
        return True
    return old.expires is not None and old.expires - now < RENEWED_BEFORE


def _events(cues: Cues, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(event for name in names for event in cues[name].evidence))
