"""What stands around every answer: who may ask from where, and what a browser may do with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from api.edge import CSP
from embark.settings import Settings
from tests.api.serving import app_of
from tests.api.staff.house import House, house
from tests.api.staff.idp import Place
from tests.api.twin import ScriptedAssistant

APP = "https://app.example"
NOT_APP = (
    "https://app.example.evil.example",
    "https://evil-app.example",
    "https://sub.app.example",
    "https://app.example:8443",
    "https://app.example/",
    "https://APP.example",
    "http://app.example",
    "app.example",
    "null",
    "*",
    "",
)
PREFLIGHT = {"access-control-request-method": "POST"}


def client_of(base: str = "http://test", **site: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app_of(ScriptedAssistant(), **site))
    return httpx.AsyncClient(transport=transport, base_url=base)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/static/chat/chat.js", 200),
        ("GET", "/livez", 200),
        ("GET", "/v1/suggestions", 200),
        ("GET", "/nothing", 404),
        ("GET", "/pages/none.md", 404),
        ("PATCH", "/v1/agui", 405),
        ("POST", "/v1/agui", 422),
        ("GET", "/v1/staff/me", 401),
    ],
)
async def test_every_answer_says_what_a_browser_may_do(method: str, path: str, status: int) -> None:
    async with client_of() as client:
        answer = await client.request(method, path, json={} if method == "POST" else None)
    assert answer.status_code == status
    assert answer.headers["content-security-policy"] == CSP
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "strict-transport-security" not in answer.headers
    assert (answer.headers.get("cache-control") == "no-store") is path.startswith("/v1/")


def test_our_own_pages_load_nothing_from_elsewhere() -> None:
    said = dict(each.split(" ", 1) for each in CSP.split("; "))
    assert said.pop("default-src") == "'none'"
    assert said.pop("require-trusted-types-for") == "'script'"
    assert said.pop("trusted-types") == "'none'"
    assert {said.pop(f"{kind}-src") for kind in ("script", "style", "connect", "img")} == {"'self'"}
    assert said == {"base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'"}


async def test_over_https_browsers_are_told_to_stay_there() -> None:
    async with client_of("https://test") as client:
        for path in ("/", "/v1/suggestions"):
            assert (await client.get(path)).headers["strict-transport-security"] == (
                "max-age=31536000"
            )


async def test_only_the_listed_origin_may_read_an_answer() -> None:
    async with client_of(allowed_origins=(APP,)) as client:
        for origin in NOT_APP:
            for answer in (
                await client.get("/v1/suggestions", headers={"origin": origin}),
                await client.options("/v1/agui", headers={"origin": origin, **PREFLIGHT}),
            ):
                assert "access-control-allow-origin" not in answer.headers, origin


@pytest.mark.parametrize("listed", [(APP,), ("*",), ()])
async def test_no_origin_is_ever_let_in_with_cookies(listed: tuple[str, ...]) -> None:
    async with client_of(allowed_origins=listed) as client:
        for origin in (APP, "https://evil.example"):
            for answer in (
                await client.get("/v1/suggestions", headers={"origin": origin, "cookie": "a=b"}),
                await client.options("/v1/agui", headers={"origin": origin, **PREFLIGHT}),
            ):
                assert "access-control-allow-credentials" not in answer.headers
                allowed = answer.headers.get("access-control-allow-origin")
                assert allowed in ({"*"} if listed == ("*",) else {None, *listed})


async def test_a_listed_origin_gets_nothing_by_a_cookie_of_staff(tmp_path: Path) -> None:
    """The browser would keep the answer from it, and changes ask for our own page."""
    with Place() as place:
        async with house(place, tmp_path) as home:
            await _asks_from_elsewhere(home)


async def _asks_from_elsewhere(home: House) -> None:
    await home.sign_in()
    token = (await home.me())["csrfToken"]
    headers = {"origin": APP, "x-csrf-token": token}
    refused = await home.browser.post("/v1/staff/sign-out", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf")
    asked = {"origin": APP, "access-control-request-headers": "x-csrf-token", **PREFLIGHT}
    preflight = await home.browser.options("/v1/staff/sign-out", headers=asked)
    assert "access-control-allow-headers" not in preflight.headers


@pytest.mark.parametrize(
    "host",
    ["evil.example", "docs.example.evil.example", "docs.example@evil", "", "127.0.0.1", "docs"],
)
async def test_other_host_names_are_refused_before_any_work(host: str) -> None:
    async with client_of(allowed_hosts=("docs.example",)) as client:
        answer = await client.get("/livez", headers={"host": host})
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_host")


@pytest.mark.parametrize("host", ["docs.example", "DOCS.example", "docs.example:8765"])
async def test_our_own_host_name_is_answered(host: str) -> None:
    async with client_of(allowed_hosts=("docs.example",)) as client:
        assert (await client.get("/livez", headers={"host": host})).status_code == 200


@pytest.mark.parametrize("origin", [each for each in NOT_APP if each not in {"*"}][4:])
def test_an_origin_that_no_browser_sends_is_no_setting(origin: str) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"server": {"allowed_origins": [origin]}})
    told = Settings.model_validate({"server": {"allowed_origins": [APP, "*"]}})
    assert told.server.allowed_origins == (APP, "*")
