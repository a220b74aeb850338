"""The card of a starter kit says which kit it is for whoever it fits."""

from __future__ import annotations

import pytest

from embark.guidance import kit_arguments
from onboarding.types import Person
from tests.onboarding.engine.floor import TENANT, Floor

ANA = Person(TENANT, "ana", "acme")
FLOW = "apply_starter_kit"


@pytest.fixture
async def floor() -> Floor:
    opened = await Floor.open()
    await opened.agrees("ana")
    await opened.tells("ana", "Signed Up", plan="team")
    return opened


async def test_the_kit_of_industry_and_role_is_preselected(floor: Floor) -> None:
    for fact, value in (("industry", "fintech"), ("role", "admin")):
        await floor.engine.profiles.correct(ANA, fact, value)
    advice = await floor.advice()
    assert kit_arguments(advice, FLOW) == {"industry": "fintech", "persona": "admin"}
    assert kit_arguments(advice, "invite_team") == {}


async def test_of_whom_too_little_is_known_the_card_says_nothing(floor: Floor) -> None:
    assert kit_arguments(await floor.advice(), FLOW) == {}
