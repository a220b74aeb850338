"""Coming back: from every event, in every state of the run, to this server or to the next."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.stream import Translator
from agent.types import (
    MessageDelta,
    MessageFinished,
    MessageStarted,
    Numbered,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
)
from api.context import page_url
from api.joining import prelude
from api.runs import Run
from tests.api.serving import Frame, app_of, ask, body, frames, join, serving
from tests.api.twin import SENTENCES, ScriptedAssistant, answer

WHOLE = "".join(SENTENCES)


def told(found: Sequence[Frame]) -> dict[str, Any]:
    """Fold a joined stream as the chat page does: message id -> text and metadata."""
    messages: dict[str, Any] = {}
    for frame in found:
        data = frame.data
        match frame.type:
            case "MESSAGES_SNAPSHOT":
                messages = {m["id"]: [m["content"], m.get("metadata")] for m in data["messages"]}
            case "TEXT_MESSAGE_START":
                messages.setdefault(data["messageId"], ["", None])
            case "TEXT_MESSAGE_CONTENT":
                messages[data["messageId"]][0] += data["delta"]
            case "TEXT_MESSAGE_END":
                messages[data["messageId"]][1] = data["metadata"]
    return messages


async def test_resume_from_every_event_has_no_gap_and_repeats_nothing() -> None:
    async with serving(app_of(ScriptedAssistant())) as client:
        whole = await ask(client)
        for place, frame in enumerate(whole):
            found = await join(client, frame.id)
            assert [f for f in found if f.id is not None] == whole[place + 1 :]
            assert told(found)["u1-answer"][0] == WHOLE
            assert told(found)["u1-answer"][1]["citations"][0]["quote"] == "up to 50 people"


@pytest.mark.parametrize("seen", range(1, 7))
async def test_a_reader_joins_while_the_answer_is_being_written(seen: int) -> None:
    gate = asyncio.Semaphore(0)
    async with serving(app_of(ScriptedAssistant(gate=gate))) as client:
        async with client.stream("POST", "/v1/agui", json=body()) as response:
            arriving = frames(response)
            cursor = [await anext(arriving) for _ in range(seen)][-1].id
        readers = [asyncio.create_task(join(client, c)) for c in (cursor, cursor, None)]
        await asyncio.sleep(0.05)
        gate.release()
        one, two, fresh = [await reader for reader in readers]
    assert one == two
    assert told(one)["u1-answer"][0] == told(fresh)["u1-answer"][0] == WHOLE
    assert all((frame.id or 10**9) > (cursor or 0) for frame in one)
    assert one[-1].type == fresh[-1].type == "RUN_FINISHED"


async def test_a_follower_gets_the_runs_that_come_later() -> None:
    async with serving(app_of(ScriptedAssistant())) as client:
        first = await ask(client)
        url = "/v1/agui/threads/th1/events"
        async with client.stream("GET", url, headers={"Last-Event-ID": str(first[-1].id)}) as live:
            arriving = frames(live)
            assert [(await anext(arriving)).type for _ in range(4)][-1] == "RUN_FINISHED"
            second = await ask(client, run="r2", message="u2")
            assert [await anext(arriving) for _ in second] == second


async def test_a_cursor_of_an_earlier_run_gets_the_newest_run_whole() -> None:
    async with serving(app_of(ScriptedAssistant())) as client:
        first = await ask(client)
        second = await ask(client, run="r2", message="u2")
        found = await join(client, first[3].id)
    assert [frame for frame in found if frame.id is not None] == second
    assert [frame.type for frame in found].count("RUN_STARTED") == 1
    assert list(told(found)) == ["u1", "u1-answer", "u2", "u2-answer"]


async def test_an_unknown_thread_is_not_found() -> None:
    async with serving(app_of(ScriptedAssistant())) as client:
        response = await client.get("/v1/agui/threads/nowhere/events")
        stored = await client.get("/v1/conversations/nowhere")
    assert (response.status_code, stored.status_code) == (404, 404)
    assert response.json()["code"] == "no_such_thread"


async def test_the_next_server_resumes_from_every_event_too() -> None:
    assistant = ScriptedAssistant()
    async with serving(app_of(assistant)) as client:
        whole = await ask(client)
    for place, frame in enumerate(whole):
        async with serving(app_of(assistant)) as client:  # nothing but the store is shared
            found = await join(client, frame.id)
        assert [f for f in found if f.id is not None] == whole[place + 1 :]
        assert told(found)["u1-answer"][0] == WHOLE
    async with serving(app_of(assistant)) as client:
        fresh = await join(client)
        later = await ask(client, run="r2", message="u2")
    assert [f.type for f in fresh] == [
        "RUN_STARTED",
        "MESSAGES_SNAPSHOT",
        "STATE_SNAPSHOT",
        "RUN_FINISHED",
    ]
    assert (later[0].id or 0) > (whole[-1].id or 0)


async def test_a_question_that_a_stopped_server_left_open_is_answered_by_the_next() -> None:
    assistant = ScriptedAssistant(gate=asyncio.Semaphore(0))
    app = app_of(assistant)
    async with serving(app) as client, client.stream("POST", "/v1/agui", json=body()) as response:
        arriving = frames(response)
        seen = [await anext(arriving) for _ in range(6)]
    assistant.gate = None
    async with serving(app_of(assistant)) as client:
        before = (await client.get("/v1/conversations/th1")).json()
        found = await join(client, seen[-1].id)
        after = (await client.get("/v1/conversations/th1")).json()
    assert (before["running"], after["running"]) == (True, False)
    assert [m["role"] for m in before["messages"]] == ["user"]
    assert told(found)["u1-answer"][0] == WHOLE == after["messages"][1]["content"]
    assert all((frame.id or 10**9) > (seen[-1].id or 0) for frame in found)


async def test_readers_of_a_stopped_run_start_it_once() -> None:
    assistant = ScriptedAssistant(gate=asyncio.Semaphore(0))
    app = app_of(assistant)
    async with serving(app) as client, client.stream("POST", "/v1/agui", json=body()) as response:
        await anext(frames(response))
    assistant.gate = None
    async with serving(app_of(assistant)) as client:
        both = await asyncio.gather(*(join(client) for _ in range(8)))
    assert {told(found)["u1-answer"][0] for found in both} == {WHOLE}
    stored = await assistant.conversation("acme", "th1")
    assert stored is not None
    assert len(stored.messages) == 2


@pytest.mark.parametrize("cursor", ["-1", "x", "1.5", ""])
async def test_a_cursor_that_is_no_number_is_refused(cursor: str) -> None:
    async with serving(app_of(ScriptedAssistant())) as client:
        await ask(client)
        response = await client.get(
            "/v1/agui/threads/th1/events", headers={"Last-Event-ID": cursor}
        )
    assert (response.status_code, response.json()["code"]) == (422, "invalid_input")


async def test_a_cursor_from_the_future_is_the_end() -> None:
    async with serving(app_of(ScriptedAssistant())) as client:
        await ask(client)
        found = await join(client, 10**12)
    assert found[-1].type == "RUN_FINISHED"
    assert all(frame.id is None for frame in found)


# --- the prelude of any run at any place ------------------------------------------------------


@st.composite
def cut_runs(draw: st.DrawFn) -> tuple[Run, int]:
    events: list[Any] = [RunStarted("th1", "r1")]
    for step in draw(st.lists(st.sampled_from(["retrieve", "ground", "answer"]), unique=True)):
        events += [StepStarted(step)]
        if draw(st.booleans()):
            events += [MessageStarted(step), MessageDelta(step, draw(st.text(max_size=9)))]
            events += [MessageFinished(step, answer("x"))]
        events += [StepFinished(step)]
    events.append(RunFinished("th1", "r1"))
    run = Run("r1", "u1", Translator(page_url))
    for number, event in enumerate(events, start=draw(st.integers(1, 9999))):
        run.add(Numbered(number, event))
    return run, draw(st.integers(1, len(run.frames)))


@given(cut_runs())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_prelude_and_rest_are_one_well_formed_run(cut: tuple[Run, int]) -> None:
    run, position = cut
    rest = [frame.event for frame in run.frames[position:]]
    events = [*prelude("th1", [], run, position), *rest]
    kinds = [event.type.value for event in events]
    assert kinds[:3] == ["RUN_STARTED", "MESSAGES_SNAPSHOT", "STATE_SNAPSHOT"]
    assert kinds.count("RUN_STARTED") == 1
    assert kinds[-1] == "RUN_FINISHED"
    assert kinds.count("RUN_FINISHED") == 1
    open_steps: set[str] = set()
    open_messages: set[str] = set()
    for event in events:
        fields = event.model_dump(by_alias=True)
        match event.type.value:
            case "STEP_STARTED":
                open_steps.add(fields["stepName"])
            case "STEP_FINISHED":
                open_steps.remove(fields["stepName"])
            case "TEXT_MESSAGE_START":
                open_messages.add(fields["messageId"])
            case "TEXT_MESSAGE_CONTENT":
                assert fields["messageId"] in open_messages
            case "TEXT_MESSAGE_END":
                open_messages.remove(fields["messageId"])
    assert not open_steps
    assert not open_messages
