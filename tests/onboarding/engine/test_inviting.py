"""The play that brings a team in says whom to invite and why, once there is something to see."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from onboarding.interventions import Channel, Message
from onboarding.interventions.templating import Looks
from onboarding.store.interventions.store import Wanted
from onboarding.types import Person
from tests.onboarding.engine.floor import TENANT, Floor

ANA = Person(TENANT, "ana", "acme")
ALONE: dict[str, JsonValue] = {
    "list_members": {"items": [{"id": "m1"}]},
    "get_me": {"role": "owner"},
}


@pytest.fixture
async def floor() -> Floor:
    floor = await Floor.open()
    await floor.agrees("ana")
    await floor.identifies("ana", role="owner", plan="team")
    await floor.tells("ana", "Import Finished", mode="full", rows=100, state="succeeded")
    floor.engine.states.take(ANA, ALONE, floor.clock())
    return floor


async def suggestions(floor: Floor) -> list[Message]:
    found = await floor.deliveries.deliveries(TENANT, Wanted("ana", Channel.IN_APP))
    return [d.message for d in found if d.message.template == "invite-suggestion"]


async def test_the_message_names_the_role_and_why(floor: Floor) -> None:
    assert await suggestions(floor) == [], "nothing to look at yet"
    await floor.tells("ana", "Dashboard Created")
    (message,) = await suggestions(floor)
    assert message.journey == "team-activation@2"
    text = floor.engine.files.templates.fill(message.template, message.values, Looks("http://h"))
    assert text.body.startswith("There is data and a first dashboard, and nobody beside")
    await floor.engine.hearing.look(ANA)
    assert await suggestions(floor) == [message], "once"


async def test_who_has_invited_somebody_is_not_told_whom(floor: Floor) -> None:
    await floor.tells("ana", "Member Invited", role="editor")
    await floor.tells("ana", "Dashboard Created")
    assert await suggestions(floor) == []
