"""A person's beliefs in the application over Harbor's folder: what is thought of them, from which
events, how well it predicts, and what they say to it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.test_questions import House, house

__all__ = ["house"]
OWN = "belief.own_data"
FULL = {"mode": "full", "source": "connection"}


async def profile(house: House) -> dict[str, Any]:
    answer = await house.call("GET", "/v1/me/profile")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def line(body: dict[str, Any], name: str = OWN) -> dict[str, Any] | None:
    return next((each for each in body["facts"] if each["name"] == name), None)


async def brings_own_data(house: House, times: int) -> None:
    for _ in range(times):
        house.floor.later(minutes=1)
        await house.floor.tells("ana", "Connection Created", connector="stripe")


async def test_a_belief_with_its_events_version_and_prediction(house: House) -> None:
    await brings_own_data(house, 3)
    body = await profile(house)
    belief = line(body)
    assert belief is not None
    assert belief["says"] == "You work with your own data from the start."
    assert belief["expects"] == "Your next import will be of all data, not a sample."
    assert belief["source"] == "inferred"
    assert belief["madeBy"].startswith("beliefs#")
    assert [each["event"] for each in belief["origins"]] == ["Connection Created"] * 3
    times = [each["at"] for each in belief["origins"]]
    assert times == sorted(times)
    assert belief["expires"] is not None
    assert body["alignment"] is None, "three predictions are too few"


async def test_it_is_tested_by_every_next_occasion(house: House) -> None:
    await brings_own_data(house, 7)
    aligned = (await profile(house))["alignment"]
    assert 0 < aligned <= 1
    for _ in range(7):
        house.floor.later(minutes=1)
        await house.floor.tells("ana", "Import Started", mode="sample")
    contrary = await profile(house)
    assert contrary["alignment"] < aligned
    held = line(contrary)
    assert held is None or held["value"] == "sample"


async def test_corrected_it_is_theirs_whatever_they_do_next(house: House) -> None:
    await brings_own_data(house, 3)
    answer = await house.call("PUT", f"/v1/me/profile/{OWN}", {"value": "sample"})
    belief = line(answer.json())
    assert belief is not None
    assert (belief["value"], belief["source"], belief["madeBy"]) == (
        "sample",
        "declared",
        "profile",
    )
    await brings_own_data(house, 5)
    again = line(await profile(house))
    assert again is not None
    assert (again["value"], again["source"]) == ("sample", "declared")


async def test_not_inferred_and_deleted(house: House) -> None:
    await brings_own_data(house, 4)
    await house.call("PUT", f"/v1/me/profile/{OWN}/inference", {"allowed": False})
    await brings_own_data(house, 2)
    body = await profile(house)
    assert line(body) is None
    assert body["notInferred"] == [OWN]
    await house.call("PUT", f"/v1/me/profile/{OWN}/inference", {"allowed": True})
    await brings_own_data(house, 1)
    assert line(await profile(house)) is not None
    assert (await house.call("DELETE", f"/v1/me/profile/{OWN}")).status_code == 200
    assert line(await profile(house)) is None


async def test_switched_off_nothing_is_used_or_asked(house: House) -> None:
    await brings_own_data(house, 4)
    await house.call("PUT", "/v1/me/personalisation", {"on": False})
    body = await profile(house)
    assert body["personalised"] is False
    belief = line(body)
    assert belief is not None
    assert belief["used"] is False
    steps = await house.steps()
    assert (steps["guided"], steps["question"]) == (False, None)


async def test_every_fact_says_where_it_is_from(house: House) -> None:
    await house.floor.identifies("ana", role="owner", plan="team", email_domain="gmail.com")
    await house.call("PUT", "/v1/me/profile/industry", {"value": "fintech"})
    body = await profile(house)
    role, industry = line(body, "role"), line(body, "industry")
    assert role is not None
    assert industry is not None
    assert role["madeBy"].startswith("model/role#")
    assert [each["event"] for each in role["origins"]] == ["identify"]
    assert role["origins"][0]["at"] is not None
    assert (industry["madeBy"], industry["origins"]) == ("profile", [])


@pytest.mark.parametrize("allowed", [False, True])
async def test_whether_a_question_may_be_asked_is_theirs_to_say(
    house: House, allowed: bool
) -> None:
    question = (await house.steps())["question"]
    await house.replies(question, never=True)
    assert (await profile(house))["notAsked"] == ["role"]
    path = "/v1/me/profile/role/question"
    answer = await house.call("PUT", path, {"allowed": allowed})
    assert answer.json()["notAsked"] == ([] if allowed else ["role"])
    house.floor.later(days=91)
    again = (await house.steps())["question"]
    assert (again is not None and again["id"] == "role") is allowed
