"""Cards, interrupts and results on the wire, to whoever may see them and to nobody else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent.acting_floor import QUESTION, TENANT, Stage
from tests.api.acting import PEOPLE, Client, acting, interrupts, of
from tests.api.serving import Frame, frames
from tests.tools.acting.floor import Floor, of_class, yes
from tools.types import EffectClass, Tier

WISH = "set lamp to red"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with acting(Stage(), tmp_path / "keys") as given:
        yield given


async def test_a_proposal_is_a_tool_call_a_card_and_an_interrupt(client: Client) -> None:
    found = await client.says(WISH)
    kinds = [frame.type for frame in found]
    tail = kinds[kinds.index("TEXT_MESSAGE_END") :]
    assert tail == [
        "TEXT_MESSAGE_END",
        "TOOL_CALL_START",
        "TOOL_CALL_ARGS",
        "TOOL_CALL_END",
        "ACTIVITY_SNAPSHOT",
        "STATE_SNAPSHOT",
        "MESSAGES_SNAPSHOT",
        "RUN_FINISHED",
    ]
    steps = [data["stepName"] for data in of(found, "STEP_STARTED")]
    assert steps == ["plan", "act"]
    (start,) = of(found, "TOOL_CALL_START")
    (end,) = of(found, "TEXT_MESSAGE_END")
    assert (start["toolCallName"], start["parentMessageId"]) == ("set_item", end["messageId"])
    (args,) = of(found, "TOOL_CALL_ARGS")
    assert json.loads(args["delta"]) == {"name": "lamp", "value": "red"}

    (card,) = of(found, "ACTIVITY_SNAPSHOT")
    assert card["activityType"] == "embark.approval"
    content = card["content"]
    assert content["fields"][0] == {
        "name": "name",
        "label": "Item",
        "value": "lamp",
        "before": None,
        "origin": "",
        "secret": False,
    }
    assert (content["status"], content["risk"], content["count"]) == ("pending", "write", 1)
    assert content["undo"] == "The earlier value is set again."

    (pause,) = interrupts(found)
    assert (pause["reason"], pause["toolCallId"]) == ("tool_call", start["toolCallId"])
    assert pause["id"] == content["actionId"]
    assert pause["message"] == "Set an item?"
    assert pause["expiresAt"] == content["expiresAt"]
    assert pause["metadata"] == {
        "risk": "write",
        "approver": "end_user",
        "digest": content["digest"],
    }
    schema = pause["responseSchema"]
    assert schema["required"] == ["approved"]
    editable = schema["properties"]["editedArgs"]["properties"]
    assert "value" in editable
    assert "key" not in editable  # a secret

    (snapshot,) = of(found, "MESSAGES_SNAPSHOT")
    user, proposal, shown = snapshot["messages"]
    assert user["content"] == WISH
    assert proposal["toolCalls"][0]["id"] == start["toolCallId"]
    assert shown["activityType"] == "embark.approval"


async def test_a_resume_does_it_and_brings_the_receipt(client: Client) -> None:
    (pause,) = interrupts(await client.says(WISH))
    found = await client.resumes(pause["id"], {"approved": True})
    assert found[0].data["runId"] == "r9"
    assert not of(found, "TOOL_CALL_START")
    (result,) = of(found, "TOOL_CALL_RESULT")
    assert result["toolCallId"] == pause["toolCallId"]
    assert json.loads(result["content"])["state"] == "succeeded"
    assert json.loads(result["content"])["receipt"] == "rcpt_1"
    assert result["metadata"]["receipt"]["id"] == "rcpt_1"
    assert result["metadata"]["receipt"]["jws"]
    assert of(found, "ACTIVITY_SNAPSHOT")[-1]["content"]["status"] == "succeeded"
    assert found[-1].data["outcome"]["type"] == "success"
    assert client.stage.floor.shop.items == {"lamp": "red"}

    again = await client.resumes(pause["id"], {"approved": True})
    assert again == found  # the same run, read again
    later = await client.resumes(pause["id"], {"approved": True}, run="r10")
    assert of(later, "TOOL_CALL_RESULT")[0]["content"] == result["content"]
    assert len(client.stage.floor.shop.ledger) == 1


async def test_a_denial_is_a_payload_and_a_dismissal_a_status(client: Client) -> None:
    (pause,) = interrupts(await client.says(WISH))
    denied = await client.resumes(pause["id"], {"approved": False})
    assert of(denied, "ACTIVITY_SNAPSHOT")[-1]["content"]["status"] == "denied"
    (pause,) = interrupts(await client.says("set lamp to blue", 2))
    dropped = await client.resumes(pause["id"], None, "r11", status="cancelled")
    assert of(dropped, "ACTIVITY_SNAPSHOT")[-1]["content"]["status"] == "cancelled"
    assert client.stage.floor.shop.items == {}


async def test_edited_arguments_come_back_as_a_card_of_their_own(client: Client) -> None:
    (pause,) = interrupts(await client.says(WISH))
    edited = await client.resumes(pause["id"], {"approved": True, "editedArgs": {"value": "blue"}})
    (fresh,) = interrupts(edited)
    assert fresh["id"] != pause["id"]
    assert client.stage.floor.shop.items == {}
    await client.resumes(fresh["id"], {"approved": True}, "r10")
    assert client.stage.floor.shop.items == {"lamp": "blue"}


@pytest.mark.parametrize(
    ("payload", "pointer"),
    [
        (None, "/resume/0/payload"),
        ({}, "/resume/0/payload/approved"),
        ({"approved": "yes"}, "/resume/0/payload/approved"),
        ({"approved": 1}, "/resume/0/payload/approved"),
        ({"approved": True, "editedArgs": []}, "/resume/0/payload/editedArgs"),
    ],
)
async def test_a_resume_that_says_nothing_is_explained(
    client: Client, payload: Any, pointer: str
) -> None:
    (pause,) = interrupts(await client.says(WISH))
    entry = {"interruptId": pause["id"], "status": "resolved", "payload": payload}
    body = {"threadId": "t1", "runId": "r2", "messages": [], "resume": [entry]}
    response = await client.post("/v1/agui", body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == pointer
    assert client.stage.floor.shop.items == {}


@pytest.mark.parametrize(
    ("send", "code"),
    [
        (lambda c, i: c.says(QUESTION, 2), "pending_interrupt"),
        (lambda c, i: c.resumes("A" * 22, {"approved": True}), "approval_invalid"),
    ],
)
async def test_what_cannot_begin_ends_in_a_run_error(client: Client, send: Any, code: str) -> None:
    (pause,) = interrupts(await client.says(WISH))
    found = await send(client, pause["id"])
    assert [frame.type for frame in found] == ["RUN_STARTED", "STATE_SNAPSHOT", "RUN_ERROR"]
    assert found[-1].data["code"] == code
    assert found[-1].data["message"]
    assert interrupts(await client.joins())[0]["id"] == pause["id"]


async def test_a_stale_card_ends_in_a_run_error(client: Client) -> None:
    (pause,) = interrupts(await client.says(WISH))
    client.stage.floor.clock.pass_s(16 * 60)
    found = await client.resumes(pause["id"], {"approved": True})
    assert found[-1].data["code"] == "approval_expired"
    assert client.stage.floor.shop.items == {}


# --- who -----------------------------------------------------------------------------------------


async def test_a_bad_token_is_no_step_down(client: Client) -> None:
    for who in ("nobody", "alien"):
        for path in ("/v1/conversations/t1", "/v1/tools", "/v1/approvals"):
            response = await client.get(path, who)
            assert (response.status_code, response.json()["code"]) == (401, "auth_expired")
            assert "invalid_token" in response.headers["www-authenticate"]
        response = await client.post("/v1/agui", {}, who)
        assert response.status_code == 401


async def test_a_thread_of_somebody_else_does_not_exist(client: Client) -> None:
    (pause,) = interrupts(await client.says(WISH))
    for who in ("bo", "eve", ""):
        assert (await client.get("/v1/conversations/t1", who)).status_code == 404
        assert (await client.get("/v1/agui/threads/t1/events", who)).status_code == 404
        message = {"id": "u1", "role": "user", "content": WISH}
        body: dict[str, Any] = {"threadId": "t1", "runId": "r1", "messages": [message]}
        response = await client.post("/v1/agui", body, who)
        assert (response.status_code, response.json()["code"]) == (404, "no_such_thread")
        entry = {"interruptId": pause["id"], "status": "resolved", "payload": {"approved": True}}
        resumed = await client.post("/v1/agui", body | {"runId": "r5", "resume": [entry]}, who)
        assert resumed.status_code == 404
    assert client.stage.floor.shop.items == {}


async def test_nobody_in_particular_is_answered(client: Client) -> None:
    message = {"id": "u1", "role": "user", "content": QUESTION}
    body = {"threadId": "free", "runId": "r1", "messages": [message]}
    response = await client.post("/v1/agui", body, "")
    assert "50 people" in response.text
    assert (await client.get("/v1/conversations/free", "")).status_code == 200
    assert (await client.get("/v1/conversations/free", "ana")).status_code == 404


async def test_capabilities_say_that_it_acts(client: Client) -> None:
    found = (await client.get("/v1/agui/capabilities", "")).json()
    assert found["humanInTheLoop"]["approvals"] is True
    assert found["tools"]["supported"] is True


# --- coming back ---------------------------------------------------------------------------------


class Known:
    """What a client knows after these frames: messages with their calls, cards and results."""

    def __init__(self, found: list[Frame]) -> None:
        self.messages: dict[str, Any] = {}
        self.calls: dict[str, dict[str, str]] = {}
        for frame in found:
            getattr(self, frame.type.lower(), lambda _: None)(frame.data)

    def messages_snapshot(self, data: dict[str, Any]) -> None:
        self.messages = {message["id"]: message for message in data["messages"]}

    def text_message_start(self, data: dict[str, Any]) -> None:
        self.messages.setdefault(data["messageId"], {"content": ""})

    def text_message_content(self, data: dict[str, Any]) -> None:
        self.messages[data["messageId"]]["content"] += data["delta"]

    def tool_call_start(self, data: dict[str, Any]) -> None:
        call = self.calls[data["toolCallId"]] = {"arguments": ""}
        parent = data.get("parentMessageId") or data["toolCallId"]
        self.messages.setdefault(parent, {}).setdefault("toolCalls", []).append(call)

    def tool_call_args(self, data: dict[str, Any]) -> None:
        self.calls[data["toolCallId"]]["arguments"] += data["delta"]

    def activity_snapshot(self, data: dict[str, Any]) -> None:
        self.messages[data["messageId"]] = data

    tool_call_result = activity_snapshot


def folded(found: list[Frame]) -> dict[str, Any]:
    return {name: _essence(message) for name, message in Known(found).messages.items()}


def _essence(message: dict[str, Any]) -> Any:
    found = message.get("toolCalls") or []
    calls = [call.get("arguments") or call["function"]["arguments"] for call in found]
    return (message.get("content"), calls)


async def test_joining_behind_any_event_tells_the_same(client: Client) -> None:
    whole = await client.says(WISH)
    expected = folded(await client.joins(whole[-1].id))
    assert len(expected) == 3
    for place, frame in enumerate(whole):
        found = await client.joins(frame.id)
        assert [f for f in found if f.id is not None] == whole[place + 1 :]
        assert folded(found) == expected, frame.type
    (pause,) = interrupts(whole)
    done = await client.resumes(pause["id"], {"approved": True})
    expected = folded(await client.joins(done[-1].id))
    assert f"{pause['id']}:result" in expected
    for frame in done:
        assert folded(await client.joins(frame.id)) == expected, frame.type


async def test_the_next_server_knows_the_open_card(tmp_path: Path) -> None:
    stage = Stage()
    async with acting(stage, tmp_path / "keys") as client:
        whole = await client.says(WISH)
    stage.copilot = stage.another("next")
    async with acting(stage, tmp_path / "keys") as client:
        fresh = await client.joins()
        assert interrupts(fresh)[0]["id"] == interrupts(whole)[0]["id"]
        assert of(fresh, "MESSAGES_SNAPSHOT")[0]["messages"][-1]["activityType"] == (
            "embark.approval"
        )
    stage.copilot = stage.another("third")
    async with acting(stage, tmp_path / "keys") as client:
        again = await client.joins(whole[2].id)
        assert [f for f in again if f.id is not None] == whole[3:]
        done = await client.resumes(interrupts(whole)[0]["id"], {"approved": True})
        assert done[-1].data["outcome"]["type"] == "success"
    assert stage.floor.shop.items == {"lamp": "red"}


async def test_a_follower_is_told_what_somebody_else_decided(tmp_path: Path) -> None:
    stage = Stage(floor=Floor(told=of_class(EffectClass.KEYED, Tier.R4)))
    async with acting(stage, tmp_path / "keys") as client:
        (pause,) = interrupts(await client.says(WISH))
        waiting = await client.resumes(pause["id"], {"approved": True})
        assert of(waiting, "ACTIVITY_SNAPSHOT")[-1]["content"]["approver"] == "other"
        assert waiting[-1].data["outcome"]["type"] == "success"
        (action,) = await stage.actions()
        url = "/v1/agui/threads/t1/events"
        headers = {"authorization": "Bearer ana", "last-event-id": str(waiting[-1].id)}
        async with client.http.stream("GET", url, headers=headers) as live:
            arriving = frames(live)
            while (await anext(arriving)).type != "RUN_FINISHED":
                pass
            await stage.floor.desk.decide(TENANT, yes(action, approver=PEOPLE["bo"]))
            await stage.floor.desk.perform(TENANT, action.id, 5)
            told = asyncio.create_task(stage.deliver())
            pushed = [await anext(arriving)]
            while pushed[-1].type != "RUN_FINISHED":
                pushed.append(await anext(arriving))
            assert await told == []
        assert of(pushed, "TOOL_CALL_RESULT")[0]["metadata"]["receipt"]["id"] == "rcpt_1"
        assert "Done" in of(pushed, "TEXT_MESSAGE_CONTENT")[0]["delta"]
        kept = (await client.get("/v1/conversations/t1")).json()
        assert "Done" in kept["messages"][-1]["content"]
        assert [m["role"] for m in kept["messages"]] == ["user", *["assistant"] * 3]
