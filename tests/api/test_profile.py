"""A person's own profile over HTTP, and staff's reading of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api import errors, profile
from guardrails.consent import Purpose
from onboarding.store.profile.desk import ProfileDesk
from onboarding.store.profile.graph_memory import MemoryGraph
from onboarding.store.profile.memory import MemoryProfiles
from onboarding.types import Person
from tests.agent.acting_floor import TENANT
from tests.api.privacy import Kept, kept
from tests.onboarding.profile.test_desk import HISTORY, House, built


@dataclass
class Site:
    """`kept` is the application, `house` what stands behind its profiles."""

    kept: Kept
    house: House

    async def call(
        self, method: str, path: str, who: str = "ana", body: Any = None
    ) -> httpx.Response:
        return await self.kept.call(method, path, who, body)

    async def facts(self) -> dict[str, dict[str, Any]]:
        answer = await self.call("GET", "/v1/me/profile")
        assert answer.is_success, answer.text
        return {line["name"]: line for line in answer.json()["facts"]}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with kept(tmp_path) as opened:
        house = built(MemoryProfiles(), MemoryGraph())
        async with served(opened, house.desk):
            await house.says(True)
            await house.desk.learn(Person(TENANT, "ana", "acme"), HISTORY)
            yield Site(opened, house)


@asynccontextmanager
async def served(opened: Kept, desk: ProfileDesk | None) -> AsyncIterator[None]:
    """The router over this desk, in the place of the whole application."""
    app = FastAPI()
    app.state.context = opened.app.state.context
    app.include_router(profile.router(app.state.context, desk))
    errors.install(app)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened.http:
        yield


async def test_all_that_is_known_in_plain_words(site: Site) -> None:
    answer = await site.call("GET", "/v1/me/profile")
    body = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    assert (body["personalised"], body["notInferred"], body["trusted"]) == (True, [], True)
    facts = {line["name"]: line for line in body["facts"]}
    role = facts["role"]
    assert role["says"] == "You work as an administrator."
    assert (role["source"], role["used"], role["value"]) == ("inferred", True, "admin")
    assert "rights you used" in role["why"]
    assert 0.6 <= role["confidence"] <= 1
    assert set(role["evidence"]) <= {each.message_id for each in HISTORY.recent}
    assert {"value": "developer", "label": "a developer"} in role["choices"]
    assert facts["belief.own_data"]["expects"].startswith("You will bring your own data")
    assert any(line["says"] == "We are not sure yet." for line in facts.values())


async def test_in_german(site: Site) -> None:
    facts = (await site.call("GET", "/v1/me/profile?locale=de-CH")).json()["facts"]
    assert facts[0]["says"] == "Sie arbeiten als Administrator."
    assert (await site.call("GET", "/v1/me/profile?locale=x")).status_code == 422


async def test_a_correction_counts_at_once(site: Site) -> None:
    answer = await site.call("PUT", "/v1/me/profile/role", body={"value": "developer"})
    role = answer.json()["facts"][0]
    assert (role["value"], role["source"], role["confidence"]) == ("developer", "declared", 1.0)
    assert await site.house.role() == "developer"
    assert (await site.facts())["role"] == role


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("role", {"value": "king"}, 422, "invalid_input"),
        ("role", {"value": "Head of Sales"}, 422, "invalid_input"),
        ("role", {"value": "admin", "confidence": 2}, 422, "invalid_input"),
        ("role", {}, 422, "invalid_input"),
        ("mood", {"value": "good"}, 404, "no_such_fact"),
        ("~off", {"value": "yes"}, 422, "invalid_input"),
        ("role/inference", {"allowed": "perhaps"}, 422, "invalid_input"),
        ("mood/inference", {"allowed": False}, 404, "no_such_fact"),
    ],
)
async def test_what_does_not_fit_is_refused(
    site: Site, path: str, body: Any, status: int, code: str
) -> None:
    before = await site.facts()
    answer = await site.call("PUT", f"/v1/me/profile/{path}", body=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert await site.facts() == before


async def test_deleted_and_not_inferred_again(site: Site) -> None:
    left = (await site.call("DELETE", "/v1/me/profile/role")).json()["facts"]
    assert "role" not in {line["name"] for line in left}
    assert (await site.call("DELETE", "/v1/me/profile/mood")).status_code == 404
    body = {"allowed": False}
    quiet = await site.call("PUT", "/v1/me/profile/industry/inference", body=body)
    assert quiet.json()["notInferred"] == ["industry"]
    await site.house.desk.learn(Person(TENANT, "ana", "acme"), HISTORY)
    assert not {"role", "industry"} & set(await site.facts())


async def test_personalisation_off_and_on(site: Site) -> None:
    off = (await site.call("PUT", "/v1/me/personalisation", body={"on": False})).json()
    assert off["personalised"] is False
    assert not any(line["used"] for line in off["facts"])
    assert await site.house.role() == "unknown"
    on = (await site.call("PUT", "/v1/me/personalisation", body={"on": True})).json()
    assert on["personalised"] is True
    assert await site.house.role() == "admin"


async def test_a_question_and_its_answer(site: Site) -> None:
    await site.call("DELETE", "/v1/me/profile/role")
    question = (await site.call("GET", "/v1/me/questions?session=s1")).json()["question"]
    assert (question["id"], question["offered"]) == ("role", None)
    assert question["why"].startswith("Setting up")
    assert len(question["choices"]) == 4
    again = (await site.call("GET", "/v1/me/questions?session=s1")).json()["question"]
    assert again == question
    reply = {"session": "s1", "value": "developer"}
    wrong = await site.call("POST", "/v1/me/questions/role", body={**reply, "value": "king"})
    assert wrong.status_code == 422
    assert (await site.call("POST", "/v1/me/questions/role", body=reply)).status_code == 204
    assert (await site.facts())["role"]["value"] == "developer"
    twice = await site.call("POST", "/v1/me/questions/role", body=reply)
    assert (twice.status_code, twice.json()["code"]) == (409, "not_asked")
    assert (await site.call("GET", "/v1/me/questions?session=s1")).json() == {"question": None}


async def test_a_question_is_skipped(site: Site) -> None:
    await site.call("DELETE", "/v1/me/profile/role")
    await site.call("GET", "/v1/me/questions?session=s1")
    skip = await site.call("POST", "/v1/me/questions/role", body={"session": "s1"})
    assert skip.status_code == 204
    assert "role" not in await site.facts()
    assert (await site.call("GET", "/v1/me/questions?session=s2")).json() == {"question": None}
    assert (await site.call("GET", "/v1/me/questions")).status_code == 422


async def test_without_consent_there_is_nothing(site: Site) -> None:
    await site.house.says(False)
    site.house.clock.wait(60)
    assert await site.facts() == {}


async def test_people_see_their_own_alone(site: Site) -> None:
    assert (await site.call("GET", "/v1/me/profile", "bo")).json()["facts"] == []
    await site.call("PUT", "/v1/me/profile/role", "bo", {"value": "executive"})
    assert (await site.facts())["role"]["value"] == "admin"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/me/profile", None),
        ("PUT", "/v1/me/profile/role", {"value": "admin"}),
        ("DELETE", "/v1/me/profile/role", None),
        ("PUT", "/v1/me/profile/role/inference", {"allowed": True}),
        ("PUT", "/v1/me/personalisation", {"on": True}),
        ("GET", "/v1/me/questions?session=s1", None),
        ("POST", "/v1/me/questions/role", {"session": "s1"}),
        ("GET", "/v1/subjects/ana/profile", None),
    ],
)
async def test_nobody_has_no_profile(site: Site, method: str, path: str, body: Any) -> None:
    assert (await site.call(method, path, "", body)).status_code == 401


async def test_staff_read_leaves_a_row_before_anything_is_shown(site: Site) -> None:
    seen = await site.call("GET", "/v1/subjects/ana/profile", "sam")
    assert seen.json()["facts"] == list((await site.facts()).values())
    assert await site.kept.rows() == [("sam", "read_subject", "ana")]
    site.kept.audit.away = True
    refused = await site.call("GET", "/v1/subjects/ana/profile", "sam")
    assert (refused.status_code, "facts" in refused.json()) == (503, False)


async def test_who_is_no_staff_finds_nothing(site: Site) -> None:
    assert (await site.call("GET", "/v1/subjects/ana/profile", "bo")).status_code == 404
    assert (await site.call("GET", "/v1/subjects/ana/profile")).status_code == 404
    assert await site.kept.rows() == []


async def test_without_a_desk_nobody_has_a_profile(tmp_path: Path) -> None:
    async with kept(tmp_path) as opened, served(opened, None):
        for path in ("/v1/me/profile", "/v1/me/questions?session=s"):
            answer = await opened.call("GET", path)
            assert (answer.status_code, answer.json()["code"]) == (404, "profiles_off")
        staff = await opened.call("GET", "/v1/subjects/ana/profile", "sam")
        assert staff.json()["code"] == "profiles_off"
        assert await opened.rows() == []


async def test_marketing_alone_opens_no_profile(site: Site) -> None:
    await site.house.says(False)
    await site.house.says(True, Purpose.MARKETING)
    site.house.clock.wait(60)
    await site.house.desk.learn(Person(TENANT, "ana", "acme"), HISTORY)
    assert await site.facts() == {}
