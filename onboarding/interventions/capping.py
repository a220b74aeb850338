"""How many went out, and when the next may."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from onboarding.interventions.types import (
    Cap,
    Channel,
    Delivery,
    Message,
    Reason,
    Scope,
    Window,
)
from onboarding.interventions.zones import day_of, week_of

_REASONS: Final = {
    Scope.CHANNEL: Reason.CAP_CHANNEL,
    Scope.JOURNEY: Reason.CAP_JOURNEY,
    Scope.USER: Reason.CAP_USER,
    Scope.ACCOUNT: Reason.CAP_ACCOUNT,
}
SESSION_AGAIN: Final = timedelta(minutes=15)
"""When a full session is looked at anew: nobody says when it ends."""
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Counted:
    """The cap token of what went out. `counts` is false where it only keeps the gap."""

    delivery: str
    at: datetime
    channel: Channel
    user: str
    account: str | None
    journey: str
    counts: bool = True


def token_of(delivery: Delivery, now: datetime) -> Counted:
    """Taken when it is let out."""
    message, person = delivery.message, delivery.message.person
    return Counted(
        delivery.id,
        now,
        message.channel,
        person.user,
        person.account,
        message.journey,
        message.counts,
    )


class Over(NamedTuple):
    """`free`: when the last of the caps that are reached lets something through again."""

    reason: Reason
    free: datetime


class _Span(NamedTuple):
    since: datetime
    over: datetime | None  # None: each token leaves by itself


def over(
    caps: Iterable[Cap],
    message: Message,
    counted: Sequence[Counted],
    zone: ZoneInfo,
    session_since: datetime | None,
    now: datetime,
) -> Over | None:
    """None while every cap has room; otherwise the reason of the first that has none."""
    found: list[Over] = []
    for cap in caps:
        span = _span(cap, zone, session_since, now)
        own = [c.at for c in counted if c.counts and _is_of(c, cap.scope, message)]
        within = sorted(at for at in own if at > span.since)
        if len(within) >= cap.max:
            free = span.over or within[-cap.max] + cap.per
            found.append(Over(_REASONS[cap.scope], free))
    return Over(found[0].reason, max(each.free for each in found)) if found else None


def _span(cap: Cap, zone: ZoneInfo, session_since: datetime | None, now: datetime) -> _Span:
    match cap.window:
        case Window.ROLLING:
            return _Span(now - cap.per, None)
        case Window.CALENDAR:
            start, end = day_of(zone, now) if cap.per == _DAY else week_of(zone, now)
            return _Span(start - timedelta.resolution, end)
        case Window.SESSION:
            since = session_since or now - cap.per
            return _Span(since - timedelta.resolution, now + SESSION_AGAIN)


def _is_of(token: Counted, scope: Scope, message: Message) -> bool:
    person = message.person
    mine = token.user == person.user
    match scope:
        case Scope.USER:
            return mine
        case Scope.CHANNEL:
            return mine and token.channel is message.channel
        case Scope.JOURNEY:
            same = token.journey.partition("@")[0] == message.journey.partition("@")[0]
            return mine and same and token.channel is message.channel
        case Scope.ACCOUNT:
            of_account = person.account is not None and token.account == person.account
            return of_account and token.channel is Channel.EMAIL is message.channel
