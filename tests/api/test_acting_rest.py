"""Approvals, actions and tools over REST: the same store, the same rules as in the conversation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent.acting_floor import Stage
from tests.api.acting import Client, acting, interrupts
from tests.api.serving import app_of, serving
from tests.api.twin import ScriptedAssistant
from tests.tools.acting.floor import Floor, of_class
from tools.types import Arguments, EffectClass, Tier


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with acting(Stage(), tmp_path / "keys") as given:
        yield given


async def pending(client: Client, arguments: Arguments | None = None, key: str = "k1") -> Any:
    """A card of Ana's that no conversation knows of."""
    action = await client.stage.floor.pending(arguments, key)
    response = await client.get(f"/v1/approvals/{action.id}")
    assert response.status_code == 200, response.text
    assert response.headers["etag"] == f'"{action.digest}"'
    return response.json()


def word(card: Any, decision: str = "approve", **more: Any) -> dict[str, Any]:
    return {"digest": card["digest"], "decision": decision, **more}


async def decide(client: Client, card: Any, who: str = "ana", **more: Any) -> Any:
    path = f"/v1/approvals/{card['actionId']}/decision"
    return await client.post(path, word(card, **more), who)


async def test_a_card_is_listed_read_and_approved(client: Client) -> None:
    card = await pending(client)
    assert (await client.get("/v1/approvals")).json()["approvals"] == [card]
    assert (card["waitsFor"], card["approver"], card["status"]) == ("you", "end_user", "pending")
    assert card["args"] == {"name": "n", "value": "new"}
    assert "key" not in card["schema"]["properties"]
    decided = (await decide(client, card)).json()
    assert decided["status"] == "succeeded"
    assert client.stage.floor.shop.items == {"n": "new"}
    assert (await client.get("/v1/approvals")).json() == {"approvals": []}


async def test_the_same_word_twice_is_taken_once(client: Client) -> None:
    card = await pending(client)
    first, second = await decide(client, card), await decide(client, card)
    assert (first.status_code, second.status_code) == (200, 200)
    assert second.json()["status"] == "succeeded"
    other = await pending(client, {"name": "m"}, "k2")
    for _ in range(2):
        denied = await decide(client, other, decision="deny", reason="not now")
        assert denied.json()["status"] == "denied"
    assert (await decide(client, other)).json()["code"] == "not_pending"
    assert len(client.stage.floor.shop.ledger) == 1


async def test_sixty_four_words_at_once_are_one(client: Client) -> None:
    card = await pending(client)
    answers = await asyncio.gather(*(decide(client, card) for _ in range(64)))
    assert all(answer.status_code in {200, 409} for answer in answers)
    assert len(client.stage.floor.shop.ledger) == 1


async def test_a_word_names_the_card_that_was_seen(client: Client) -> None:
    card = await pending(client)
    wrong = {**card, "digest": card["digest"][:-1] + ("A" if card["digest"][-1] != "A" else "B")}
    refused = await decide(client, wrong)
    assert (refused.status_code, refused.json()["code"]) == (409, "digest_mismatch")
    path = f"/v1/approvals/{card['actionId']}/decision"
    other = await client.post(path, word(card), if_match='"another"')
    assert (other.status_code, other.json()["code"]) == (412, "approval_invalid")
    right = await client.post(path, word(card), if_match=f'"{card["digest"]}"')
    assert right.json()["status"] == "succeeded"


async def test_edited_arguments_are_a_new_card(client: Client) -> None:
    card = await pending(client)
    edited = (await decide(client, card, editedArgs={"value": "other"})).json()
    assert (edited["status"], edited["replaces"]) == ("pending", card["actionId"])
    assert edited["actionId"] != card["actionId"]
    assert client.stage.floor.shop.items == {}
    wrong = await decide(client, edited, editedArgs={"value": 7})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_input")
    assert wrong.json()["errors"][0]["pointer"] == "/editedArgs/value"
    await decide(client, edited)
    assert client.stage.floor.shop.items == {"n": "other"}


@pytest.mark.parametrize(
    ("who", "status", "code"),
    [("eve", 404, "no_such_action"), ("bo", 404, "no_such_action"), ("", 401, "sign_in_required")],
)
async def test_a_card_is_not_for_everybody(
    client: Client, who: str, status: int, code: str
) -> None:
    card = await pending(client)
    for response in (
        await client.get(f"/v1/approvals/{card['actionId']}", who),
        await client.get(f"/v1/actions/{card['actionId']}", who),
        await decide(client, card, who),
        await client.post(f"/v1/actions/{card['actionId']}/cancel", None, who),
        await client.post(f"/v1/actions/{card['actionId']}/undo", None, who),
    ):
        assert (response.status_code, response.json()["code"]) == (status, code)
    assert client.stage.floor.shop.items == {}


async def test_two_people_with_the_right_are_needed(tmp_path: Path) -> None:
    stage = Stage(floor=Floor(told=of_class(EffectClass.KEYED, Tier.R4)))
    async with acting(stage, tmp_path / "keys") as client:
        card = await pending(client)
        first = (await decide(client, card)).json()
        assert (first["status"], first["waitsFor"]) == ("pending", "other")
        for_bo = (await client.get("/v1/approvals", "bo")).json()["approvals"]
        assert [(c["waitsFor"], c["requestedBy"]) for c in for_bo] == [("you", "ana")]
        assert (await decide(client, card, "bo")).json()["status"] == "succeeded"


async def test_a_fresh_sign_in_is_asked_for_as_the_standard_has_it(tmp_path: Path) -> None:
    stage = Stage(floor=Floor(told=of_class(EffectClass.KEYED, Tier.R3)))
    async with acting(stage, tmp_path / "keys") as client:
        card = await pending(client)
        stale = await decide(client, card, "old")
        assert (stale.status_code, stale.json()["code"]) == (401, "stale_sign_in")
        assert "insufficient_user_authentication" in stale.headers["www-authenticate"]
        stage.floor.clock.pass_s(301)
        assert (await decide(client, card)).status_code in {401, 410}
        assert stage.floor.shop.items == {}


async def test_an_expired_and_a_void_card(client: Client) -> None:
    client.stage.floor.shop.write("", "n", "old")
    card = await pending(client)
    client.stage.floor.shop.write("", "n", "newer")
    void = await decide(client, card)
    assert (void.status_code, void.json()["code"]) == (409, "target_changed")
    shown = (await client.get(f"/v1/approvals/{card['actionId']}")).json()
    assert shown["status"] == "void"
    late = await pending(client, {"name": "m"}, "k2")
    client.stage.floor.clock.pass_s(16 * 60)
    gone = await decide(client, late)
    assert (gone.status_code, gone.json()["code"]) == (410, "approval_expired")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"decision": "approve"}, "/digest"),
        ({"digest": "x", "decision": "maybe"}, "/decision"),
        ({"digest": "x", "decision": "approve", "surprise": 1}, "/surprise"),
    ],
)
async def test_a_decision_that_does_not_fit(client: Client, body: Any, pointer: str) -> None:
    card = await pending(client)
    response = await client.post(f"/v1/approvals/{card['actionId']}/decision", body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == pointer


# --- actions -------------------------------------------------------------------------------------


async def test_what_was_done_is_listed_in_pages_newest_first(client: Client) -> None:
    done = [await client.stage.floor.done({"name": f"n{i}"}, f"k{i}") for i in range(3)]
    first = (await client.get("/v1/actions?limit=2")).json()
    assert [a["actionId"] for a in first["actions"]] == [done[2].id, done[1].id]
    rest = (await client.get(f"/v1/actions?limit=2&after={first['next']}")).json()
    assert [a["actionId"] for a in rest["actions"]] == [done[0].id]
    assert rest["next"] is None
    assert (await client.get("/v1/actions", "bo")).json()["actions"] == []
    assert (await client.get(f"/v1/actions?after={'A' * 22}")).status_code == 422
    assert (await client.get("/v1/actions?threadId=t1")).json()["actions"] == []


async def test_an_action_carries_its_receipt_and_the_way_back(client: Client) -> None:
    done = await client.stage.floor.done()
    found = (await client.get(f"/v1/actions/{done.id}")).json()
    assert (found["state"], found["receipt"]["id"]) == ("succeeded", "rcpt_1")
    assert found["undo"] == "The earlier value is set again."
    card = (await client.post(f"/v1/actions/{done.id}/undo")).json()
    again = (await client.post(f"/v1/actions/{done.id}/undo")).json()
    assert (card["status"], card["undoes"]) == ("pending", done.id)
    assert again["actionId"] == card["actionId"]
    assert (await decide(client, card)).json()["status"] == "succeeded"
    found = (await client.get(f"/v1/actions/{done.id}")).json()
    assert (found["state"], found["undo"]) == ("compensated", None)
    twice = await client.post(f"/v1/actions/{done.id}/undo")
    assert (twice.status_code, twice.json()["code"]) == (409, "illegal_move")


async def test_what_has_not_begun_is_called_off(client: Client) -> None:
    card = await pending(client)
    for _ in range(2):
        cancelled = await client.post(f"/v1/actions/{card['actionId']}/cancel")
        assert cancelled.json()["status"] == "cancelled"
    done = await client.stage.floor.done({"name": "m"}, "k2")
    late = await client.post(f"/v1/actions/{done.id}/cancel")
    assert (late.status_code, late.json()["code"]) == (409, "illegal_move")


async def test_a_person_says_what_became_of_it(tmp_path: Path) -> None:
    floor = Floor(told=of_class(EffectClass.ONCE), faults=["lost"])
    async with acting(Stage(floor=floor), tmp_path / "keys") as client:
        unknown = await floor.done()
        path = f"/v1/actions/{unknown.id}"
        assert (await client.get(path)).json()["state"] == "unknown"
        empty = await client.post(f"{path}/resolve", {"outcome": "succeeded", "note": ""})
        assert empty.status_code == 422
        said = {"outcome": "succeeded", "note": "I saw it in the shop"}
        for _ in range(2):
            told = (await client.post(f"{path}/resolve", said)).json()
            assert (told["state"], told["receipt"]["id"]) == ("succeeded", "rcpt_1")


async def test_what_did_not_work_is_tried_again_with_a_card_of_its_own(tmp_path: Path) -> None:
    floor = Floor(faults=["rejected"])
    async with acting(Stage(floor=floor), tmp_path / "keys") as client:
        failed = await floor.done()
        path = f"/v1/actions/{failed.id}/retry"
        one = (await client.post(path, None, idempotency_key="a")).json()
        same = (await client.post(path, None, idempotency_key="a")).json()
        assert one["status"] == "pending"
        assert one["actionId"] == same["actionId"] != failed.id
        assert (await decide(client, one)).json()["status"] == "succeeded"
        wrong = await client.post(f"/v1/actions/{one['actionId']}/retry")
        assert (wrong.status_code, wrong.json()["code"]) == (409, "illegal_move")


async def test_tools_are_those_of_the_caller(client: Client) -> None:
    (tool,) = (await client.get("/v1/tools")).json()["tools"]
    assert (tool["name"], tool["risk"]) == ("set_item", "write")
    assert tool["arguments"]["key"]["secret"] is True


# --- beside --------------------------------------------------------------------------------------


async def test_receipts_and_their_keys(client: Client) -> None:
    (pause,) = interrupts(await client.says("set lamp to red"))
    await client.resumes(pause["id"], {"approved": True})
    keys = (await client.get("/.well-known/jwks.json", "")).json()["keys"]
    assert [key["alg"] for key in keys] == ["Ed25519"]
    assert "d" not in keys[0]
    assert (await client.get("/v1/receipts", "")).status_code == 401


async def test_a_card_decided_over_rest_is_told_in_its_conversation(client: Client) -> None:
    (pause,) = interrupts(await client.says("set lamp to red"))
    card = (await client.get(f"/v1/approvals/{pause['id']}")).json()
    assert card["threadId"] == "t1"
    assert (await decide(client, card)).json()["status"] == "succeeded"
    assert await client.stage.deliver() == []
    kept = (await client.get("/v1/conversations/t1")).json()
    assert "Done: **Set an item**" in kept["messages"][-1]["content"]
    assert not interrupts(await client.joins())


async def test_where_nothing_can_be_acted_on_every_route_says_so() -> None:
    async with serving(app_of(ScriptedAssistant())) as http:
        for path in ("/v1/approvals", "/v1/actions", "/v1/tools", "/v1/receipts"):
            response = await http.get(path)
            assert (response.status_code, response.json()["code"]) == (401, "sign_in_required")
        keys = await http.get("/.well-known/jwks.json")
        assert (keys.status_code, keys.json()["code"]) == (404, "acting_off")
        signed = await http.get("/v1/tools", headers={"authorization": "Bearer x"})
        assert signed.status_code == 401
