"""What a citation opens on: only what may be seen, safely, with the quote marked."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from api.markdown import to_html
from retrieval.access import PAGE, Access, MemoryRevocations, Revocation, WatchedLibrary
from retrieval.types import Scope
from tests.api.serving import app_of
from tests.api.shelf import VERSION, ShelfLibrary
from tests.api.twin import NOON, ScriptedAssistant

OWNER = Scope("acme", {"role": frozenset({"owner"})})


def client_of(
    viewer: Scope | None = None, library: ShelfLibrary | None = None
) -> httpx.AsyncClient:
    site: dict[str, Any] = {} if viewer is None else {"viewer": viewer}
    app = app_of(ScriptedAssistant(), library=library, **site)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def test_the_passage_behind_a_citation() -> None:
    async with client_of() as client:
        found = (await client.get("/v1/passages/guides%2Finvite%231")).json()
    assert found == {
        "chunkId": "guides/invite#1",
        "title": "Invite <teammates>",
        "headingPath": ["By hand"],
        "anchor": "by-hand",
        "url": "/pages/guides/invite.md#by-hand",
        "text": "1. Open <Settings>.\n2. Choose `Invite`.\n\nSee [roles](../roles.md#admin).",
        "docVersion": "2026-11-02",
        "indexVersion": VERSION,
    }


async def test_a_page_that_was_revoked_opens_no_more() -> None:
    rows, now_s = MemoryRevocations(), 0.0
    library = WatchedLibrary(ShelfLibrary(), Access(rows, lambda: now_s))
    app = app_of(ScriptedAssistant(), library=library)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        paths = ("/v1/passages/guides%2Finvite%231", "/pages/guides/invite.md")
        assert [(await client.get(path)).status_code for path in paths] == [200, 200]
        rows.revoke(Revocation("acme", PAGE, "guides/invite.md", NOON))
        now_s = 60.0
        assert [(await client.get(path)).status_code for path in paths] == [404, 404]
        rows.restore("acme", PAGE, "guides/invite.md")
        now_s = 120.0
        assert [(await client.get(path)).status_code for path in paths] == [200, 200]


@pytest.mark.parametrize(
    ("viewer", "status"),
    [(None, 404), (Scope("acme", {"role": frozenset({"member"})}), 404), (OWNER, 200)],
)
async def test_a_passage_is_shown_to_those_who_hold_its_labels(
    viewer: Scope | None, status: int
) -> None:
    async with client_of(viewer) as client:
        assert (await client.get("/v1/passages/guides%2Finvite%232")).status_code == status
        page = (await client.get("/pages/guides/invite.md")).text
    assert ("For owners only." in page) == (status == 200)


async def test_another_tenants_page_is_not_there() -> None:
    async with client_of(Scope("other", unrestricted=True)) as client:
        assert (await client.get("/v1/passages/guides%2Finvite%230")).status_code == 404
        assert (await client.get("/pages/guides/invite.md")).status_code == 404


async def test_without_an_index_the_server_says_so() -> None:
    async with client_of(library=ShelfLibrary(())) as client:
        response = await client.get("/v1/passages/guides%2Finvite%230")
    assert (response.status_code, response.json()["code"]) == (503, "no_index")


async def test_a_page_marks_the_quote_where_it_stands() -> None:
    async with client_of() as client:
        response = await client.get(
            "/pages/guides/invite.md", params={"quote": "2. Choose `Invite`."}
        )
        plain = await client.get("/pages/guides/invite.md", params={"quote": "not there"})
    page = response.text
    assert "<title>Invite &lt;teammates&gt;</title>" in page
    assert '<section id="by-hand"><h2>By hand</h2>' in page
    assert "<li><mark>Choose </mark><code><mark>Invite</mark></code><mark>.</mark></li>" in page
    assert "Open &lt;Settings&gt;" in page
    assert 'href="/pages/roles.md#admin"' in page
    assert "<mark>" not in plain.text
    assert "script-src 'self'" in response.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("text", "quote", "html"),
    [
        (
            "A **bold** word.",
            "**bold** word",
            "<strong><mark>bold</mark></strong><mark> word</mark>.",
        ),
        ("```\nx = 1\ny\n```", "x = 1", "<code><mark>x = 1</mark>\ny\n</code>"),
        ("| a | b |\n|---|---|\n| c | d |", "| c | d |", "<td><mark>c</mark></td>"),
        ("- one\n- two", "- one\n- two", "<li><mark>one</mark></li>"),
        ("twice and twice", "twice", "<mark>twice</mark> and twice"),
        ("![a logo](x.png)", "a logo", '<span class="image"><mark>a logo</mark></span>'),
    ],
)
def test_a_quote_is_marked_whatever_it_spans(text: str, quote: str, html: str) -> None:
    assert html in to_html(text, "p.md", quote)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](data:text/html,1)",
        "[x](//evil.example/x)",
        "![x](https://evil.example/p.png)",
        "\ue000<b>\ue001",
        "<svg/onload=alert(1)>",
    ],
)
def test_nothing_of_a_page_becomes_active(text: str) -> None:
    found = Tags.of(to_html(text, "p.md", text))
    assert found.names <= {"p", "a", "mark", "span"}
    assert "evil.example" not in str(found.links)
    assert not any(link.startswith(("javascript", "data")) for link in found.links)


@given(st.text(max_size=80), st.text(max_size=20))
def test_any_text_and_any_quote_nest_properly(text: str, quote: str) -> None:
    Tags.of(to_html(text + quote, "p.md", quote))


class Tags(HTMLParser):
    """Collects tags and links, and refuses tags that do not nest."""

    VOID = frozenset({"br", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: list[str] = []
        self._open: list[str] = []

    @classmethod
    def of(cls, html: str) -> Tags:
        parser = cls()
        parser.feed(html)
        parser.close()
        assert not parser._open
        return parser

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]
        if tag not in self.VOID:
            self._open.append(tag)

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
