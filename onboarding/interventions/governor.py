"""May this message go out now? Ten checks in their order; the first that fails names the reason.

    1 goal, journey, step   2 consent, unsubscribe, region   3 audience, arm   4 never, snooze
    5 exclusive group       6 silence                        7 quiet hours     8 minimum gap
    9 caps                  10 sent before

A pure function over values that a store reads, and acts on, in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from types import MappingProxyType
from typing import Final

from onboarding.interventions.capping import Counted, over
from onboarding.interventions.choices import Choices
from onboarding.interventions.types import (
    Cap,
    Channel,
    Delivery,
    Message,
    OnCap,
    Quiet,
    Reason,
    Scope,
    Silence,
    Standing,
    Window,
)
from onboarding.interventions.zones import quiet_until, zones_of

_SILENCES: Final = {
    Silence.TYPING: Reason.TYPING,
    Silence.APPROVAL: Reason.APPROVAL_OPEN,
    Silence.PERSON: Reason.WITH_PERSON,
    Silence.FORM: Reason.FORM_DIRTY,
}
_HOUR: Final = timedelta(hours=1)
_QUIET: Final = Quiet(time(20), time(8))
_GAPS: Final = {
    Channel.IN_APP: timedelta(seconds=90),
    Channel.EMAIL: 4 * _HOUR,
    Channel.SMS: 4 * _HOUR,
}
_CAPS: Final = {
    Channel.IN_APP: (Cap(3, 12 * _HOUR, Window.SESSION),),
    Channel.EMAIL: (
        Cap(1, 24 * _HOUR, Window.ROLLING),
        Cap(20, 24 * _HOUR, Window.ROLLING, Scope.ACCOUNT),
    ),
    Channel.SMS: (Cap(1, 72 * _HOUR, Window.ROLLING),),
}


@dataclass(frozen=True, slots=True)
class House:
    """What holds for every message of a tenant; a message may be stricter, never laxer. Gaps and
    waits are of the onboarding reference, section 11; caps are initial."""

    zone: str | None = None
    quiet: Quiet | None = _QUIET
    gaps: Mapping[Channel, timedelta] = field(default_factory=lambda: MappingProxyType(_GAPS))
    caps: Mapping[Channel, tuple[Cap, ...]] = field(default_factory=lambda: MappingProxyType(_CAPS))
    silence_again: timedelta = timedelta(seconds=30)
    exclusive_again: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Rival:
    """Another message of the same exclusive group to the same person that has not gone out."""

    id: str
    journey: str
    priority: int
    planned_at: datetime


@dataclass(frozen=True, slots=True)
class Case:
    """All that decides on one message. `counted` holds what went out to the person or, by e-mail,
    to the account, this message left out; `sent_before` that its key went out otherwise."""

    delivery: Delivery
    standing: Standing
    choices: Choices = field(default_factory=Choices)
    counted: tuple[Counted, ...] = ()
    rivals: tuple[Rival, ...] = ()
    silences: Mapping[Silence, datetime] = field(default_factory=lambda: MappingProxyType({}))
    address_refused: bool = False
    sent_before: bool = False
    drawn_null: bool = False

    @property
    def message(self) -> Message:
        return self.delivery.message


@dataclass(frozen=True, slots=True)
class Send:
    """It goes out, and its cap token is taken."""


@dataclass(frozen=True, slots=True)
class Hold:
    """It is looked at again."""

    reason: Reason
    until: datetime


@dataclass(frozen=True, slots=True)
class Drop:
    """It never goes out. `withheld`: all allowed it, and the draw was to send nothing."""

    reason: Reason
    withheld: bool = False


@dataclass(frozen=True, slots=True)
class Expire:
    """It is too late for it; `reason` is what held it last."""

    reason: Reason


Verdict = Send | Hold | Drop | Expire
Check = Callable[[Case, House, datetime], Hold | Drop | None]


def decide(case: Case, house: House, now: datetime) -> Verdict:
    """A hold never reaches beyond the delivery's deadline: that is its last look."""
    first = next(_failing(case, house, now), None)
    if isinstance(first, Drop):
        return first
    deadline = case.delivery.deadline
    if now >= deadline:
        return Expire(first.reason if first else case.delivery.reason or Reason.LATE)
    if first is not None:
        return Hold(first.reason, min(first.until, deadline))
    return Drop(Reason.NULL, withheld=True) if case.drawn_null else Send()


def _failing(case: Case, house: House, now: datetime) -> Iterator[Hold | Drop]:
    for check in EXEMPT if case.message.exempt else CHECKS:
        failure = check(case, house, now)
        if failure is not None:
            yield failure


def _ended(case: Case, _house: House, _now: datetime) -> Drop | None:
    standing = case.standing
    if standing.goal_reached:
        return Drop(Reason.GOAL_REACHED)
    if standing.journey_left:
        return Drop(Reason.JOURNEY_LEFT)
    return Drop(Reason.STEP_DONE) if standing.step_done else None


def _consented(case: Case, house: House, now: datetime) -> Drop | None:
    if not case.standing.consented:
        return Drop(Reason.NO_CONSENT)
    if case.choices.opted_out(case.message):
        return Drop(Reason.UNSUBSCRIBED)
    return _reachable(case, house, now)


def _reachable(case: Case, _house: House, _now: datetime) -> Drop | None:
    """Holds for security notices, too."""
    if case.address_refused:
        return Drop(Reason.ADDRESS_REFUSED)
    return None if case.standing.region_ok else Drop(Reason.REGION)


def _in_audience(case: Case, _house: House, _now: datetime) -> Drop | None:
    if not case.standing.in_audience:
        return Drop(Reason.AUDIENCE_LEFT)
    return None if case.standing.arm_unchanged else Drop(Reason.ARM_CHANGED)


def _wanted(case: Case, _house: House, now: datetime) -> Hold | Drop | None:
    if case.choices.never(case.message):
        return Drop(Reason.NEVER)
    until = case.choices.snoozed_until(case.message, now)
    return Hold(Reason.SNOOZED, until) if until is not None else None


def _owns_group(case: Case, house: House, now: datetime) -> Hold | None:
    """By priority, then the earliest, then id."""
    message, delivery = case.message, case.delivery
    if message.exclusive is None:
        return None
    held = Hold(Reason.EXCLUSIVE, now + house.exclusive_again)
    owner = case.standing.owner
    if owner is not None:
        return None if _name(owner) == _name(message.journey) else held
    own = (message.priority, delivery.planned_at, delivery.id)
    others = (each for each in case.rivals if _name(each.journey) != _name(message.journey))
    return held if any((r.priority, r.planned_at, r.id) < own for r in others) else None


def _not_busy(case: Case, house: House, now: datetime) -> Hold | None:
    for silence, reason in _SILENCES.items():
        until = case.silences.get(silence)
        if until is not None and until > now:
            return Hold(reason, now + house.silence_again)
    return None


def _not_quiet(case: Case, house: House, now: datetime) -> Hold | None:
    own = (house.quiet, case.message.quiet)
    windows = [quiet for quiet in own if quiet and case.message.channel in quiet.channels]
    ends = (_quiet_end(quiet, case, house, now) for quiet in windows)
    known = [end for end in ends if end is not None]
    return Hold(Reason.QUIET_HOURS, max(known)) if known else None


def _quiet_end(quiet: Quiet, case: Case, house: House, now: datetime) -> datetime | None:
    if quiet.zone is None:
        return quiet_until(quiet, zones_of(case.standing, house.zone), now)
    return quiet_until(quiet, zones_of(Standing(zone=quiet.zone), house.zone), now)


def _after_gap(case: Case, house: House, now: datetime) -> Hold | None:
    gap = house.gaps.get(case.message.channel)
    if gap is None:
        return None
    user = case.message.person.user
    channel = case.message.channel
    before = [c.at for c in case.counted if c.user == user and c.channel is channel]
    free = max(before) + gap if before else now
    return Hold(Reason.GAP, free) if free > now else None


def _under_caps(case: Case, house: House, now: datetime) -> Hold | Drop | None:
    message = case.message
    if not message.counts:
        return None
    caps = (*message.caps, *house.caps.get(message.channel, ()))
    zone = zones_of(case.standing, house.zone)[0]
    found = over(caps, message, case.counted, zone, case.standing.session_since, now)
    if found is None:
        return None
    match message.on_cap:
        case OnCap.DEFER:
            return Hold(found.reason, found.free)
        case OnCap.SKIP:
            return Drop(found.reason)
        case OnCap.DIGEST:
            return Hold(Reason.DIGEST, found.free)


def _not_sent(case: Case, _house: House, _now: datetime) -> Drop | None:
    return Drop(Reason.ALREADY_SENT) if case.sent_before else None


def _name(journey: str) -> str:
    return journey.partition("@")[0]


CHECKS: Final[tuple[Check, ...]] = (
    _ended,
    _consented,
    _in_audience,
    _wanted,
    _owns_group,
    _not_busy,
    _not_quiet,
    _after_gap,
    _under_caps,
    _not_sent,
)
"""Of an ordinary message, in their order."""
EXEMPT: Final[tuple[Check, ...]] = (_ended, _reachable, _not_sent)
"""Of a transactional one."""
JOINING: Final[tuple[Check, ...]] = (_ended, _consented, _in_audience, _wanted, _not_sent)
"""Of one that goes out as a part of a digest, whose own message passed all."""


def may_join(case: Case, house: House, now: datetime) -> bool:
    """Whether it may go out as a part of a digest that goes out now."""
    late = now >= case.delivery.deadline
    return not late and all(check(case, house, now) is None for check in JOINING)
