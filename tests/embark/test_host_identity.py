"""The host product says who a token belongs to; a small real one is asked over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Header, Request
from fastapi.responses import JSONResponse

from api import IdentityUnavailableError
from embark.host_identity import CACHED_S, Host, HostIdentity, WhoAmI, host_client
from tests.api.serving import serving
from tools.credentials import MemoryCredentials
from tools.types import Principal

ANA = {
    "id": "usr_1",
    "account": {"id": "ws_1"},
    "permissions": ["members:write", "members:read"],
    "role": "admin",
    "plan": "growth",
    "auth_time": "2026-05-04T12:00:00+00:00",
}
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


class Product:
    """Knows one token at a time, and what it answers to it."""

    def __init__(self) -> None:
        self.token, self.status = "good", 200
        self.body: Any = ANA
        self.asked = 0
        self.app = FastAPI()

        @self.app.get("/v1/me")
        async def me(authorization: str = Header()) -> JSONResponse:
            self.asked += 1
            known = authorization == f"Bearer {self.token}"
            return JSONResponse(self.body if known else {}, self.status if known else 401)


class Door:
    def __init__(self, product: Product, client: httpx.AsyncClient) -> None:
        self.product = product
        self.at = 0.0
        self.credentials = MemoryCredentials(lambda: NOW)
        self.client = client
        url = str(client.base_url.join("/v1/me"))
        self.identify = HostIdentity(
            Host("t", "harbor", WhoAmI(url)), client, self.credentials, lambda: self.at
        )


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    product = Product()
    async with serving(product.app) as client:
        yield Door(product, client)


async def test_a_good_token_is_a_person_and_their_own_credential(door: Door) -> None:
    actor = await door.identify("good")
    assert actor is not None
    assert actor.principal == Principal("t", "usr_1", "ws_1")
    assert actor.rights == {"members:write", "members:read"}
    assert (actor.role, actor.plan, actor.auth_time, actor.staff) == ("admin", "growth", NOW, False)
    headers = await door.credentials.headers(actor.principal, "harbor")
    assert headers == {"Authorization": "Bearer good"}


async def test_an_answer_is_believed_for_a_while_and_no_longer(door: Door) -> None:
    await door.identify("good")
    await door.identify("good")
    assert door.product.asked == 1
    door.product.token = "another"
    door.at = CACHED_S - 0.1
    assert await door.identify("good") is not None
    door.at = CACHED_S
    assert await door.identify("good") is None
    assert await door.identify("good") is None
    assert door.product.asked == 3  # what is refused is not kept


@pytest.mark.parametrize("token", ["", "bad", "x" * 9000, "a\nb", "ä"])
async def test_a_token_that_is_good_for_nobody(door: Door, token: str) -> None:
    assert await door.identify(token) is None


@pytest.mark.parametrize(
    "body", [[], {}, {"id": "u"}, {"id": "", "account": {"id": "a"}}, "x", None]
)
async def test_an_answer_that_names_nobody_is_an_outage(door: Door, body: Any) -> None:
    door.product.body = body
    with pytest.raises(IdentityUnavailableError, match="cannot be read"):
        await door.identify("good")


async def test_a_host_in_trouble_is_an_outage_and_nobody_is_signed_out(door: Door) -> None:
    door.product.status = 500
    with pytest.raises(IdentityUnavailableError, match="500"):
        await door.identify("good")
    gone = HostIdentity(
        Host("t", "harbor", WhoAmI("http://127.0.0.1:9/v1/me")),
        door.client,
        door.credentials,
        lambda: 0.0,
    )
    with pytest.raises(IdentityUnavailableError, match="Connect"):
        await gone("good")


async def test_a_connection_that_the_host_has_closed_is_opened_anew() -> None:
    answered = 0
    handlers: list[asyncio.Task[None] | None] = []

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one request, promises to keep the connection, and closes it at the next."""
        nonlocal answered
        handlers.append(asyncio.current_task())
        body = json.dumps(ANA).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n"
        with suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head.encode() + body)
            answered += 1
            await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/me"
    async with server, httpx.AsyncClient() as client:
        credentials = MemoryCredentials(lambda: NOW)
        identify = HostIdentity(Host("t", "harbor", WhoAmI(url)), client, credentials, lambda: 0.0)
        for token in ("one", "two"):
            assert await identify(token) is not None
        await client.aclose()
        await asyncio.gather(*filter(None, handlers))
    assert answered == 2


@pytest.mark.parametrize("when", ["", "yesterday", "2026-05-04T12:00:00", None, 7])
async def test_a_sign_in_that_cannot_be_read_is_too_long_ago(door: Door, when: Any) -> None:
    door.product.body = {**ANA, "auth_time": when}
    actor = await door.identify("good")
    assert actor is not None
    assert actor.auth_time is None


async def test_what_the_host_sets_for_one_person_is_not_sent_for_the_next() -> None:
    seen: list[dict[str, str]] = []
    app = FastAPI()

    @app.get("/v1/me")
    async def me(request: Request) -> JSONResponse:
        seen.append(dict(request.cookies))
        answer = JSONResponse(ANA)
        answer.set_cookie("session", request.headers["authorization"].removeprefix("Bearer "))
        return answer

    async with serving(app) as client, host_client() as shared:
        whoami = WhoAmI(str(client.base_url.join("/v1/me")))
        credentials = MemoryCredentials(lambda: NOW)
        identify = HostIdentity(Host("t", "harbor", whoami), shared, credentials, lambda: 0.0)
        for token in ("ana", "bo", "ana2"):
            assert await identify(token) is not None
    assert seen == [{}, {}, {}]


async def test_a_person_who_is_forgotten_is_asked_for_anew(door: Door) -> None:
    assert await door.identify("good") is not None
    assert door.identify.known("t", "usr_1") == 1
    assert door.identify.forget("t", "usr_2") == 0
    assert door.identify.forget("t", "usr_1") == 1
    assert door.identify.known("t", "usr_1") == 0
    assert await door.identify("good") is not None
    assert door.product.asked == 2
