"""The card that invites: the role and the people that Harbor and the graph name, with why."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import JsonValue

from agent.guiding import NextStep, wire_cards
from embark.guidance import INVITE_ROLE, Guidance
from tests.onboarding.engine.doors import guidance_of
from tests.onboarding.engine.floor import EVERY_RIGHT, TENANT, Floor
from tools.types import Actor, Principal

ANA = Actor(Principal(TENANT, "ana", "acme"), EVERY_RIGHT)
OWN = "ana@northwind.example"
TOLD: dict[str, JsonValue] = {
    "list_members": {"items": [{"email": OWN}]},
    "list_invites": {"items": [{"email": "ben@northwind.example"}]},
    "list_dashboards": {
        "items": [
            {"digest": None},
            {"digest": {"recipients": [OWN, "ben@northwind.example", "Cleo@northwind.example",
                                       "auditor@elsewhere.example"]}},
        ]
    },
}  # fmt: skip


def guidance(floor: Floor, **more: JsonValue) -> Guidance:
    told = TOLD | more

    async def read(_actor: Actor, tool: str) -> JsonValue:
        return told.get(tool)

    return guidance_of(floor, read)


@pytest.fixture
async def floor() -> Floor:
    """Ana has data and a dashboard."""
    floor = await Floor.open()
    await floor.agrees("ana")
    await floor.identifies("ana", role="owner", plan="team", email_domain="northwind.example")
    await floor.tells("ana", "Signed Up", plan="team")
    await floor.tells("ana", "Import Finished", mode="full", rows=100, state="succeeded")
    await floor.tells("ana", "Dashboard Created")
    return floor


async def card(guide: Guidance, locale: str = "en", action: str = "invite_team") -> NextStep:
    standing = await guide.standing(ANA, locale)
    assert standing is not None
    (found,) = [each for each in standing.cards if each.action == action]
    return found


async def test_after_first_value_the_role_that_is_missing_and_who_gets_the_figures(
    floor: Floor,
) -> None:
    found = await card(guidance(floor))
    assert found.arguments == {"role": "editor"}
    assert found.personal == {"emails": ["cleo@northwind.example"]}
    assert found.why.startswith("There is data and a first dashboard, and nobody")
    assert (await card(guidance(floor), "de")).why.startswith("Daten und ein erstes Dashboard")


async def test_the_reason_leads_to_the_events_behind_it(floor: Floor) -> None:
    found = await card(guidance(floor))
    shown = {
        edge.dst
        for id in found.evidence
        for edge in await floor.stores.graph.shown_by(TENANT, id)
        if edge.rel == "finished"
    }
    assert shown == {"step:import", "step:dashboard"}


async def test_nobody_is_named_in_what_is_kept(floor: Floor) -> None:
    """The public state and the messages of a conversation are kept; the card is not."""
    standing = await guidance(floor).standing(ANA, "en")
    assert standing is not None
    assert "northwind" in repr(standing.cards[0].personal) + repr(
        [each.personal for each in standing.cards]
    )
    assert "northwind" not in repr(wire_cards(standing))
    assert "northwind" not in repr(standing), "nor in a log that quotes it"
    decision = await floor.stores.steps.latest(TENANT, "ana")
    assert "northwind" not in repr(decision)


@pytest.mark.parametrize("away", ["list_members", "list_invites"])
async def test_without_knowing_who_is_there_nobody_is_named(floor: Floor, away: str) -> None:
    found = await card(guidance(floor, **{away: None}))
    assert found.personal == {}
    assert found.arguments["role"] in {"editor", "viewer"}


async def test_before_there_is_something_to_see_nothing_is_preselected() -> None:
    floor = await Floor.open()
    await floor.agrees("ana")
    await floor.identifies("ana", role="owner", plan="team")
    found = await card(guidance(floor))
    assert (found.arguments, found.personal, found.evidence) == ({}, {}, ())


async def test_a_colleague_who_was_stopped_needs_an_admin(floor: Floor) -> None:
    await floor.agrees("ben")
    await floor.identifies("ben", role="editor", plan="team")
    await floor.tells("ben", "Permission Denied", operation="create_connection")
    two: Any = {"items": [{"email": OWN}, {"email": "ben@northwind.example"}]}
    guide = guidance(floor, list_members=two)
    found = await card(guide, action="invite_admin")
    assert found.arguments == {"role": "admin"}
    assert len(found.evidence) == 1, "the refusal"
    facts = (await guide.situation(ANA)).facts
    assert facts[INVITE_ROLE].value == "admin"
    assert "stopped for want of rights" in facts[INVITE_ROLE].source
    await floor.identifies("ben", role="admin", plan="team")
    assert INVITE_ROLE in (await guide.situation(ANA)).facts
    assert (await guide.situation(ANA)).facts[INVITE_ROLE].value != "admin", "he is one now"


async def test_what_a_colleague_does_not_allow_is_not_used(floor: Floor) -> None:
    await floor.identifies("ben", role="editor", plan="team")
    await floor.tells("ben", "Permission Denied", operation="create_connection")
    two: Any = {"items": [{"email": OWN}, {"email": "ben@northwind.example"}]}
    guide = guidance(floor, list_members=two)
    await guide.standing(ANA, "en")
    role = (await guide.situation(ANA)).facts[INVITE_ROLE]
    assert role.value == "viewer", "who knows what Ben may do"
    assert await floor.stores.graph.of(TENANT, "ben") == ()
