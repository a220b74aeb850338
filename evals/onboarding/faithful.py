"""Are the reasons on cards true of the model? Take the named group out, look at score and rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onboarding.ranking import NOTHING, Explainer, Policy
from onboarding.ranking.sentences import OTHER
from onboarding.ranking.version import Version
from onboarding.types import Card, Decision

SEED: Final = 17
MOST: Final = 600
"""Cards that are looked at."""
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shown:
    """Shares of cards. `coverage`, `by_model` are of all. Of those that a group explains, when the
    group is taken out: `falls`, the score falls; `place_falls`, and by so much that the card loses
    its place among the others as they are; `lead_falls`, its lead over their mean falls where the
    group is taken out of all of them; `ratio`, by how many times a random other group's the score
    falls. Cards that lead by more than any one group are among those with a rule's own reason."""

    cards: int
    coverage: float
    by_model: float
    falls: float
    place_falls: float
    lead_falls: float
    ratio: float


class _Effect(NamedTuple):
    """Of taking the named group out of one card, and out of all; `random` of another group."""

    score: float
    places: int
    lead: float
    random: float


def faithful(
    explainer: Explainer,
    decisions: Sequence[Decision],
    judge: Version | None = None,
) -> Shown:
    """`judge` scores what the explainer's version explained; the same unless a test swaps it."""
    version = judge or explainer.version
    everything = [card for each in decisions for card in each.cards]
    explained = [(each, card) for each in decisions for card in each.cards if card.why.group]
    rng = np.random.default_rng(SEED)
    found = [_effect(explainer, version, d, card, rng) for d, card in explained[:MOST]]
    total = max(len(everything), 1)
    none = float("nan")
    own = np.array([each.score for each in found])
    another = np.abs([each.random for each in found])
    return Shown(
        cards=len(found),
        coverage=sum(bool(card.why.key) for card in everything) / total,
        by_model=len(explained) / total,
        falls=float((own > 0).mean()) if found else none,
        place_falls=float(np.mean([each.places > 0 for each in found])) if found else none,
        lead_falls=float(np.mean([each.lead > 0 for each in found])) if found else none,
        ratio=float(own.mean() / max(float(another.mean()), 1e-12)) if found else 0.0,
    )


def _effect(
    explainer: Explainer,
    version: Version,
    decision: Decision,
    card: Card,
    rng: np.random.Generator,
) -> _Effect:
    by_name = {each.action: each for each in decision.candidates}
    short = [by_name[name] for name in decision.propensities if name != NOTHING]
    at = [each.action for each in short].index(card.action)
    rows = version.encoding.rows(decision.snapshot.values, (*short, None))
    named = [name for name, columns in explainer.groups.items()
             if version.encoding.names[columns[0]] in card.why.group]  # fmt: skip
    rest = [name for name in explainer.groups if name not in (*named, OTHER)]
    random = rng.choice(rest, len(named), replace=False).tolist()
    before = _lift(version, rows)
    without = _lift(version, explainer.without(rows, named))
    beside = _lift(version, explainer.without(rows, random))
    others = [n for n in range(len(short)) if n != at]
    fall = before[at] - without[at]
    scores = before[:-1] - Policy().effort * np.array([each.effort for each in short])
    lower = scores[at] - fall
    places = int((scores[others] > lower).sum() - (scores[others] > scores[at]).sum())
    lead = (before[at] - before[others].mean()) - (without[at] - without[others].mean())
    return _Effect(float(fall), places, float(lead), float(before[at] - beside[at]))


def _lift(version: Version, rows: Numbers) -> Numbers:
    chances = version.chances(rows)
    return np.asarray(chances - chances[-1])
