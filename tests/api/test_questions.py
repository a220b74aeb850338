"""A newcomer of whom nothing is known, in the application over Harbor's folder: asked once, and
guided another way after the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from agent.guiding import Standing
from api import Acts
from onboarding.profile.questions import QUESTION_ID
from onboarding.types import Person, Source
from retrieval.types import Scope
from tests.api.serving import app_of
from tests.api.twin import ScriptedAssistant
from tests.onboarding.engine.doors import guidance_of
from tests.onboarding.engine.floor import EVERY_RIGHT, TENANT, Floor
from tools.types import Actor, Principal

ANA = Person(TENANT, "ana", "acme")


def actor(subject: str) -> Actor:
    return Actor(Principal(TENANT, subject, "acme"), EVERY_RIGHT)


async def identify(token: str) -> Actor | None:
    return actor(token)


@dataclass
class House:
    floor: Floor
    http: httpx.AsyncClient

    async def call(self, method: str, path: str, body: Any = None, who: str = "ana") -> Any:
        headers = {"authorization": f"Bearer {who}"}
        return await self.http.request(method, path, json=body, headers=headers)

    async def steps(self, who: str = "ana") -> dict[str, Any]:
        answer = await self.call("GET", "/v1/me/next-steps", who=who)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def replies(self, question: dict[str, Any], **said: Any) -> int:
        body = {"session": question["session"], **said}
        answer = await self.call("POST", f"/v1/me/questions/{question['id']}", body)
        return int(answer.status_code)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """Ana has agreed, and done nothing yet."""
    floor = await Floor.open()
    await floor.agrees("ana")
    guide, profiles = guidance_of(floor), floor.engine.profiles
    acts = Acts(identify=identify, guide=guide, profiles=profiles)
    app = app_of(ScriptedAssistant(), acts=acts, viewer=Scope(TENANT))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        yield House(floor, http)


def actions(body: dict[str, Any]) -> list[str]:
    return [card["action"] for card in body["cards"]]


async def test_the_question_that_splits_the_branches_best_is_asked_and_its_answer_counts(
    house: House,
) -> None:
    before = await house.steps()
    assert before["journey"] == "first-steps@1"
    question = before["question"]
    assert (question["id"], question["fact"], question["offered"]) == ("role", "role", None)
    assert question["why"].startswith("Setting up, building and reading")
    assert {each["value"] for each in question["choices"]} == {
        *("admin", "end_user", "executive", "developer")
    }
    assert (await house.steps())["question"] == question, "the same one while it is open"
    assert await house.replies(question, value="developer") == 204
    after = await house.steps()
    assert after["journey"] == "developer-first-call@1"
    assert actions(after)[0] == "create_api_key"
    assert actions(after) != actions(before)
    assert {s["id"] for s in after["checklist"]} != {s["id"] for s in before["checklist"]}
    assert after["question"] is None, "one a session"


async def test_an_answer_is_declared_and_says_where_it_is_from(house: House) -> None:
    question = (await house.steps())["question"]
    await house.replies(question, value="developer")
    (fact,) = await house.floor.stores.profiles.facts(TENANT, "ana")
    assert (fact.name, fact.value, fact.source) == ("role", "developer", Source.DECLARED)
    assert fact.evidence == (f"{QUESTION_ID}role@{question['session']}",)


async def test_a_skipped_question_waits_and_the_next_visit_has_no_other(house: House) -> None:
    question = (await house.steps())["question"]
    assert await house.replies(question) == 204
    assert (await house.steps())["question"] is None
    house.floor.later(days=1)
    assert (await house.steps())["question"] is None, "no other answer changes anything"
    house.floor.later(days=90)
    again = (await house.steps())["question"]
    assert again["id"] == "role"
    assert again["session"] != question["session"]


async def test_never_is_for_good(house: House) -> None:
    question = (await house.steps())["question"]
    assert await house.replies(question, never=True, value="admin") == 422
    assert await house.replies(question, never=True) == 204
    for _ in range(3):
        house.floor.later(days=200)
        assert (await house.steps())["question"] is None
    assert await house.replies(question, never=True) == 409, "it is not open any more"


async def test_once_who_somebody_is_is_known_the_kit_is_worth_a_question(house: House) -> None:
    await house.call("PUT", "/v1/me/profile/role", {"value": "end_user"})
    question = (await house.steps())["question"]
    assert question["id"] == "industry"
    assert await house.replies(question, value="fintech") == 204
    house.floor.later(hours=2)
    assert (await house.steps())["question"] is None, "nothing else would change anything"


async def test_who_is_known_well_enough_is_not_asked(house: House) -> None:
    await house.floor.identifies("ana", role="owner", plan="team")
    for name, said in SAID.items():
        house.floor.later(minutes=1)
        await house.floor.tells("ana", name, **said)
    role = (await house.floor.engine.profiles.profile(ANA)).facts["role"]
    assert role.confidence > 0.9
    question = (await house.steps())["question"]
    assert question is None or question["id"] != "role"


SAID: dict[str, dict[str, str]] = {
    "Member Invited": {"role": "viewer"},
    "Member Role Changed": {"role": "viewer"},
    "Plan Changed": {"plan": "team"},
    "SSO Configured": {"kind": "saml"},
}


async def test_without_consent_nothing_is_asked(house: House) -> None:
    assert (await house.steps(who="bo"))["guided"] is False
    await house.floor.agrees("ana", given=False)
    house.floor.later(minutes=2)
    body = await house.steps()
    assert (body["guided"], body["question"]) == (False, None)


async def test_another_branch_of_the_same_actions_is_another_decision(house: House) -> None:
    """Who may do nothing but protect their account has one card on every journey."""
    guide, reader = guidance_of(house.floor), Actor(actor("ana").principal, frozenset())
    before = await guide.standing(reader, "en")
    await house.call("PUT", "/v1/me/profile/role", {"value": "executive"})
    after = await guide.standing(reader, "en")
    assert before is not None
    assert after is not None
    assert [c.action for c in before.cards] == [c.action for c in after.cards] == ["enable_mfa"]
    assert (before.journey, after.journey) == ("first-steps@1", "executive-value@1")
    assert before.cards[0].decision != after.cards[0].decision


async def test_the_host_s_rights_count(house: House) -> None:
    """Who may set nothing up is shown less, and an answer changes less of it."""
    guide = guidance_of(house.floor)
    standing = await guide.standing(Actor(actor("ana").principal, frozenset()), "de")
    assert isinstance(standing, Standing)
    assert [card.action for card in standing.cards] == ["enable_mfa"]
    assert standing.question is not None
    assert standing.question.asks == "Was beschreibt Ihre Arbeit am besten?"
