"""States of the product: how long each is good, and when it is asked for again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from onboarding.engine.states import AGAIN, KnownStates
from onboarding.journeys import States
from onboarding.types import Person

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ANA = Person("t", "ana", "acme")
FILE = {
    "version": 1,
    "states": {
        "plan": {"type": "text", "values": ["free"], "read": "billing", "at": "/plan",
                 "max_age": "1h"},
        "mfa": {"type": "flag", "read": "me", "at": "/mfa", "max_age": "10s"},
    },
}  # fmt: skip


def test_a_reading_is_good_as_long_as_the_file_says() -> None:
    known = KnownStates(States.model_validate(FILE))
    assert known.stale(ANA, NOON) == ["billing", "me"]
    known.take(ANA, {"billing": {"plan": "free"}, "me": {"mfa": True}}, NOON)
    assert known.stale(ANA, NOON) == []
    assert known.of(ANA, NOON) == {"plan": "free", "mfa": True}
    later = NOON + timedelta(minutes=2)
    assert known.stale(ANA, later) == ["me"]
    assert known.of(ANA, later) == {"plan": "free"}


def test_what_could_not_be_read_is_asked_for_again_soon() -> None:
    known = KnownStates(States.model_validate(FILE))
    known.take(ANA, {"billing": None, "me": {"mfa": True}}, NOON)
    assert known.of(ANA, NOON) == {"mfa": True}
    assert "billing" not in known.stale(ANA, NOON + AGAIN)
    again = NOON + AGAIN + timedelta(seconds=1)
    assert "billing" in known.stale(ANA, again)
    known.take(ANA, {"billing": {"plan": "free"}}, again)
    assert "billing" not in known.stale(ANA, again + AGAIN + timedelta(seconds=1))
    assert known.of(ANA, again)["plan"] == "free"
