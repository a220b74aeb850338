"""Are the reasons on cards true of the model? Take the named group out, look at score and rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from onboarding.ranking import NOTHING, Explainer
from onboarding.ranking.sentences import OTHER
from onboarding.ranking.version import Version
from onboarding.types import Card, Decision

SEED: Final = 17
MOST: Final = 600
"""Cards that are looked at."""
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shown:
    """Shares of cards. `coverage`, `by_model` are of all. Of those that a group explains, `falls`:
    the score falls when the group is taken out, and with it the rank among the others as
    they are; `lead_falls`, so does the lead over their mean when it is taken out of all of them,
    which is more than the card claims; `ratio`, by how many times a random other group's fall."""

    cards: int
    coverage: float
    by_model: float
    falls: float
    lead_falls: float
    ratio: float


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
    falls, leads, own, other = [], [], [], []
    for decision, card in explained[:MOST]:
        score, lead, drop, rival = _effects(explainer, version, decision, card, rng)
        falls.append(score > 0)
        leads.append(lead > 0)
        own.append(drop)
        other.append(rival)
    total = max(len(everything), 1)
    return Shown(
        cards=len(falls),
        coverage=sum(bool(card.why.key) for card in everything) / total,
        by_model=len(explained) / total,
        falls=float(np.mean(falls)) if falls else float("nan"),
        lead_falls=float(np.mean(leads)) if leads else float("nan"),
        ratio=float(np.mean(own) / max(float(np.mean(np.abs(other))), 1e-12)) if own else 0.0,
    )


def _effects(
    explainer: Explainer,
    version: Version,
    decision: Decision,
    card: Card,
    rng: np.random.Generator,
) -> tuple[float, float, float, float]:
    """Fall of the score, of the lead over the mean of the others, and a random group's fall."""
    by_name = {each.action: each for each in decision.candidates}
    short = [by_name[name] for name in decision.propensities if name != NOTHING]
    at = [each.action for each in short].index(card.action)
    rows = version.encoding.rows(decision.snapshot.values, (*short, None))
    named = next(name for name, columns in explainer.groups.items()
                 if version.encoding.names[columns[0]] == card.why.group[0])  # fmt: skip
    rest = [name for name in explainer.groups if name not in (named, OTHER)]
    random = rest[int(rng.integers(len(rest)))]
    before = _lift(version, rows)
    without = _lift(version, explainer.without(rows, named))
    beside = _lift(version, explainer.without(rows, random))
    score = before[at] - without[at]
    others = [n for n in range(len(short)) if n != at]
    lead = (before[at] - before[others].mean()) - (without[at] - without[others].mean())
    return float(score), float(lead), float(score), float(before[at] - beside[at])


def _lift(version: Version, rows: Numbers) -> Numbers:
    chances = version.chances(rows)
    return np.asarray(chances - chances[-1])
