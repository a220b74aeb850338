"""Events, people and consents of the tests of profiles."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pydantic import JsonValue

from guardrails.consent import Consents, Purpose, Tagged
from guardrails.consent.state import Newest
from onboarding.types import Event, EventKind, Person

CONSENTED = Consents({(Purpose.PRODUCT_ANALYTICS, None): Newest(1, True)})
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ANA = Person("t", "ana", "acme")
ANALYTICS = frozenset({Purpose.PRODUCT_ANALYTICS})


def event(name: str, number: int, user: str | None = "ana", /, **fields: JsonValue) -> Event:
    """`number` minutes after noon, received at once."""
    at = NOON + timedelta(minutes=number)
    return Event(
        tenant="t",
        message_id=f"m{number}",
        kind=EventKind.PAGE if name == "page" else EventKind.TRACK,
        name=name,
        version="1-0-0",
        user=user,
        anonymous=None,
        account="acme",
        occurred_at=at,
        received_at=at,
        fields={key: Tagged(value, ANALYTICS) for key, value in fields.items()},
    )
