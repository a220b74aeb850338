"""The vocabulary that the rooms share; what only one room speaks of stands in its own `types.py`.

    Event -> Snapshot (features) -> Profile (facts) -> Progress -> Candidate -> Decision (cards)
          -> Friction -> Delivery -> Outcome

All are values of one tenant; times are aware, in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol

from pydantic import JsonValue

from guardrails.consent import Purpose, Tagged

UNKNOWN: Final = "unknown"
"""What a fact is while nobody said it and nothing shows it well enough."""
CONFIDENT: Final = 0.6
"""An inferred fact below this confidence counts as unknown to rules."""
FeatureValue = float | str
"""A number, or a category."""


class EventKind(StrEnum):
    """The calls of Segment's specification; a batch is a list of them."""

    IDENTIFY = "identify"
    TRACK = "track"
    GROUP = "group"
    PAGE = "page"


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a step is for. `user` is the host's opaque reference, the subject of every other room;
    `account` is None for who belongs to none."""

    tenant: str
    user: str
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in the host product, as it was stored.

    `fields` holds what the contract plans and the person consented to, each with the purposes it
    may serve; a name with `context.` before it comes from the message's context. `user` is None
    until `anonymous` was identified. `occurred_at` is corrected for the sender's clock; what may be
    known at a time is decided by `received_at`.
    """

    tenant: str
    message_id: str
    kind: EventKind
    name: str
    version: str
    user: str | None
    anonymous: str | None
    account: str | None
    occurred_at: datetime
    received_at: datetime
    fields: Mapping[str, Tagged] = field(default_factory=lambda: MappingProxyType({}))
    purposes: frozenset[Purpose] = frozenset(Purpose)  # that the fact of it may serve

    def serving(self, purpose: Purpose) -> dict[str, JsonValue]:
        """Plain values for one use."""
        return {name: each.value for name, each in self.fields.items() if purpose in each.purposes}


@dataclass(frozen=True, slots=True)
class Seen:
    """How often an event happened, and when first and last."""

    count: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class History:
    """What a person, or an account, has done as far as is stored. `recent` is oldest first and may
    be cut; `seen` counts everything, by name of the event."""

    seen: Mapping[str, Seen] = field(default_factory=lambda: MappingProxyType({}))
    recent: tuple[Event, ...] = ()

    def count(self, name: str, now: datetime, within: timedelta | None = None) -> int:
        """Of `recent` alone where a time is given."""
        if within is None:
            return self.seen[name].count if name in self.seen else 0
        return sum(e.name == name and now - within <= e.occurred_at <= now for e in self.recent)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The features of one person at one time. `spec` is the hash of their definitions."""

    at: datetime
    values: Mapping[str, FeatureValue]
    spec: str


class Source(StrEnum):
    """Who says a fact; the first wins over those after it."""

    DECLARED = "declared"
    IMPORTED = "imported"
    INFERRED = "inferred"


@dataclass(frozen=True, slots=True)
class Fact:
    """One statement on a person or account. `evidence` holds message ids of events, or ids of
    facts; `confidence` is a calibrated probability, 1 for what was declared. Of what was inferred
    `odds` are the probabilities of every value, `reasons` the cues that spoke for it, strongest
    first. `made_by` names the version of the model or rules, or the way it was said."""

    tenant: str
    subject: str
    name: str
    value: str
    confidence: float
    source: Source
    valid_from: datetime
    evidence: tuple[str, ...] = ()
    expires: datetime | None = None
    purpose: Purpose = Purpose.PRODUCT_ANALYTICS
    odds: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    reasons: tuple[str, ...] = ()
    made_by: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """`facts` are those that hold now, the one that counts for each name. `odds` are the
    probabilities of every value of what was inferred; they sum to 1 for each name."""

    facts: Mapping[str, Fact] = field(default_factory=lambda: MappingProxyType({}))
    odds: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: MappingProxyType({}))

    def value(self, name: str, confidence: float = CONFIDENT) -> str:
        """UNKNOWN when there is no fact, or an inferred one is below `confidence`."""
        fact = self.facts.get(name)
        if fact is None or (fact.source is Source.INFERRED and fact.confidence < confidence):
            return UNKNOWN
        return fact.value


class StepState(StrEnum):
    """`blocked` waits for steps before it; `skipped` was left out by the person or a rule."""

    BLOCKED = "blocked"
    OPEN = "open"
    DONE = "done"
    SKIPPED = "skipped"


class StepScope(StrEnum):
    """Who has to do a step: each user, or anyone of the account for all."""

    USER = "user"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class StepProgress:
    """`effort` is 1 to 5. `by` is whoever did it; `evidence` the message ids that show it."""

    id: str
    action: str
    state: StepState
    effort: int
    scope: StepScope = StepScope.USER
    by: str | None = None
    done_at: datetime | None = None
    evidence: tuple[str, ...] = ()


class Mode(StrEnum):
    """How much is shown at once."""

    SIMPLE = "simple"
    ADVANCED = "advanced"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a person is in the version of a journey that they started."""

    journey: str
    version: int
    steps: tuple[StepProgress, ...]
    started_at: datetime
    reached_at: datetime | None = None  # the goal
    left_at: datetime | None = None
    mode: Mode = Mode.SIMPLE

    @property
    def share(self) -> float:
        """Effort done / effort required, 0 to 1; what was skipped is not required."""
        required = [each for each in self.steps if each.state is not StepState.SKIPPED]
        whole = sum(each.effort for each in required)
        done = sum(each.effort for each in required if each.state is StepState.DONE)
        return done / whole if whole else 1.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """An action that this person may take now. `reason` is the key of the journey's or rule's own
    sentence for it; `order` its place by rule, from 0. `step` is set when a journey asks for it.
    What is `urgent` by rule comes first, whatever a model or exploration would choose."""

    action: str
    kind: str
    effort: int
    order: int
    reason: str
    step: str | None = None
    value: float = 1.0
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Why:
    """Why a card is where it is: the key of an approved sentence and what fills it. `group` names
    the features that moved the score, `contribution` how far in units of the score; `evidence` the
    events behind them. A rule's own reason has no contribution."""

    key: str
    values: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    group: tuple[str, ...] = ()
    contribution: float | None = None
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """One next step as it is shown. `score` is activation lift less effort, on the rung that made
    it; `alternatives` are actions of another kind, best first."""

    action: str
    slot: int
    why: Why
    score: float | None
    propensity: float | None = None
    step: str | None = None
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What was suggested to one person at one time, with all that is needed to make it again:
    the row that audit, training and evaluation read. `fallback` says why the curated order was
    served where a model should have ranked. `id` is 22 characters of base64url."""

    id: str
    person: Person
    at: datetime
    policy: str
    model: str | None
    journey: str | None  # name@version
    candidates: tuple[Candidate, ...]
    cards: tuple[Card, ...]
    propensities: Mapping[str, float]  # by action, of slot 1; "" is nothing new
    snapshot: Snapshot
    seed: int
    arms: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    fallback: str | None = None
    purpose: Purpose = Purpose.PRODUCT_ANALYTICS
    latency_ms: float = 0.0


class OutcomeKind(StrEnum):
    """What became of a card or a message."""

    SEEN = "seen"
    CLICKED = "clicked"
    COMPLETED = "completed"
    DISMISSED = "dismissed"
    SNOOZED = "snoozed"
    NEVER = "never"
    ANOTHER = "another"
    ACTIVATED = "activated"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`until` is the end of a snooze."""

    decision: str
    person: Person
    action: str
    kind: OutcomeKind
    at: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Friction:
    """Something got in the way. `fix` is an action, a guide or `person`; `severity` 1 to 3.
    `about` names the step, page or element; `evidence` the events."""

    detector: str
    person: Person
    at: datetime
    severity: int
    fix: str
    about: str = ""
    evidence: tuple[str, ...] = ()


class View(Protocol):
    """The world of one person at one time, as rules see it: plain look-ups, no I/O."""

    @property
    def now(self) -> datetime: ...

    def count(self, event: str, within: timedelta | None, where: Mapping[str, JsonValue]) -> int:
        """Events of this person, with those of their account for what an account does; `where`
        holds values that fields must have."""
        ...

    def feature(self, name: str) -> FeatureValue | None: ...

    def fact(self, name: str) -> Fact | None: ...

    def state(self, name: str) -> JsonValue:
        """Of the product, as its own API said last; None where it is not known."""
        ...

    def stalled(self, step: str) -> float:
        """Probability that this step is not taken any more, 0 to 1."""
        ...

    def arm(self, experiment: str) -> str | None: ...

    def alone(self) -> View:
        """The same without what others of the account did: what each has to do for themself."""
        ...
