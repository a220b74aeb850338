"""A starter kit over HTTP and in a conversation: which fits, what it would make, edited, undone."""

from __future__ import annotations

import time
from uuid import uuid4

import pytest

from tests.e2e.onboarding.people import Body, Someone, signed_up, spoken
from tests.e2e.onboarding.stage import Running
from tests.e2e.onboarding.test_conversation import of, text_of

PATIENCE_S = 20.0


def of_fintech(product: Running) -> Someone:
    """An owner who said what they do."""
    owner = signed_up(product)
    for fact, value in (("industry", "fintech"), ("role", "admin")):
        owner.embark("PUT", f"/v1/me/profile/{fact}", json={"value": value}).raise_for_status()
    return owner


def names(owner: Someone, kind: str) -> set[str]:
    return {item["name"] for item in owner.product("GET", f"/v1/{kind}")["items"]}


def card(owner: Someone, **edits: object) -> Body:
    answer = owner.embark("POST", "/v1/me/kits/fintech-admin", json=edits)
    found: Body = answer.raise_for_status().json()
    return found


def approves(owner: Someone, card: Body) -> Body:
    """The action once it has ended."""
    word = {"decision": "approve", "digest": card["digest"]}
    path = f"/v1/approvals/{card['actionId']}/decision"
    owner.embark("POST", path, json=word).raise_for_status()
    ends = time.monotonic() + PATIENCE_S
    while True:
        found: Body = owner.embark("GET", f"/v1/actions/{card['actionId']}").json()
        if found["state"] in {"succeeded", "failed"}:
            return found
        assert time.monotonic() < ends, found
        time.sleep(0.05)


def test_the_kit_that_fits_is_edited_made_and_taken_back(product: Running) -> None:
    owner = of_fintech(product)
    found = owner.embark("GET", "/v1/me/kits").raise_for_status().json()
    assert [kit["name"] for kit in found["kits"] if kit["fits"]] == ["fintech-admin"]
    assert [(why["fact"], why["value"], why["source"]) for why in found["why"]] == [
        ("industry", "fintech", "declared"), ("role", "admin", "declared"),
    ]  # fmt: skip
    assert found["mayApply"]
    plan = owner.embark("GET", "/v1/me/kits/fintech-admin").raise_for_status().json()
    assert {value["key"]: value["default"] for value in plan["values"]}["users"] == 200
    assert {item["id"]: (item["there"], item["made"]) for item in plan["items"]} == {
        "overview": ("new", True),
        "operations": ("new", True),
        "weekly": ("new", False),
        "fall": ("new", True),
        "users": ("new", True),
    }
    before = (names(owner, "dashboards"), names(owner, "alerts"))
    edits = {"values": {"users": 7}, "names": {"fall": "Fewer"}, "leaveOut": ["operations"]}
    done = approves(owner, card(owner, **edits))
    assert done["state"] == "succeeded", done
    assert names(owner, "dashboards") - before[0] == {"Onboarding and KYC"}
    assert names(owner, "alerts") - before[1] == {"Fewer", "Weekly active customers"}
    plan = owner.embark("GET", "/v1/me/kits/fintech-admin").raise_for_status().json()
    there = {item["id"]: item["there"] for item in plan["items"]}
    assert (there["overview"], there["users"]) == ("same", "named")
    undo = owner.embark("POST", f"/v1/actions/{done['actionId']}/undo").raise_for_status().json()
    assert approves(owner, undo)["state"] == "succeeded"
    assert (names(owner, "dashboards"), names(owner, "alerts")) == before


@pytest.mark.parametrize(
    ("edits", "pointer"),
    [
        ({"values": {"users": 0}}, "/values/users"),
        ({"values": {"colour": "red"}}, "/values/colour"),
        ({"names": {"mine": "Ours"}}, "/names/mine"),
        ({"leaveOut": ["mine"]}, "/leaveOut"),
    ],
)
def test_what_does_not_fit_is_told_at_its_place(
    product: Running, edits: Body, pointer: str
) -> None:
    owner = signed_up(product)
    answer = owner.embark("POST", "/v1/me/kits/fintech-admin", json=edits)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_conversation_picks_by_profile_and_lets_edit_before_yes(product: Running) -> None:
    owner, thread = of_fintech(product), uuid4().hex
    asked = text_of(spoken(owner, thread, "apply a starter kit"))
    assert "fintech" in asked
    assert "admin" in asked
    (waits,) = of(spoken(owner, thread, "yes"), "RUN_FINISHED")
    (interrupt,) = waits["outcome"]["interrupts"]
    before = names(owner, "alerts")
    edited = {"approved": True, "editedArgs": {"users": 9, "leave_out": ["fall", "operations"]}}
    again = spoken(owner, thread, "", [word(interrupt, edited)])
    assert names(owner, "alerts") == before, "an edited card is a new one"
    (waits,) = of(again, "RUN_FINISHED")
    (interrupt,) = waits["outcome"]["interrupts"]
    spoken(owner, thread, "", [word(interrupt, {"approved": True})])
    ends = time.monotonic() + PATIENCE_S
    while names(owner, "alerts") == before:
        assert time.monotonic() < ends
        time.sleep(0.05)
    alerts = owner.product("GET", "/v1/alerts")["items"]
    assert {alert["name"]: alert["threshold"] for alert in alerts}["Weekly active customers"] == 9
    assert names(owner, "dashboards") == {"Onboarding and KYC"}


def test_another_kit_than_the_profile_says_can_be_asked_for(product: Running) -> None:
    owner, thread = of_fintech(product), uuid4().hex
    spoken(owner, thread, "apply the healthcare starter kit")
    (waits,) = of(spoken(owner, thread, "yes"), "RUN_FINISHED")
    assert waits["outcome"]["type"] == "interrupt"
    (waiting,) = owner.embark("GET", "/v1/approvals").raise_for_status().json()["approvals"]
    fields = {field["name"]: field["value"] for field in waiting["fields"]}
    assert fields["kit"] == "healthcare-admin@2"
    assert any("Patient portal use" in step for step in waiting["steps"])


def word(interrupt: Body, payload: Body) -> Body:
    return {"interruptId": interrupt["id"], "status": "resolved", "payload": payload}
