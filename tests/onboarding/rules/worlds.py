"""Small worlds for rules, journeys and guides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from pydantic import JsonValue

from guardrails.consent import Purpose, Tagged
from onboarding.rules import Form, Moment, Typed, Vocabulary
from onboarding.types import (
    Event,
    EventKind,
    Fact,
    History,
    Profile,
    Seen,
    Snapshot,
    Source,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
TENANT = "harbor"
ANALYTICS = frozenset({Purpose.PRODUCT_ANALYTICS})

KNOWN = Vocabulary(
    events={
        "Signed Up": {"plan": Typed(Form.TEXT, frozenset({"free", "team"}))},
        "Connection Created": {
            "connector": Typed(Form.TEXT, frozenset({"postgresql", "stripe"})),
            "rows": Typed(Form.NUMBER),
            "sample": Typed(Form.FLAG),
        },
        "Dashboard Viewed": {},
    },
    features={"days_since_signup": Typed(Form.NUMBER), "last_page": Typed(Form.TEXT)},
    facts={"role": frozenset({"admin", "analyst", "executive"}), "industry": frozenset()},
    states={"sso": Typed(Form.FLAG), "members": Typed(Form.NUMBER)},
    steps=frozenset({"connect", "invite"}),
    experiments={"copy": frozenset({"control", "short"})},
)


def event(
    name: str,
    ago: timedelta = timedelta(0),
    user: str = "ana",
    fields: Mapping[str, JsonValue] | None = None,
    purposes: frozenset[Purpose] = ANALYTICS,
    message_id: str = "",
) -> Event:
    at = NOW - ago
    return Event(
        tenant=TENANT,
        message_id=message_id or f"{user}-{name}-{int(ago.total_seconds())}",
        kind=EventKind.TRACK,
        name=name,
        version="1-0-0",
        user=user,
        anonymous=None,
        account="acme",
        occurred_at=at,
        received_at=at,
        fields={key: Tagged(value, purposes) for key, value in (fields or {}).items()},
    )


def history(events: Iterable[Event]) -> History:
    ordered = sorted(events, key=lambda each: each.occurred_at)
    seen: dict[str, Seen] = {}
    for each in ordered:
        known = seen.get(each.name)
        first = known.first if known else each.occurred_at
        seen[each.name] = Seen((known.count if known else 0) + 1, first, each.occurred_at)
    return History(seen, tuple(ordered))


def fact(name: str, value: str, confidence: float = 1.0, source: Source = Source.DECLARED) -> Fact:
    return Fact(TENANT, "ana", name, value, confidence, source, NOW, (f"m-{name}",))


def world(  # noqa: PLR0913 - one argument a part of the world
    events: Iterable[Event] = (),
    facts: Iterable[Fact] = (),
    states: Mapping[str, JsonValue] | None = None,
    features: Mapping[str, float | str] | None = None,
    *,
    risks: Mapping[str, float] | None = None,
    arms: Mapping[str, str] | None = None,
    team: Iterable[Event] = (),
    now: datetime = NOW,
) -> Moment:
    return Moment(
        now=now,
        own=history(events),
        team=history(team),
        snapshot=Snapshot(now, features or {}, "spec"),
        profile=Profile({each.name: each for each in facts}),
        states=states or {},
        risks=risks or {},
        arms=arms or {},
    )
