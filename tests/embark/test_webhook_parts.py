"""A whole product hears from the host's backend, does what it says, and tells others of it."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import create_app
from api.admission import Admission
from embark.acting import Hands
from embark.cli.serve import at_work, limits, site
from embark.hook_parts import hearing
from embark.layers import ConfigurationError, load_settings
from embark.rights import acts_of
from embark.settings import Settings
from embark.token_identity import open_admission
from embark.webhook_parts import reach_of, telling
from embark.wiring import open_copilot
from tests.api.minting import AUDIENCE, ISSUER, ORIGIN, PUBLIC
from tests.api.serving import serving
from tests.tools.acting.floor import START, Floor
from tests.tools.journal.databases import sqlite
from tools.credentials import BearerToken
from tools.credentials_sql import SqlCredentials
from tools.http import Outbound, Reach
from tools.journal import OutboxRow
from tools.tool import ForbiddenError
from tools.types import Principal
from tools.webhooks import (
    Deliveries,
    Endpoint,
    Sender,
    SenderParts,
    prepare,
    read_secrets,
    signed,
    verified,
)

OURS, THEIRS = (f"whsec_{base64.b64encode(bytes([n] * 32)).decode()}" for n in (1, 2))
USR_1 = Principal("default", "usr_1", "")
WAIT_S = 90.0
"""An erasure that finds a database busy is taken up again when it has not moved for a while."""
TOKENS = f"""
[[identity.tokens.keys]]
kid = "{PUBLIC.kid}"
alg = "ES256"
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
origins = ["{ORIGIN}"]
public_key = '''{PUBLIC.pem}'''
"""


@dataclass
class Listener:
    """Somebody who is told; believes what is signed with our secret."""

    got: list[dict[str, Any]] = field(default_factory=list)

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/hook", self._hook, methods=["POST"])])

    async def _hook(self, request: Request) -> Response:
        body = await request.body()
        verified(read_secrets(OURS), request.headers, body, datetime.now(UTC))
        self.got.append(json.loads(body))
        return Response(status_code=204)

    async def hears(self, kind: str) -> dict[str, Any]:
        async with asyncio.timeout(WAIT_S):
            while True:
                for event in self.got:
                    if event["type"] == f"io.embark.{kind}.v1":
                        return event
                await asyncio.sleep(0.05)


@dataclass
class Product:
    http: httpx.AsyncClient
    hands: Hands
    admission: Admission
    settings: Settings

    async def told(self, kind: str, **data: str) -> dict[str, Any]:
        body = json.dumps({"type": kind, "data": data}).encode()
        message_id = f"msg_{secrets.token_hex(8)}"
        headers = signed(read_secrets(THEIRS), message_id, datetime.now(UTC), body)
        answer = await self.http.post("/v1/webhooks/host", content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def credentials(self) -> SqlCredentials:
        return SqlCredentials(self.hands.engine, self.hands.vault, lambda: datetime.now(UTC))


def configured(project: Path, listener: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("OUR_SECRET", OURS)
    (project / "theirs").write_text(f"{THEIRS}\n", encoding="utf-8")
    (project / "tools.yaml").write_text("version: 1\nsources: {}\ntools: {}\n", encoding="utf-8")
    place = listener.removeprefix("http://")
    with (project / "embark.toml").open("a", encoding="utf-8") as file:
        file.write(
            f'[actions]\ntools = "tools.yaml"\nprivate_hosts = ["{place}"]\n'
            f'[[webhooks]]\nurl = "{listener}/hook"\nsecrets_env = "OUR_SECRET"\n'
            f'[host_webhooks]\nsecrets_file = "theirs"\n{TOKENS}'
        )
    return load_settings().settings


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Product]:
    """As `embark serve` composes it."""
    async with (
        open_copilot(settings) as product,
        at_work(product),
        acts_of(settings, product) as acts,
        open_admission(settings) as admission,
        hearing(settings, product.hands, acts, admission) as heard,
    ):
        assert product.hands is not None
        told = site(settings, product)
        app = create_app(
            product.copilot, product.finder.library, told, limits(settings), heard, admission
        )
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            yield Product(http, product.hands, admission, settings)


async def test_the_host_tells_and_others_are_told(
    indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = Listener()
    async with serving(listener.app()) as there:
        settings = configured(indexed, str(there.base_url).rstrip("/"), monkeypatch)
        async with running(settings) as product:
            await _sessions_end(product)
            await _a_page_is_hidden(product)
            await _a_person_is_erased(product, listener)


async def _sessions_end(product: Product) -> None:
    desk = product.admission.desk
    assert desk is not None
    token = PUBLIC.token(secrets.token_hex(8), datetime.now(UTC))
    opened = await desk.exchange(token, ORIGIN)
    await product.credentials().store(USR_1, "us", BearerToken("x"))
    assert await desk(opened.credential) is not None
    assert await product.told("access.revoked", subject="usr_1") == {"status": "accepted"}
    assert await desk(opened.credential) is None
    with pytest.raises(ForbiddenError):
        await product.credentials().headers(USR_1, "us")


async def _a_page_is_hidden(product: Product) -> None:
    page = "/pages/guides/invite.md"
    assert (await product.http.get(page)).status_code == 200
    await product.told("document.revoked", path="guides/invite.md")
    for _ in range(int(WAIT_S / 0.2)):
        if (await product.http.get(page)).status_code != 200:
            break
        await asyncio.sleep(0.2)
    assert (await product.http.get(page)).status_code == 404


async def _a_person_is_erased(product: Product, listener: Listener) -> None:
    await product.credentials().store(USR_1, "us", BearerToken("x"))
    await product.told("user.deleted", subject="usr_1")
    event = await listener.hears("erasure.completed")
    assert event["source"] == "urn:embark:default"
    assert event["data"]["receipt"] == "rcpt_1"
    assert "usr_1" not in json.dumps(listener.got)
    receipt = (await product.hands.journal.receipts("default"))[0]
    assert receipt.action_id == event["data"]["erasureId"]


async def test_whatever_ends_is_put_down_for_those_who_listen_and_then_told(tmp_path: Path) -> None:
    floor, heard = Floor(), list[str]()
    with sqlite(tmp_path) as engine:
        prepare(engine)
        deliveries = Deliveries(engine)
        ends = Endpoint("https://x.example", read_secrets(OURS), frozenset({"action.settled"}))
        nobody = Outbound(Reach(frozenset()))
        sender = Sender([ends], SenderParts(deliveries, nobody.send, floor.clock, Random(1)))

        async def tell(row: OutboxRow) -> float | None:
            heard.append(row.kind)
            return None

        card = await floor.approved()
        await floor.desk.perform("t", card.id, 5.0)
        for row in await floor.books.outbox():
            assert await telling(sender, floor.books, tell)(row) is None
        gone = OutboxRow(99, "t", "action.failed", "a" * 22, None, START)
        await telling(sender, floor.books, tell)(gone)
        (event,) = await deliveries.due("t", floor.clock())
    assert heard[-2:] == ["action.succeeded", "action.failed"]
    data = json.loads(event.body)["data"]
    assert data == {
        "actionId": card.id,
        "state": "succeeded",
        "tool": "set_item",
        "receipt": "rcpt_1",
    }


async def test_what_is_configured_wrongly_is_named(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = configured(project, "http://127.0.0.1:9", monkeypatch)
    assert settings.webhooks[0].events[0] == "action.settled"
    assert reach_of(settings).private == frozenset({"127.0.0.1:9"})
    monkeypatch.setenv("OUR_SECRET", "no secret")
    with pytest.raises(ConfigurationError, match=r"webhooks\[0\]: 2 secrets|begins with whsec_"):
        async with open_copilot(settings):
            raise AssertionError
    monkeypatch.setenv("OUR_SECRET", OURS)
    (project / "theirs").unlink()
    with pytest.raises(ConfigurationError, match="host_webhooks"):
        async with running(settings):
            raise AssertionError


async def test_without_tools_the_host_has_nothing_to_tell(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {"data_dir": tmp_path, "host_webhooks": {"secrets_env": "NOT_SET"}}
    )
    with pytest.raises(ConfigurationError, match=r"without actions\.tools"):
        async with hearing(settings, None, None, Admission()):
            raise AssertionError


@pytest.mark.parametrize(
    "wrong",
    [
        {"webhooks": [{"url": "https://x.example"}]},
        {"webhooks": [{"url": "https://x.example", "secrets_env": "A", "secrets_file": "b"}]},
        {"webhooks": [{"url": "ftp://x.example", "secrets_env": "A"}]},
        {"webhooks": [{"url": "https://x.example", "secrets_env": "A", "events": ["all"]}]},
        {"host_webhooks": {}},
    ],
)
def test_settings_that_are_not_whole_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(wrong)
