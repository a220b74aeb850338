"""What may be sent to a person, when it may not, and what became of it.

    Message (planned by a journey, play or fix) -> Delivery (its state) -> Verdict of the governor

`journey` is `name@version`; who plans outside of journeys names what plans, such as
`friction.import_failed@1`. Times are aware, in UTC; wall times stand only in `Quiet`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from hashlib import sha256
from types import MappingProxyType

from guardrails.consent import Purpose
from guardrails.refs import code
from onboarding.types import Person

Value = str | int | float | bool
"""What fills a placeholder. No address, no name of a person: those come from `Contacts`."""
MAX_DELAY = timedelta(hours=72)
"""What was held back for longer is of no use any more (onboarding reference, section 11)."""
_DAY = timedelta(days=1)


class Channel(StrEnum):
    """Where a message goes."""

    IN_APP = "in_app"
    EMAIL = "email"
    SMS = "sms"
    WEBHOOK = "webhook"


class Klass(StrEnum):
    """`transactional`: security notices and receipts, which no cap, gap or quiet hour holds."""

    ORDINARY = "ordinary"
    TRANSACTIONAL = "transactional"


class Window(StrEnum):
    """How a cap counts. Never left unsaid: senders differ in what they take it to mean."""

    ROLLING = "rolling"
    CALENDAR = "calendar"  # whole days, or weeks from Monday, in the person's zone
    SESSION = "session"


class Scope(StrEnum):
    """What a cap counts."""

    CHANNEL = "channel"  # all that a person gets on the message's channel
    JOURNEY = "journey"  # the same, of the message's journey alone
    USER = "user"  # all that a person gets anywhere
    ACCOUNT = "account"  # e-mail to anybody of an account


class OnCap(StrEnum):
    """What becomes of a message over its cap. A step is passed only by `skip`."""

    DEFER = "defer"
    SKIP = "skip"
    DIGEST = "digest"  # waits, and goes out together with the others that wait so


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `max` in `per`, of 31 days at most. Raises ValueError, also for a calendar window
    that is no day or week."""

    max: int
    per: timedelta
    window: Window
    scope: Scope = Scope.CHANNEL

    def __post_init__(self) -> None:
        if self.max < 1 or not timedelta(0) < self.per <= 31 * _DAY:
            raise ValueError("a cap allows at least one in a time above zero, 31 days at most")
        if self.window is Window.CALENDAR and self.per not in (_DAY, 7 * _DAY):
            raise ValueError("a calendar cap is per 24h (day) or per 168h (week)")


@dataclass(frozen=True, slots=True)
class Quiet:
    """Wall times of a zone, the person's own where `zone` is None. A window may cross midnight;
    one whose ends are equal is empty."""

    start: time
    end: time
    channels: frozenset[Channel] = frozenset({Channel.EMAIL, Channel.SMS})
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """Something to be sent once. `kind` is what a person may opt out of, such as `tips`; `entry`
    counts how often this person began the journey. Smaller `priority` wins. `exclusive` names a
    group of which one journey at a time speaks. Raises ValueError for names that are no ids."""

    person: Person
    channel: Channel
    kind: str
    template: str
    journey: str
    step: str
    values: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))
    entry: int = 1
    priority: int = 100
    exclusive: str | None = None
    purpose: Purpose = Purpose.SUPPORT
    klass: Klass = Klass.ORDINARY
    caps: tuple[Cap, ...] = ()
    on_cap: OnCap = OnCap.DEFER
    counts: bool = True  # towards caps
    quiet: Quiet | None = None  # None: the house's
    not_before: datetime | None = None
    expires: datetime | None = None
    max_delay: timedelta = MAX_DELAY
    arms: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    decision: str | None = None  # the decision that it came from
    null_share: float = 0.0  # of those whom it would reach; they get nothing and are compared

    def __post_init__(self) -> None:
        for name in ("kind", "template", "journey", "step"):
            code(name, getattr(self, name).replace("@", "/"))
        if self.exclusive is not None:
            code("exclusive", self.exclusive)
        for at in (self.not_before, self.expires):
            if at is not None and at.tzinfo is None:
                raise ValueError("a time without a zone")
        if not 0 <= self.null_share < 1:
            raise ValueError("null_share is below 1")

    @property
    def key(self) -> str:
        """Of what is sent once, whatever the channel."""
        named = (self.person.tenant, self.person.user, self.journey, self.step, str(self.entry))
        return sha256("\0".join(named).encode()).hexdigest()

    @property
    def id(self) -> str:
        """Of its delivery: planning the same again is no second one. 32 hex digits."""
        return sha256(f"{self.key}:{self.channel}".encode()).hexdigest()[:32]

    @property
    def exempt(self) -> bool:
        return self.klass is Klass.TRANSACTIONAL


class State(StrEnum):
    """Of a delivery; `moves.MOVES` holds which may follow which."""

    PLANNED = "planned"
    HELD = "held"  # until a time, for a reason
    CLAIMED = "claimed"  # one worker sends it, on a lease
    RETRY = "retry"  # was not sent, is tried again
    SENT = "sent"
    DELIVERED = "delivered"
    SEEN = "seen"
    CLICKED = "clicked"
    FAILED = "failed"  # was sent and came back
    UNKNOWN = "unknown"  # may have been sent, and must not be sent twice: the provider is asked
    DEAD = "dead"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"


class Reason(StrEnum):
    """Why a message was not sent, or not yet; in the order of the governor's checks."""

    GOAL_REACHED = "goal_reached"
    JOURNEY_LEFT = "journey_left"
    STEP_DONE = "step_done"
    NO_CONSENT = "no_consent"
    UNSUBSCRIBED = "unsubscribed"
    ADDRESS_REFUSED = "address_refused"  # bounced, or STOP was sent from it
    REGION = "region"
    AUDIENCE_LEFT = "audience_left"
    ARM_CHANGED = "arm_changed"
    NEVER = "never"
    SNOOZED = "snoozed"
    EXCLUSIVE = "exclusive"
    TYPING = "typing"
    APPROVAL_OPEN = "approval_open"
    WITH_PERSON = "with_person"
    FORM_DIRTY = "form_dirty"
    QUIET_HOURS = "quiet_hours"
    GAP = "gap"
    CAP_CHANNEL = "cap_channel"
    CAP_JOURNEY = "cap_journey"
    CAP_USER = "cap_user"
    CAP_ACCOUNT = "cap_account"
    DIGEST = "digest"
    ALREADY_SENT = "already_sent"
    NULL = "null"  # drawn to get nothing, so that the effect of others can be told
    LATE = "late"
    # of sending itself
    NO_ADDRESS = "no_address"
    NO_CHANNEL = "no_channel"
    BAD_TEMPLATE = "bad_template"
    ERASED = "erased"
    IN_DIGEST = "in_digest"  # went out as a part of another
    NOT_SENT = "not_sent"
    REFUSED = "refused"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    NO_ANSWER = "no_answer"
    PROVIDER_AWAY = "provider_away"  # it is left alone for a while
    NEEDS_PERSON = "needs_person"  # nobody could tell what became of it
    LEASE_LOST = "lease_lost"
    TOO_MANY_TRIES = "too_many_tries"
    DISMISSED = "dismissed"


class Silence(StrEnum):
    """What a person does that must not be broken into."""

    TYPING = "typing"
    APPROVAL = "approval"
    PERSON = "person"
    FORM = "form"


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand with a message's person at the time of sending, as its journey, the consents
    and the host say. `address` is a keyed hash. `owner` is the journey that speaks for the
    message's exclusive group now."""

    goal_reached: bool = False
    journey_left: bool = False
    step_done: bool = False
    consented: bool = True
    region_ok: bool = True
    in_audience: bool = True
    arm_unchanged: bool = True
    owner: str | None = None
    zone: str | None = None
    account_zone: str | None = None
    country: str | None = None  # ISO 3166, two letters
    session_since: datetime | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message and what became of it. `due` is when it is looked at next, `fence` counts claims;
    `begun` says that the channel was called under the present claim."""

    id: str
    message: Message
    state: State
    planned_at: datetime
    due: datetime
    reason: Reason | None = None
    attempts: int = 0
    fence: int = 0
    begun: bool = False
    lease_until: datetime | None = None
    sent_at: datetime | None = None
    provider_id: str | None = None
    changed_at: datetime | None = None

    @property
    def deadline(self) -> datetime:
        """From then on it is not sent any more."""
        since = max(self.planned_at, self.message.not_before or self.planned_at)
        ends = since + self.message.max_delay
        return min(ends, self.message.expires) if self.message.expires is not None else ends
