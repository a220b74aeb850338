"""The widget's files: one stable name, the rest by content, for pages of any origin."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from tests.api.test_pages import HTML_SINKS, client_of

BUILT = sorted(path.name for path in (files("api") / "static" / "widget").iterdir())
NAMED = re.compile(r'"(?:\./)?([\w-]+-[A-Z0-9]{8}\.js)"')


async def test_the_loader_is_looked_at_anew_each_time() -> None:
    async with client_of() as client:
        found = await client.get("/widget/v1/embark.js", headers={"origin": "https://a.example"})
        again = await client.get(
            "/widget/v1/embark.js", headers={"if-none-match": found.headers["etag"]}
        )
    assert found.headers["content-type"].startswith("text/javascript")
    assert found.headers["cache-control"] == "no-cache"
    assert found.headers["access-control-allow-origin"] == "*"
    assert found.headers["cross-origin-resource-policy"] == "cross-origin"
    assert again.status_code == 304


async def test_what_it_loads_is_there_and_never_changes() -> None:
    named = {name for file in BUILT for name in NAMED.findall(_text(file))}
    assert any(name.startswith("core-") for name in NAMED.findall(_text("embark.js")))
    assert named == {*BUILT} - {"embark.js"}
    async with client_of() as client:
        for name in named:
            found = await client.get(f"/widget/v1/{name}")
            assert found.status_code == 200, name
            assert found.headers["cache-control"].endswith("immutable")
            assert found.headers["access-control-allow-origin"] == "*"
        assert (await client.get("/widget/v1/core-AAAAAAAA.js")).status_code == 404


@pytest.mark.parametrize("file", BUILT)
def test_no_html_string_is_written(file: str) -> None:
    found = {match.group() for match in HTML_SINKS.finditer(_text(file))}
    assert found <= {"innerHTML"}, "Preact's own property, which nothing of ours sets"
    assert "dangerouslySetInnerHTML:" not in _text(file)


def _text(file: str) -> str:
    return (files("api") / "static" / "widget" / file).read_text(encoding="utf-8")
