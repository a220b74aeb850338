"""What the log of events holds of a person, read beside the running servers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import create_engine

from onboarding.interventions import Reason
from onboarding.store.events.log import SqlEventLog
from onboarding.store.interventions.sql import SqlDeliveries
from onboarding.store.interventions.store import Wanted
from onboarding.types import Event, Person
from tests.e2e.onboarding.people import Someone

TENANT = "harbor"


async def events_of(person: Someone) -> list[Event]:
    """All that is kept of them and their account, in the order in which it happened."""
    file = person.running.stage.data / "onboarding.sqlite"
    engine = create_engine(f"sqlite:///{file}")
    try:
        log = SqlEventLog(engine, lambda tenant, subject: f"{tenant}/{subject}")
        who = Person(TENANT, person.id, person.workspace)
        history = await log.history(who, datetime.now(UTC))
    finally:
        engine.dispose()
    return sorted(history.recent, key=lambda event: event.occurred_at)


async def arrived(person: Someone, name: str) -> datetime:
    """When the newest event of this name was received."""
    found = [event for event in await events_of(person) if event.name == name]
    assert found, f"no {name} in the log"
    return max(event.received_at for event in found)


async def withheld(person: Someone) -> bool:
    """Whether a message to them was drawn to be left out."""
    file = person.running.stage.data / "onboarding.sqlite"
    engine = create_engine(f"sqlite:///{file}")
    try:
        found = await SqlDeliveries(engine).deliveries(TENANT, Wanted(person.id))
    finally:
        engine.dispose()
    return any(each.reason is Reason.NULL for each in found)


async def time_to_value(person: Someone, *goal: str, every: bool = False) -> timedelta:
    """From when they signed up, as Harbor says, to the goal: the first of these events, or the
    last of them where all are needed."""
    events = await events_of(person)
    told = [e for e in events if e.name == "identify" and e.user == person.id]
    began = datetime.fromisoformat(str(told[-1].fields["createdAt"].value))
    firsts = {e.name: e.occurred_at for e in reversed(events) if e.name in goal}
    assert firsts, [event.name for event in events]
    assert not every or firsts.keys() == set(goal), firsts
    return (max if every else min)(firsts.values()) - began
