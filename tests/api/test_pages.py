"""The chat page keeps the promises that its headers make."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import httpx
import pytest

from api import Check
from tests.api.serving import app_of
from tests.api.twin import ScriptedAssistant

STATIC = files("api") / "static"
SCRIPTS = sorted(path.name for path in (STATIC / "chat").iterdir() if path.name.endswith(".js"))
HTML_SINKS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|srcdoc|"
    r"createContextualFragment|DOMParser"
)


def client_of(**site: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app_of(ScriptedAssistant(), **site))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def test_the_page_and_all_that_it_names_are_served_under_a_strict_policy() -> None:
    async with client_of() as client:
        page = await client.get("/")
        policy = page.headers["content-security-policy"]
        named = re.findall(r'(?:href|src)="(/[^"]+)"', page.text)
        for path in named:
            found = await client.get(path)
            assert found.status_code == 200, path
            assert found.headers["x-content-type-options"] == "nosniff"
    assert "/static/chat/chat.js" in named
    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", page.text)


@pytest.mark.parametrize("name", SCRIPTS)
async def test_a_script_writes_no_html_and_imports_only_what_is_there(name: str) -> None:
    source = (STATIC / "chat" / name).read_text(encoding="utf-8")
    assert not HTML_SINKS.search(source)
    for imported in re.findall(r'from "\./([^"]+)"', source):
        assert imported in SCRIPTS


async def test_suggestions_come_from_the_deployment() -> None:
    async with client_of(suggestions=("Which roles are there?",)) as client:
        found = (await client.get("/v1/suggestions")).json()
    assert found == {"suggestions": ["Which roles are there?"]}


async def test_another_site_may_call_only_when_it_is_listed() -> None:
    asked = {"origin": "https://app.example", "access-control-request-method": "POST"}
    async with client_of(allowed_origins=("https://app.example",)) as client:
        listed = await client.options("/v1/agui", headers=asked)
        other = await client.options("/v1/agui", headers=asked | {"origin": "https://evil.example"})
    assert listed.headers["access-control-allow-origin"] == "https://app.example"
    assert "access-control-allow-credentials" not in listed.headers
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize(("ok", "status"), [(True, 200), (False, 503)])
@pytest.mark.parametrize("path", ["/readyz", "/startupz"])
async def test_readiness_names_every_part(path: str, ok: bool, status: int) -> None:
    async def index() -> Check:
        return Check(ok, "docs__x_1")

    async def database() -> Check:
        return Check(True, "answers")

    async with client_of(probes={"index": index, "database": database}) as client:
        response = await client.get(path)
        alive = await client.get("/livez")
    assert response.status_code == status
    assert response.json() == {
        "ready": ok,
        "checks": {
            "index": {"ok": ok, "detail": "docs__x_1"},
            "database": {"ok": True, "detail": "answers"},
        },
    }
    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
