"""The whole server as a process: killed during an answer, it loses nothing and repeats nothing."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.api.serving import Frame, body, frames, join, parse
from tests.e2e.app import QUESTION, REFUSED
from tests.e2e.process import started

SHOWN = "Admins can invite up to 50 people at once [1]."


def client_of(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, timeout=20, trust_env=False)


@pytest.mark.parametrize("last_seen", ["RUN_STARTED", "TEXT_MESSAGE_CONTENT"])
async def test_a_killed_server_finishes_the_turn_when_it_is_back(
    tmp_path: Path, last_seen: str
) -> None:
    database = tmp_path / "conversations.db"
    with started(database) as server:
        async with client_of(server.url) as client:
            before = parse((await client.post("/v1/agui", json=body(QUESTION))).text)
            assert before[-1].type == "RUN_FINISHED"
    with started(database, pause_s=0.2) as server:
        async with client_of(server.url) as client:
            seen = await _until(client, last_seen)
            server.process.kill()  # -9, in the middle of the answer
    with started(database, pause_s=0.01) as server:
        async with client_of(server.url) as client:
            left = (await client.get("/v1/conversations/th1")).json()
            found = await join(client, seen[-1].id)
            stored = (await client.get("/v1/conversations/th1")).json()
            again = await join(client, seen[-1].id)
    assert [m["role"] for m in left["messages"]] == ["user", "assistant", "user"]
    assert left["running"]
    assert left["messages"][1]["content"].startswith(SHOWN)
    assert left["messages"][1]["metadata"]["citations"]
    assert [m["role"] for m in stored["messages"]] == ["user", "assistant"] * 2
    assert stored["messages"][3]["content"] == stored["messages"][1]["content"]
    assert not stored["running"]
    assert found[-1].type == "RUN_FINISHED"
    assert _told(found) == stored["messages"][3]["content"]
    numbers = [frame.id for frame in [*before, *seen, *found] if frame.id is not None]
    assert numbers == sorted(set(numbers))
    assert [f for f in again if f.id] == [f for f in found if f.id]


async def _until(client: httpx.AsyncClient, kind: str) -> list[Frame]:
    question = body(QUESTION, run="r2", message="u2")
    seen: list[Frame] = []
    async with client.stream("POST", "/v1/agui", json=question) as response:
        async for frame in frames(response):
            seen.append(frame)
            if frame.type == kind:
                break
    return seen


def _told(found: list[Frame]) -> str:
    """The newest answer as a client ends up with it."""
    texts: dict[str, str] = {}
    for frame in found:
        data = frame.data
        if frame.type == "MESSAGES_SNAPSHOT":
            texts = {m["id"]: m["content"] for m in data["messages"]}
        elif frame.type == "TEXT_MESSAGE_CONTENT":
            texts[data["messageId"]] = texts.get(data["messageId"], "") + data["delta"]
    return list(texts.values())[-1]


async def test_a_server_answers_refuses_and_stops_when_told(tmp_path: Path) -> None:
    with started(tmp_path / "c.db") as server:
        async with client_of(server.url) as client:
            ready = await client.get("/readyz")
            answered = parse((await client.post("/v1/agui", json=body(QUESTION))).text)
            refused = parse(
                (await client.post("/v1/agui", json=body(REFUSED, run="r2", message="u2"))).text
            )
            cited = answered[-2].data["metadata"]["citations"][0]
            passage = await client.get(f"/v1/passages/{cited['chunkId'].replace('#', '%23')}")
    assert ready.json()["ready"] is True
    assert cited["quote"] in passage.json()["text"]
    assert cited["url"] == "https://docs.example.com/guides/invite#send-invites"
    assert "embark.abstained" in [frame.data.get("activityType") for frame in refused]
    assert server.process.returncode in {0, -15}
