"""A person's consents and legal holds over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.privacy import Kept, kept

YES = {"purpose": "training", "given": True}
NO = {"purpose": "training", "given": False}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Kept]:
    async with kept(tmp_path) as opened:
        yield opened


def said(*answers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"textVersion": "consent-3", "said": list(answers), **more}


def allowed(body: dict[str, Any]) -> dict[str, bool]:
    return {each["purpose"]: each["allowed"] for each in body["allowed"]}


async def told(house: Kept, *answers: dict[str, Any]) -> dict[str, Any]:
    """What Ana says, and what comes back."""
    answer = await house.call("PUT", "/v1/me/consents", body=said(*answers))
    assert answer.is_success, answer.text
    return dict(answer.json())


async def test_before_anybody_is_asked(house: Kept) -> None:
    body = (await house.call("GET", "/v1/me/consents")).json()
    assert allowed(body) == {
        "support": True,
        "product_analytics": False,
        "training": False,
        "marketing": False,
    }
    assert (body["trail"], body["more"]) == ([], False)


async def test_what_is_said_is_in_effect_and_in_the_trail(house: Kept) -> None:
    field = {"purpose": "marketing", "given": True, "field": "plan"}
    body = (await house.call("PUT", "/v1/me/consents", body=said(YES, field))).json()
    assert allowed(body)["training"]
    (marketing,) = [each for each in body["allowed"] if each["purpose"] == "marketing"]
    assert (marketing["allowed"], marketing["fields"]) == (False, {"plan": True})
    assert [(line["number"], line["field"]) for line in body["trail"]] == [(2, "plan"), (1, None)]
    assert body["trail"][1] == {
        "number": 1,
        "purpose": "training",
        "field": None,
        "given": True,
        "textVersion": "consent-3",
        "channel": "preferences",
        "at": house.clock().isoformat().replace("+00:00", "Z"),
        "recordedBy": "ana",
    }
    assert (await house.call("GET", "/v1/me/consents")).json() == body
    assert not allowed((await house.call("GET", "/v1/me/consents", "bo")).json())["training"]


async def test_the_same_sent_twice_is_one_row(house: Kept) -> None:
    assert len((await told(house, YES))["trail"]) == len((await told(house, YES))["trail"]) == 1
    newer = said(YES, textVersion="consent-4")
    assert len((await house.call("PUT", "/v1/me/consents", body=newer)).json()["trail"]) == 2


async def test_a_purpose_said_again_takes_back_a_field_given_since(house: Kept) -> None:
    field = {**YES, "field": "plan"}
    await told(house, NO)
    await told(house, field)
    body = await told(house, NO)
    (training,) = [each for each in body["allowed"] if each["purpose"] == "training"]
    assert (training["allowed"], training["fields"]) == (False, {"plan": False})
    assert len(body["trail"]) == 3


async def test_the_newest_fifty_come_along(house: Kept) -> None:
    await told(house, *[YES, NO] * 15)
    body = await told(house, *[YES, NO] * 15)
    assert (len(body["trail"]), body["more"]) == (50, True)
    assert [line["number"] for line in body["trail"]] == list(range(60, 10, -1))


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_nobody_has_no_consents(house: Kept, method: str) -> None:
    answer = await house.call(method, "/v1/me/consents", "", said(YES))
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        said(),
        said({"purpose": "spying", "given": True}),
        said({**YES, "field": "ana@acme.io"}),
        said(YES, textVersion="I agree to everything"),
        said(YES, channel="staff"),
        said(YES, recordedBy="eve"),
        said(*[YES] * 51),
    ],
)
async def test_what_does_not_fit_is_refused(house: Kept, body: Any) -> None:
    assert (await house.call("PUT", "/v1/me/consents", body=body)).status_code == 422
    assert await house.consents.trail("t", "ana") == ()


async def test_staff_read_and_write_down_what_they_were_told(house: Kept) -> None:
    told = await house.call("PUT", "/v1/subjects/ana/consents", "sam", said(YES))
    assert told.json()["trail"][0]["recordedBy"] == "sam"
    assert told.json()["trail"][0]["channel"] == "staff"
    shown = await house.call("GET", "/v1/subjects/ana/consents", "sam")
    assert allowed(shown.json())["training"]
    assert await house.rows() == [
        ("sam", "consent_by_staff", "ana"),
        ("sam", "read_consents", "ana"),
    ]
    assert (await house.call("GET", "/v1/subjects/ana/consents", "bo")).status_code == 404


async def test_the_trail_is_exported_and_forgotten(house: Kept) -> None:
    await house.call("PUT", "/v1/me/consents", body=said(YES))
    copy = (await house.call("GET", "/v1/me/export")).text
    assert '"store": "consent_trail", "number": 1' in copy
    erased = (await house.call("DELETE", "/v1/me")).json()["manifest"]["stores"]
    assert {"store": "consent_trail", "items": 1} in erased
    assert await house.consents.trail("t", "ana") == ()
    assert [each.entries for each in await house.consents.erasures("t", "ana")] == [1]
    body = (await house.call("GET", "/v1/me/consents")).json()
    assert not allowed(body)["training"]


async def test_who_is_held_is_not_erased(house: Kept) -> None:
    await house.call("PUT", "/v1/me/consents", body=said(YES))
    placed = await house.call("PUT", "/v1/subjects/ana/hold", "sam", {"reason": "case-7"})
    assert placed.json()["placedBy"] == "sam"
    for who, path in (("ana", "/v1/me"), ("sam", "/v1/subjects/ana")):
        refused = await house.call("DELETE", path, who)
        assert (refused.status_code, refused.json()["code"]) == (409, "legal_hold")
    assert len(await house.consents.trail("t", "ana")) == 1
    holds = (await house.call("GET", "/v1/holds", "sam")).json()["holds"]
    assert [(hold["subject"], hold["reason"]) for hold in holds] == [("ana", "case-7")]
    assert (await house.call("DELETE", "/v1/subjects/ana/hold", "sam")).status_code == 204
    assert (await house.call("DELETE", "/v1/subjects/ana/hold", "sam")).status_code == 404
    assert (await house.call("DELETE", "/v1/me")).is_success
    assert await house.consents.trail("t", "ana") == ()


@pytest.mark.parametrize("who", ["ana", "bo"])
async def test_holds_are_for_staff(house: Kept, who: str) -> None:
    for method, path in (("GET", "/v1/holds"), ("PUT", "/v1/subjects/ana/hold")):
        answer = await house.call(method, path, who, {"reason": "x"})
        assert answer.status_code == 404


@pytest.mark.parametrize("subject", ["Ana Lopez", "a%0Ab", "%F0%9F%98%80", "a" * 200])
async def test_a_reference_of_any_form_gives_an_answer(house: Kept, subject: str) -> None:
    for method, path in (
        ("GET", f"/v1/subjects/{subject}/export"),
        ("GET", f"/v1/subjects/{subject}/consents"),
        ("PUT", f"/v1/subjects/{subject}/consents"),
        ("PUT", f"/v1/subjects/{subject}/hold"),
        ("DELETE", f"/v1/subjects/{subject}/hold"),
    ):
        body = {"reason": "x"} if path.endswith("hold") else said(YES)
        answer = await house.call(method, path, "sam", body)
        assert answer.status_code in {200, 204, 404, 422}, (method, path, answer.text)
