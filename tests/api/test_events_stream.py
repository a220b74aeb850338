"""Events over a WebSocket: whose it is, acks by message id, sending again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from api.events import MAX_BYTES
from tests.api.test_events import KEY, AwayLog, app_of
from tests.contracts.events import mac
from tests.onboarding.events.parts import House, house, track

BEARER = {"authorization": f"Bearer {KEY}"}


@asynccontextmanager
async def served(home: House) -> AsyncIterator[str]:
    config = uvicorn.Config(
        app_of(home), port=0, log_level="error", lifespan="off", ws="websockets-sansio"
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn tells in no other way
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"ws://127.0.0.1:{port}/v1/events/stream"
    finally:
        server.should_exit = True
        await task


@pytest.fixture
def home(tmp_path: Path) -> House:
    found = house(tmp_path)
    found.log = AwayLog(mac)
    return found


@pytest.fixture
async def url(home: House) -> AsyncIterator[str]:
    async with served(home) as found:
        yield found


async def said(socket: ClientConnection) -> Any:
    return json.loads(await asyncio.wait_for(socket.recv(), 5))


async def acked(socket: ClientConnection, count: int) -> dict[str, str]:
    found: dict[str, str] = {}
    while len(found) < count:
        found |= {each["messageId"]: each["status"] for each in (await said(socket))["acks"]}
    return found


async def closed(socket: ClientConnection) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as caught:
        while True:
            await asyncio.wait_for(socket.recv(), 5)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


async def test_each_message_is_acknowledged_by_its_id(url: str, home: House) -> None:
    async with connect(url, additional_headers=BEARER) as socket:
        assert await said(socket) == {"ready": True}
        for place in range(40):
            await socket.send(json.dumps(track(f"m{place}")))
        await socket.send(json.dumps({"batch": [track("b1"), track("b2", rows="x"), track("m0")]}))
        found = await acked(socket, 42)
        assert (found["m39"], found["b1"], found["b2"]) == ("stored", "stored", "quarantined")
        assert found["m0"] == "duplicate", "acknowledged again, and stored once"
    ids = [each.event.message_id for each in await home.log.read("t", "g")]
    assert ids == [*(f"m{place}" for place in range(40)), "b1"], "in the order sent"


async def test_a_page_says_who_it_is_first(url: str, home: House) -> None:
    async with connect(url) as socket:
        await socket.send(json.dumps({"auth": "ana-token"}))
        assert await said(socket) == {"ready": True}
        await socket.send(json.dumps({"batch": [track("m1"), track("m2") | {"userId": "bo"}]}))
        assert await acked(socket, 2) == {"m1": "stored", "m2": "refused"}
    assert [each.event.user for each in await home.log.read("t", "g")] == ["ana"]


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        ({"auth": "nobody"}, "auth_expired"),
        ({"auth": 7}, "sign_in_required"),
        (track("m1"), "sign_in_required"),
        ({"auth": "ems_forged.tag"}, "wrong_origin"),
    ],
)
async def test_nobody_is_shown_out(url: str, home: House, first: Any, reason: str) -> None:
    async with connect(url) as socket:
        await socket.send(json.dumps(first))
        assert await closed(socket) == (1008, reason)
    assert await home.log.read("t", "g") == ()


@pytest.mark.parametrize(
    ("frame", "code"),
    [("{", 1007), ("[]", 1007), ('{"batch": []}', 1007), ('"' + "a" * MAX_BYTES + '"', 1009)],
)
async def test_what_is_no_message_ends_it(url: str, frame: str, code: int) -> None:
    async with connect(url, additional_headers=BEARER) as socket:
        await socket.send(frame)
        assert (await closed(socket))[0] == code


async def test_without_an_ack_it_is_sent_again(url: str, home: House) -> None:
    assert isinstance(home.log, AwayLog)
    home.log.away = True
    async with connect(url, additional_headers=BEARER) as socket:
        await said(socket)
        await socket.send(json.dumps(track("m1")))
        assert (await said(socket))["error"]["code"] == "database_unavailable"
    home.log.away = False
    async with connect(url, additional_headers=BEARER) as socket:
        await said(socket)
        await socket.send(json.dumps({"batch": [track("m1"), track("m2")]}))
        assert await acked(socket, 2) == {"m1": "stored", "m2": "stored"}
