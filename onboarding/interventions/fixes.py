"""Friction -> what is done about it: the next fix that was not tried, and at last a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from onboarding.interventions.types import Channel, Message, Value
from onboarding.types import Friction

FAILED: Final = 2
"""After that many fixes of one friction failed a person is called (onboarding reference, 11)."""
FORGOTTEN: Final = timedelta(days=7)
"""A fix that failed longer ago does not count: the product may have changed since."""
RETRY_S: Final = 900.0
"""When an import is tried again where nobody says when."""
UNKNOWN: Final = "…"


class Fix(BaseModel):
    """`values` says where each placeholder of the template comes from: `about`, `code`, `at`,
    `packet`, or a name that signals know; `A or B` is the first that is there. `action` and `guide`
    name what else is offered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    template: str
    values: dict[str, str] = Field(default_factory=dict)
    action: str | None = None
    guide: str | None = None
    null_share: float = Field(default=0.05, ge=0, le=0.1)
    priority: int = 50


@dataclass(frozen=True, slots=True)
class Tried:
    """A fix that was offered. `worked` is None while it is not known."""

    fix: str
    at: datetime
    worked: bool | None = None


@dataclass(frozen=True, slots=True)
class Intervention:
    """What was decided. `packet` refers to what a person is shown when they take over; `retry_at`
    is set where something is tried again by itself."""

    friction: Friction
    fix: str
    number: int
    message: Message
    action: str | None = None
    guide: str | None = None
    packet: str | None = None
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ladder:
    """The fixes of one detector, in order, and how they are told."""

    order: Sequence[str]
    fixes: Mapping[str, Fix]
    channel: Channel
    kind: str


def choose(
    friction: Friction,
    ladder: Ladder,
    tried: Sequence[Tried],
    known: Mapping[str, str],
    now: datetime,
) -> Intervention | None:
    """None while a person is on it. Fixes of which nothing is known failed: else the friction would
    not have been found again."""
    recent = [each for each in tried if now - each.at <= FORGOTTEN]
    if recent and recent[-1].fix == "person" and recent[-1].worked is None:
        return None
    failed = [each.fix for each in recent if not each.worked]
    left = [name for name in ladder.order if name not in failed]
    name = left[0] if left and len(failed) < FAILED else "person"
    return _made(friction, ladder, name, len(tried) + 1, known, now)


def packet_of(friction: Friction) -> str:
    """The same for the same friction: whoever takes over finds its events under it."""
    person = friction.person
    said = f"{person.tenant}\0{person.user}\0{friction.detector}\0{friction.about}"
    return f"fr-{sha256(said.encode()).hexdigest()[:12]}"


def _made(
    friction: Friction,
    ladder: Ladder,
    name: str,
    number: int,
    known: Mapping[str, str],
    now: datetime,
) -> Intervention:
    fix = ladder.fixes[name]
    retry_at = now + timedelta(seconds=_retry_s(known)) if "at" in fix.values.values() else None
    packet = packet_of(friction) if name == "person" else None
    sources = {
        "about": friction.about,
        "at": retry_at.isoformat() if retry_at else "",
        "packet": packet or "",
        **known,
    }
    message = Message(
        person=friction.person,
        channel=ladder.channel,
        kind=ladder.kind,
        template=fix.template,
        journey=f"friction.{friction.detector}@1",
        step=f"{name}.{_short(friction.about)}",
        entry=number,
        values={place: _value(wanted, sources) for place, wanted in fix.values.items()},
        priority=fix.priority - friction.severity,
        null_share=0.0 if packet else fix.null_share,
        max_delay=timedelta(hours=1),
    )
    return Intervention(friction, name, number, message, fix.action, fix.guide, packet, retry_at)


def _value(wanted: str, sources: Mapping[str, str]) -> Value:
    for name in wanted.split(" or "):
        found = sources.get(name.strip())
        if found:
            return found
    return UNKNOWN


def _retry_s(known: Mapping[str, str]) -> float:
    try:
        return min(max(float(known.get("retry_after", RETRY_S)), 1.0), 86_400.0)
    except ValueError:
        return RETRY_S


def _short(about: str) -> str:
    """What an element or form is called may hold anything; a step's name may not."""
    return sha256(about.encode()).hexdigest()[:8]
