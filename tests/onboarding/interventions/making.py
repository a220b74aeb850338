"""Messages and times for the tests of interventions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from onboarding.interventions import Channel, Message
from onboarding.types import Person

NOON = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)  # a Tuesday
ANA = Person("t", "ana", "acme")
BO = Person("t", "bo", "acme")
SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=s) for s in (1, 60, 3600, 86400))


def message(step: str = "nudge", person: Person = ANA, **more: Any) -> Message:
    """In the app unless said otherwise."""
    made = {
        "channel": Channel.IN_APP,
        "kind": "tips",
        "template": "connect-help",
        "journey": "admin-first-value@4",
        **more,
    }
    return Message(person=person, step=step, **made)


def mail(step: str = "nudge", person: Person = ANA, **more: Any) -> Message:
    return message(step, person, **{"channel": Channel.EMAIL, **more})
