from __future__ import annotations

import pytest

from ingest.pages import Link, links, load, page_key
from ingest.types import Page, PageError
from tests.ingest.reading import Pages, page, raw


def test_one_broken_page_does_not_stop_the_rest() -> None:
    given = [raw("a", "a.md"), raw(b"\xff\xfe\xff", "b.md"), raw("---\n[\n---\n", "c.md")]
    found = list(load(Pages([*given, raw("%PDF", "d.pdf"), raw("x", "e.txt"), raw("x", "f.xyz")])))
    assert [(item.path, isinstance(item, Page)) for item in found] == [
        ("a.md", True),
        ("b.md", False),
        ("c.md", False),
        ("d.pdf", False),
        ("e.txt", True),
        ("f.xyz", False),
    ]
    told = [str(item) for item in found if isinstance(item, PageError)]
    assert told[1].startswith("c.md:")


def test_a_page_that_is_too_large_is_told() -> None:
    (error,) = load(Pages([raw("x" * 8_000_001, "a.md")]))
    assert isinstance(error, PageError)
    assert "8,000,001 bytes" in error.message


def test_links_to_the_same_documentation() -> None:
    source = (
        "# T\n\n[a](b.md) [up](../plans/pro.md#limits) [root](/sso/okta/) [here](#t)\n"
        "[out](https://x.example/y) [mail](mailto:a@x.example) [s](//x.example) ![i](pic.png)\n"
        '`[no](code.md)` <a href="c.html">c</a> [q](x%20y.md?v=1) [t]({{root}}/z)\n\n'
        "```\n[no](fence.md)\n```\n\n[ref]: ../index.md\n\n- [n](d(1).md)\n"
    )
    assert links(page(source, "guides/invite.md")) == (
        Link("b.md", "guides/b", None, 3),
        Link("../plans/pro.md#limits", "plans/pro", "limits", 3),
        Link("/sso/okta/", "sso/okta", None, 3),
        Link("#t", "guides/invite", "t", 3),
        Link("c.html", "guides/c", None, 5),
        Link("x%20y.md?v=1", "guides/x y", None, 5),
        Link("../index.md", "", None, 11),
        Link("d(1).md", "guides/d(1)", None, 13),
    )


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("guides/a.md", "guides/a"),
        ("guides/index.md", "guides"),
        ("README.md", ""),
        ("/", ""),
        ("/a/b/", "a/b"),
        ("a/b", "a/b"),
    ],
)
def test_pages_and_links_meet_under_one_key(path: str, key: str) -> None:
    assert page_key(path) == key


def test_a_version_in_the_last_part_of_a_link_is_no_suffix() -> None:
    assert page_key("/releases/v2.1/") == "releases/v2.1"
    assert page_key("releases/v2.1.md") == "releases/v2.1"
