"""Delivery -> delivery: what a verdict, a result, a lost lease or news makes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Final, NamedTuple, assert_never

from onboarding.interventions.channel import Again, Away, Effect, Refused, Result, Sent, Unsure
from onboarding.interventions.governor import Drop, Expire, Hold, Send, Verdict
from onboarding.interventions.moves import LIVE, IllegalDeliveryMoveError, is_legal
from onboarding.interventions.retrying import Retrying
from onboarding.interventions.types import Channel, Delivery, Message, OnCap, Reason, State

MOST_CLAIMS: Final = 20
"""A message under which so many workers died is not tried again."""
_NOTHING: Final[dict[str, str]] = {}


class Settled(NamedTuple):
    """`token`: whether what was taken at the claim stays taken."""

    delivery: Delivery
    token: bool


def planned(message: Message, now: datetime) -> Delivery:
    due = max(message.not_before or now, now)
    return Delivery(message.id, message, State.PLANNED, now, due, changed_at=now)


def governed(delivery: Delivery, verdict: Verdict, now: datetime, lease: timedelta) -> Delivery:
    """What is withheld is marked with the time at which it would have been sent."""
    match verdict:
        case Send():
            claimed = _moved(delivery, State.CLAIMED, now, reason=None)
            fence = delivery.fence + 1
            return replace(claimed, fence=fence, begun=False, lease_until=now + lease)
        case Hold(reason, until):
            return replace(_moved(delivery, State.HELD, now, reason=reason), due=until)
        case Drop(reason, withheld):
            dropped = _moved(delivery, State.SUPPRESSED, now, reason=reason)
            return replace(dropped, sent_at=now) if withheld else dropped
        case Expire(reason):
            return _moved(delivery, State.EXPIRED, now, reason=reason)
        case _:
            assert_never(verdict)


def settled(
    delivery: Delivery,
    result: Result,
    now: datetime,
    effect: Effect,
    retry: tuple[Retrying, Random],
) -> Settled:
    """Of a delivery that is claimed, or unknown since its lease was lost."""
    match result:
        case Sent(provider_id):
            sent = _moved(delivery, State.SENT, now, reason=None)
            return Settled(replace(sent, sent_at=now, provider_id=provider_id), token=True)
        case Refused(reason):
            return Settled(_moved(delivery, State.DEAD, now, reason=reason), token=False)
        case Unsure(reason) if effect is Effect.ONCE:
            return Settled(_unknown(delivery, reason, now, retry[0]), token=True)
        case Unsure(reason):
            return Settled(_again(delivery, Again(reason), now, retry), token=True)
        case Again():
            return Settled(_again(delivery, result, now, retry), token=False)
        case Away(after):
            return Settled(_put_off(delivery, now + after, now), token=False)
        case _:
            assert_never(result)


def resolved(
    delivery: Delivery,
    answer: Result | None,
    now: datetime,
    effect: Effect,
    retry: tuple[Retrying, Random],
) -> Settled:
    """Of one that is unknown: what its provider, or a person, says of it."""
    if answer is not None:
        return settled(delivery, answer, now, effect, retry)
    since = delivery.sent_at or now
    wait = retry[0].asked(now - since)
    if wait is None:
        return Settled(replace(delivery, reason=Reason.NEEDS_PERSON, changed_at=now), token=True)
    return Settled(replace(delivery, due=since + wait), token=True)


def lapsed(delivery: Delivery, now: datetime, effect: Effect, retrying: Retrying) -> Delivery:
    """Its worker is gone, or too slow."""
    if delivery.begun and effect is Effect.ONCE:
        return _unknown(delivery, Reason.LEASE_LOST, now, retrying)
    if delivery.fence >= MOST_CLAIMS:
        return _moved(delivery, State.DEAD, now, reason=Reason.TOO_MANY_TRIES)
    retry = _moved(delivery, State.RETRY, now, reason=Reason.LEASE_LOST)
    return replace(retry, due=now, lease_until=None, begun=False)


def told(delivery: Delivery, state: State, reason: Reason | None, now: datetime) -> Delivery:
    """What came to be known of it later; what comes twice, or too late, changes nothing."""
    if delivery.state is state is State.SEEN and reason is Reason.DISMISSED:
        return replace(delivery, reason=reason, changed_at=now)
    if not is_legal(delivery.state, state):
        return delivery
    sent_at = delivery.sent_at or (now if state is not State.DEAD else None)
    return replace(_moved(delivery, state, now, reason=reason), sent_at=sent_at)


def stopped(delivery: Delivery, reason: Reason, now: datetime) -> Delivery:
    """Of one that waits: it never goes out."""
    return _moved(delivery, State.SUPPRESSED, now, reason=reason)


def waits_with(head: Delivery, other: Delivery) -> bool:
    """Whether the other may go out as a part of a digest that goes out now."""
    same = other.message.person == head.message.person
    waits = other.state is State.HELD and other.reason is Reason.DIGEST and other.id != head.id
    digest = head.message.on_cap is OnCap.DIGEST
    return waits and digest and same and other.message.channel is head.message.channel


def _again(
    delivery: Delivery, failed: Again, now: datetime, retry: tuple[Retrying, Random]
) -> Delivery:
    policy, rng = retry
    tried = delivery.attempts + 1
    wait = policy.wait(tried, rng, failed.after)
    if wait is None:
        dead = _moved(delivery, State.DEAD, now, reason=Reason.TOO_MANY_TRIES)
        return replace(dead, attempts=tried)
    waiting = _moved(delivery, State.RETRY, now, reason=failed.reason)
    due = min(now + wait, max(delivery.deadline, now))
    return replace(waiting, attempts=tried, due=due, lease_until=None, begun=False)


def _unknown(delivery: Delivery, reason: Reason, now: datetime, retrying: Retrying) -> Delivery:
    if delivery.state is State.UNKNOWN:
        return delivery
    unknown = _moved(delivery, State.UNKNOWN, now, reason=reason)
    return replace(unknown, sent_at=now, due=now + retrying.ask_after)


def _put_off(delivery: Delivery, until: datetime, now: datetime) -> Delivery:
    held = _moved(delivery, State.HELD, now, reason=Reason.PROVIDER_AWAY)
    due = min(until, max(delivery.deadline, now))
    return replace(held, due=due, lease_until=None, begun=False)


def _moved(delivery: Delivery, state: State, now: datetime, *, reason: Reason | None) -> Delivery:
    """Values are kept for as long as they may be needed: until it is out, in the inbox for good."""
    if not is_legal(delivery.state, state):
        raise IllegalDeliveryMoveError(delivery.id, delivery.state, state)
    return replace(delivery, state=state, reason=reason, changed_at=now)


def may_go_out(delivery: Delivery) -> bool:
    """Now or later, again too: what nobody knows to be out may."""
    return delivery.state in LIVE or delivery.state is State.UNKNOWN


def bared(delivery: Delivery) -> Delivery:
    """Without what filled its template, once nobody needs that any more."""
    message = delivery.message
    if may_go_out(delivery) or message.channel is Channel.IN_APP or not message.values:
        return delivery
    return replace(delivery, message=replace(message, values=_NOTHING))
