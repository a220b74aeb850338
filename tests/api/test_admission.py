"""Over HTTP: a credential serves wherever somebody signs in, at its origin, within the quotas."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from api import Acts, create_app
from api.admission import Admission
from api.quotas import MemoryBuckets, Quotas, Rate, Rates
from api.sessions import LIFE, DeskPorts, SessionDesk
from api.sessions_memory import MemorySessions
from api.widget_tokens import WidgetTokens
from retrieval.types import Scope
from tests.agent.acting_floor import TENANT, Stage
from tests.api.acting import identify
from tests.api.minting import NOW, ORIGIN, PUBLIC
from tests.api.serving import QUICK, SITE, body, parse, serving
from tests.api.shelf import ShelfLibrary
from tests.tools.acting.floor import Clock
from tools.receipts.keys import KeyRing
from tools.types import Actor

RIGHTS = {"admin": frozenset({"lamp:write", "lamp:read"})}
PLENTY = Rates(Rate(1e3, 1e3), Rate(1e3, 1e3), Rate(1e3, 1e3), Rate(1e3, 1e3))
OTHER = "https://other.example"


@dataclass
class House:
    """The acting application with tokens, host sign-in and quotas, and a page at an origin."""

    http: httpx.AsyncClient
    clock: Clock

    async def exchange(self, token: str = "", **headers: str) -> httpx.Response:
        sent = {"authorization": f"Bearer {token or PUBLIC.token(secrets.token_hex(8))}"}
        return await self.http.post("/v1/sessions", headers={"origin": ORIGIN, **sent, **headers})

    async def credential(self) -> str:
        return str((await self.exchange()).json()["credential"])

    async def get(self, path: str, credential: str, **headers: str) -> httpx.Response:
        named = {"authorization": f"Bearer {credential}"} if credential else {}
        return await self.http.get(path, headers={"origin": ORIGIN, **named, **headers})


class _Product:
    """The host product's own sign-in; remembers what it was asked about."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, token: str) -> Actor | None:
        self.asked.append(token)
        return await identify(token)


@asynccontextmanager
async def house(
    keys: Path, *, tokens: bool = True, host: _Product | None = None, rates: Rates = PLENTY
) -> AsyncIterator[House]:
    stage, clock = Stage(), Clock(NOW)
    acts = Acts(host, stage.floor.desk, stage.journal, stage.floor.shelf, KeyRing.open(keys, NOW))
    records = [PUBLIC.record(TENANT, origins=frozenset({ORIGIN, f"http://localhost:{PORT}"}))]
    desk = SessionDesk(
        TENANT,
        WidgetTokens(records),
        MemorySessions(NOW - timedelta(hours=1)),
        RIGHTS,
        DeskPorts(clock, secrets.token_bytes),
    )
    quotas = Quotas(TENANT, rates, MemoryBuckets(), lambda: clock().timestamp())
    admission = Admission(desk if tokens else None, quotas)
    site = replace(SITE, viewer=Scope(TENANT))
    app = create_app(stage.copilot, ShelfLibrary(), site, QUICK, acts, admission)
    async with serving(app) as http:
        yield House(http, clock)


PORT = 8123


def code(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


async def test_a_credential_serves_wherever_somebody_signs_in(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        answer = await home.exchange()
        assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
        assert answer.json()["expires"] == (NOW + LIFE).isoformat()
        mine = answer.json()["credential"]
        for path in ("/v1/tools", "/v1/approvals", "/v1/actions", "/v1/receipts"):
            assert (await home.get(path, mine)).status_code == 200, path
        run = await home.http.post(
            "/v1/agui",
            json=body("How many people can admins invite at once?"),
            headers={"origin": ORIGIN, "authorization": f"Bearer {mine}"},
        )
        assert parse(run.text)[-1].type == "RUN_FINISHED"
        assert (await home.get("/v1/conversations/th1", mine)).status_code == 200
        assert (await home.get("/v1/conversations/th1", "")).status_code == 404


async def test_a_token_itself_serves_nowhere_else_and_only_once(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        token = PUBLIC.token()
        assert code(await home.get("/v1/tools", token)) == (401, "auth_expired")
        assert (await home.exchange(token)).status_code == 201
        again = await home.exchange(token)
        assert code(again) == (401, "token_replayed")
        assert again.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert code(await home.exchange("ey.no.token")) == (401, "token_invalid")
        assert code(await home.http.post("/v1/sessions")) == (401, "sign_in_required")


async def test_another_origin_gets_nothing_with_it(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        mine = await home.credential()
        for path in ("/v1/tools", "/v1/suggestions", "/v1/agui/threads/t1/events", "/v1/nothing"):
            for origin in (OTHER, "null", ORIGIN.upper(), f"{ORIGIN}:443"):
                assert code(await home.get(path, mine, origin=origin)) == (401, "wrong_origin")
        assert code(await home.exchange(origin=OTHER)) == (401, "wrong_origin")
        assert (await home.get("/v1/tools", mine)).status_code == 200


async def test_without_an_origin_only_a_page_of_our_own_host_may_ask(tmp_path: Path) -> None:
    """As browsers send a GET to the page's own server."""
    async with house(tmp_path) as home:
        own = f"http://localhost:{PORT}"
        bound = (await home.exchange(origin=own)).json()["credential"]
        elsewhere = await home.credential()
        named = {"host": f"localhost:{PORT}"}
        for credential, status in ((bound, 200), (elsewhere, 401)):
            sent = {**named, "authorization": f"Bearer {credential}"}
            assert (await home.http.get("/v1/tools", headers=sent)).status_code == status
        sent = {"authorization": f"bearer {bound}", "host": "localhost:1"}
        assert code(await home.http.get("/v1/tools", headers=sent)) == (401, "wrong_origin")


async def test_a_session_is_ended_by_its_owner_or_by_time(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        first, second = await home.credential(), await home.credential()
        own = {"origin": ORIGIN, "authorization": f"Bearer {first}"}
        thief = {**own, "origin": OTHER}
        path = "/v1/sessions/current"
        assert code(await home.http.delete(path, headers=thief)) == (401, "wrong_origin")
        assert (await home.http.delete(path, headers=own)).status_code == 204
        assert code(await home.http.delete(path, headers=own)) == (401, "auth_expired")
        assert code(await home.get("/v1/tools", first)) == (401, "auth_expired")
        assert (await home.get("/v1/tools", second)).status_code == 200
        home.clock.pass_s(LIFE.total_seconds())
        assert code(await home.get("/v1/tools", second)) == (401, "auth_expired")


@pytest.mark.parametrize("tokens", [True, False])
@pytest.mark.parametrize("with_host", [True, False])
async def test_either_way_of_signing_in_stands_alone_or_beside_the_other(
    tmp_path: Path, tokens: bool, with_host: bool
) -> None:
    product = _Product() if with_host else None
    async with house(tmp_path, tokens=tokens, host=product) as home:
        by_host = await home.get("/v1/tools", "ana")
        assert by_host.status_code == (200 if with_host else 401)
        exchanged = await home.exchange()
        if not tokens:
            assert code(exchanged) == (404, "tokens_off")
            return
        mine = exchanged.json()["credential"]
        assert (await home.get("/v1/tools", mine)).status_code == 200
        if product is not None:
            assert product.asked == ["ana"], "the host never sees a credential of ours"


async def test_browsers_are_let_in_from_the_workspaces_pages_alone(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        for method in ("POST", "DELETE", "GET"):
            asked = {
                "access-control-request-method": method,
                "access-control-request-headers": "authorization,content-type",
            }
            path = "/v1/sessions"
            yes = await home.http.options(path, headers={"origin": ORIGIN, **asked})
            assert yes.headers["access-control-allow-origin"] == ORIGIN
            assert method in yes.headers["access-control-allow-methods"]
            assert "access-control-allow-credentials" not in yes.headers
            for origin in (OTHER, "null", f"{ORIGIN}.evil.example", ORIGIN.replace("s:", ":")):
                no = await home.http.options(path, headers={"origin": origin, **asked})
                assert "access-control-allow-origin" not in no.headers
        answer = await home.exchange()
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        refused = await home.exchange("no.good.token")
        assert refused.headers["access-control-allow-origin"] == ORIGIN
        assert (await home.get("/v1/tools", "", origin=OTHER)).headers.get(
            "access-control-allow-origin"
        ) is None


async def test_what_is_too_much_is_refused_before_any_work(tmp_path: Path) -> None:
    rates = replace(PLENTY, anonymous=Rate(0.5, 3), user=Rate(0.1, 2))
    product = _Product()
    async with house(tmp_path, host=product, rates=rates) as home:
        for _ in range(3):
            assert (await home.get("/v1/suggestions", "")).status_code == 200
        asked: Any = {"json": body(thread="th9"), "headers": {"origin": ORIGIN}}
        refused = await home.http.post("/v1/agui", **asked)
        assert code(refused) == (429, "rate_limited")
        assert refused.headers["retry-after"] == "2"
        assert refused.headers["access-control-allow-origin"] == ORIGIN
        assert refused.headers["content-type"] == "application/problem+json"
        for path in ("/livez", "/readyz", "/.well-known/jwks.json"):
            assert (await home.http.get(path)).status_code != 429
        sneaking = {"authorization": "Basic YTpi"}
        assert (await home.http.get("/v1/suggestions", headers=sneaking)).status_code == 429
        assert product.asked == []
        home.clock.pass_s(2)
        assert (await home.get("/v1/conversations/th9", "")).status_code == 404, "nothing was done"
        for status in (200, 200, 429):
            assert (await home.get("/v1/tools", "ana")).status_code == status
        limited = await home.get("/v1/tools", "ana")
        assert (code(limited), limited.headers["retry-after"]) == ((429, "rate_limited"), "10")
        assert (await home.get("/v1/tools", "bo")).status_code == 200


async def test_guessing_tokens_is_limited_by_address(tmp_path: Path) -> None:
    async with house(tmp_path, rates=replace(PLENTY, address=Rate(1.0, 20))) as home:
        tried = [(await home.exchange("a.b.c")).status_code for _ in range(30)]
        assert (tried.count(401), tried.count(429)) == (20, 10)
