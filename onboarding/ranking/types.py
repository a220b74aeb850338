"""What a ranker is asked and answers, and the error of one that cannot answer.

RankingError
├── ModelFileError     a version's files are missing, changed or unreadable
└── ScoreError         a score is no finite number, or came too late
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

from onboarding.types import Candidate, Person, Profile, Snapshot, Why

NOTHING: Final = ""
"""The arm of slot 1 that shows nothing new; the checklist stays."""


class Rung(StrEnum):
    """What the order of the cards is made by (design reference, 5)."""

    CURATED = "curated"
    COMPLETE = "complete"  # P(this person completes the action)
    ACTIVATE = "activate"  # P(this person reaches the goal)


class Fallback(StrEnum):
    """Why the curated order was served where a model should have ranked. Stable codes."""

    NO_MODEL = "no_model"
    BAD_FILES = "bad_files"
    LATE = "late"
    NOT_A_NUMBER = "not_a_number"
    NOT_CONFIDENT = "not_confident"
    UNSEEN_CATEGORY = "unseen_category"
    FEATURES_MISSING = "features_missing"
    PROFILE_UNKNOWN = "profile_unknown"
    OTHER_FEATURES = "other_features"  # the model was fitted on other definitions


class RankingError(Exception):
    """No order can be had of this model; `fallback` says why."""

    def __init__(self, fallback: Fallback, detail: str = "") -> None:
        super().__init__(f"{fallback.value}: {detail}" if detail else fallback.value)
        self.fallback = fallback


class ModelFileError(RankingError):
    """A version's files are missing, changed or unreadable."""

    def __init__(self, detail: str) -> None:
        super().__init__(Fallback.BAD_FILES, detail)


class ScoreError(RankingError):
    """A score is no finite number, or came too late."""


def _none() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Asked:
    """One decision to be made. `candidates` are in order of the rules; `blocks` names, by action,
    those that are not shown beside it. `seed` makes the decision again."""

    id: str
    person: Person
    at: datetime
    candidates: tuple[Candidate, ...]
    snapshot: Snapshot
    seed: int
    profile: Profile = field(default_factory=Profile)
    journey: str | None = None
    arms: Mapping[str, str] = field(default_factory=_none)
    blocks: Mapping[str, frozenset[str]] = field(default_factory=_none)


@dataclass(frozen=True, slots=True)
class Policy:
    """Numbers of the design reference, section 7. Shares are of decisions.

    `slots` cards at most; a model and exploration stay inside the first `short` by rule. `nothing`
    is the share that shows nothing new, `explore` that of a uniform choice before there is a model,
    `floor` the least chance of each of the short list under one. `close` is how much worse a card
    of another kind may score and still come first; `effort` what a point of effort costs.
    """

    slots: int = 3
    short: int = 6
    nothing: float = 0.05
    explore: float = 0.30
    floor: float = 0.02
    close: float = 0.01
    effort: float = 0.005
    missing: float = 0.20
    timeout_s: float = 0.050


class Scored(NamedTuple):
    """None where no model scored it."""

    action: str
    score: float | None


@dataclass(frozen=True, slots=True)
class Ranked:
    """The short list, best first. `chances` are those of slot 1, without the arm that shows
    nothing; they sum to 1."""

    order: tuple[Scored, ...]
    chances: Mapping[str, float]
    policy: str
    model: str | None = None
    fallback: Fallback | None = None


class Ranker(Protocol):
    """Orders the short list of one decision; without side effects, the same for the same input.

    Raises RankingError where the curated order has to be served instead.
    """

    def rank(self, asked: Asked, short: tuple[Candidate, ...], policy: Policy) -> Ranked: ...

    def explain(self, asked: Asked, ranked: Ranked, chosen: tuple[str, ...]) -> Mapping[str, Why]:
        """By action; what is absent is explained by its rule."""
        ...
