"""A follower of the log: an event that cannot be handled does not hold up the rest."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from guardrails.store import StoreUnavailableError
from onboarding.engine.following import Follower
from onboarding.events.memory import MemoryEventLog
from onboarding.types import Event
from tests.contracts.events import event, mac, stored


class Handled:
    """What was handled, but for what is poison."""

    def __init__(self, poison: frozenset[str], failure: Exception) -> None:
        self.poison = poison
        self.failure = failure
        self.names: list[str] = []

    async def __call__(self, events: Sequence[Event]) -> None:
        if self.poison & {event.name for event in events}:
            raise self.failure
        self.names += [event.name for event in events]


async def followed(handled: Handled) -> Follower:
    log = MemoryEventLog(mac)
    names = ("Opened", "Poison", "Saved")
    await stored(log, *(event(f"m-{name}", name=name) for name in names))
    return Follower(log, "t", "people", handled)


async def test_one_that_fails_is_passed_over_and_told() -> None:
    handled = Handled(frozenset({"Poison"}), KeyError("jane@example.com"))
    follower = await followed(handled)
    with capture_logs() as said:
        assert await follower.step() == 3
    assert handled.names == ["Opened", "Saved"]
    assert await follower.step() == 0
    (told,) = [line for line in said if line["event"] == "events.passed_over"]
    assert (told["group"], told["number"]) == ("people", 2)


async def test_while_the_database_is_away_nothing_is_passed_over() -> None:
    handled = Handled(frozenset({"Poison"}), StoreUnavailableError("gone"))
    follower = await followed(handled)
    with pytest.raises(StoreUnavailableError):
        await follower.step()
    handled.poison = frozenset()
    assert await follower.step() == 3
    assert handled.names == ["Opened", "Poison", "Saved"]
