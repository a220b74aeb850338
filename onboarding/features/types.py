"""A feature, and the score that is made of some of them."""

from __future__ import annotations

from dataclasses import dataclass

from onboarding.features.formulas import Term


@dataclass(frozen=True, slots=True)
class Feature:
    """One that is worked out. `place` is where it stands."""

    name: str
    term: Term
    missing: float | str
    is_category: bool
    about: str
    text: str
    place: str


@dataclass(frozen=True, slots=True)
class ScoreTerm:
    """A part of the score, by the feature that holds it."""

    feature: str
    weight: float
    about: str


@dataclass(frozen=True, slots=True)
class Score:
    name: str
    version: int
    scale: float
    terms: tuple[ScoreTerm, ...]
