"""A year in the life of a few people at Harbor, told as bytes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import orjson
from pydantic import JsonValue

from onboarding.journeys import Catalogue, Enrolment, compose, open_plays, track
from onboarding.rules import Moment
from onboarding.types import Event, Mode, Person
from tests.onboarding.rules.worlds import NOW, TENANT, event, fact, world

HOUR = timedelta(hours=1)
NAMES = (
    "Signed Up", "Signed In", "Connection Created", "Import Failed", "Import Finished",
    "Dashboard Created", "Dashboard Shared", "Member Invited", "Member Joined", "Alert Created",
    "Kit Applied", "Digest Scheduled", "MFA Enabled", "API Key Created",
)  # fmt: skip
ROLES = ("admin", "end_user", "executive", "developer", "")
START = NOW - 300 * HOUR


def happened(names: Iterable[str], user: str = "ana") -> list[Event]:
    """An hour apart."""
    return [
        event(name, (300 - number) * HOUR, user, message_id=f"{user}-{number}")
        for number, name in enumerate(names)
    ]


def view_at(events: Iterable[Event], at: datetime, role: str = "admin") -> Moment:
    """What was known then."""
    facts = [fact("role", role), fact("industry", "fintech")] if role else []
    states: dict[str, JsonValue] = {
        "own_mfa": False,
        "members": 1,
        "plan": "growth",
        "trial": True,
        "connections": 1,
    }
    return world([e for e in events if e.occurred_at <= at], facts, states, now=at)


def story(catalogue: Catalogue) -> bytes:
    """Every decision for every role after each event, a line each."""
    lines: list[bytes] = []
    events = happened(NAMES)
    for role in ROLES:
        for number in range(len(NAMES)):
            view = view_at(events, START + number * HOUR, role)
            composed = compose(catalogue, view)
            if composed is None:
                continue
            journey = composed.journey
            begun = Enrolment(Person(TENANT, "ana", "acme"), journey.name, journey.version, START)
            tracked = track(composed, begun, view, (), Mode.ADVANCED)
            plays = [play.ref for play in open_plays(catalogue, view, reached=True)]
            lines += [composed.log(), orjson.dumps(tracked), orjson.dumps(plays)]
    return b"\n".join(lines)
