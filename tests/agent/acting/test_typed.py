"""The typed planner with the hashing encoder: the contract, and what only it does."""

from __future__ import annotations

import pytest
from typing_extensions import override

from agent.acting import Planner
from agent.acting.typed import TypedPlanner
from retrieval.memory import HashEncoder
from tests.agent.acting.tidemark import Talk
from tests.contracts.planner import PlannerContract, asks, ready


class TestTypedPlanner(PlannerContract):
    @override
    @pytest.fixture
    def planner(self) -> Planner:
        return TypedPlanner(HashEncoder(256))


@pytest.fixture
def planner() -> Planner:
    return TypedPlanner(HashEncoder(256))


async def test_each_address_has_the_role_said_of_it(planner: Planner) -> None:
    talk = Talk(planner)
    said = "add ana@firm.example as manager and bob@firm.example as guest to the organisation"
    plan = ready(await talk.say(said), "addPeople")
    assert await talk.values(plan) == {
        "people": [
            {"email": "ana@firm.example", "role": "manager"},
            {"email": "bob@firm.example", "role": "guest"},
        ]
    }


async def test_a_moment_is_read_in_the_users_zone(planner: Planner) -> None:
    talk = Talk(planner)
    plan = ready(await talk.say("set a reminder for tomorrow at 9:30"), "setReminder")
    assert await talk.values(plan) == {"at": "2026-03-12T09:30:00+00:00"}


async def test_a_number_beyond_its_limit_is_not_used(planner: Planner) -> None:
    talk = Talk(planner)
    said = "set a reminder for tomorrow at 9:30, repeat after 90 days"
    plan = ready(await talk.say(said), "setReminder")
    assert "every_days" not in await talk.values(plan)


async def test_a_new_order_takes_the_place_of_an_open_wish(planner: Planner) -> None:
    talk = Talk(planner)
    await talk.say("add nia@firm.example to the organisation")
    plan = ready(await talk.say("archive the board Launch"), "archiveBoard")
    assert await talk.values(plan) == {"boardId": "b1"}


async def test_asks_in_german_what_it_inferred(planner: Planner) -> None:
    talk = Talk(planner, locale="de")
    asked = asks(await talk.say("claim our company domain"), "claimDomain", None)
    assert asked.question.startswith("Ich würde")
    ready(await talk.say("Ja, stimmt."), "claimDomain")
