"""What the rules show somebody, and how much of it an answer would change: the worth of a question
before any model ranks.

VoI(q) = sum over answers a of P(a | x) * change(what is shown now, what would be shown after a)

Who makes the rules says by them what helps a person of whom the answer is known. What is shown now
instead is what not knowing costs: the worth of knowing is the expected distance between the two.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from onboarding.profile.catalogue import Strict


class Curated(Strict):
    """`cards`, `branch` and `kit` are weights of the three parts, `cost` is what one question
    costs, as a share of what is shown. All initial."""

    cost: float = Field(default=0.10, ge=0)
    cards: float = Field(default=0.5, ge=0)
    branch: float = Field(default=0.3, ge=0)
    kit: float = Field(default=0.2, ge=0)


@dataclass(frozen=True, slots=True)
class Shown:
    """Cards in their order, the actions of the journey's steps that are left, and the starter kit
    that fits."""

    cards: tuple[str, ...] = ()
    branch: frozenset[str] = frozenset()
    kit: str | None = None


def change(now: Shown, then: Shown, of: Curated) -> float:
    """From 0, all the same, to 1, all another."""
    whole = of.cards + of.branch + of.kit
    parts = (
        of.cards * (1 - overlap(now.cards, then.cards)),
        of.branch * (1 - _jaccard(now.branch, then.branch)),
        of.kit * (now.kit != then.kit),
    )
    return sum(parts) / whole if whole else 0.0


def overlap(one: tuple[str, ...], other: tuple[str, ...]) -> float:
    """Average overlap: at each depth the share that both lists have, so that the first card counts
    most (Fagin et al., SIAM J. Discrete Math. 2003)."""
    deepest = max(len(one), len(other))
    shares = (len({*one[:d]} & {*other[:d]}) / d for d in range(1, deepest + 1))
    return sum(shares) / deepest if deepest else 1.0


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 1.0
