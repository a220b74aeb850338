"""What every reader owes: a document or a fault, whatever the bytes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.pages import links, load
from ingest.parsing import READERS, SUFFIXES
from ingest.types import Page, PageError, RawPage
from tests.ingest.pdf_bytes import pdf
from tests.ingest.reading import Pages, body, document, outline

BOOK = pdf([(20, 740, "Title"), (11, 700, "Some text of a page.")], [(11, 700, "More.")])

FRAGMENTS = (
    *("# H", "== H", "H\n---", "---\n", "title: x\n", "```", "~~~py", "| a | b |", "|---|---|"),
    *(
        "|===",
        "+++\n",
        "a = 1\n",
        "<table><tr><td>",
        "</table>",
        "<!--",
        "-->",
        "<Tabs>",
        "{% a %}",
    ),
    *(
        "{:.x}",
        "* a",
        "  * b",
        "1. a",
        "> q",
        ".. note:: x",
        "   y",
        ".. x::",
        ":ref:`a <b>`",
        "`a",
    ),
    *(
        "[[id]]",
        "[source,sh]",
        "----",
        "====",
        "term:: d",
        "include::x[]",
        "ifdef::a[]",
        "endif::[]",
    ),
    *(
        ":a: b",
        "{a}",
        "<<a,b>>",
        "link:a[b]",
        "\\",
        "\t",
        "    code",
        "&lt;",
        "\u2028",
        "\x0b",
        "é",
    ),
    *(".. _a:", "a_", "`a`_", "|a|", "+--+", "|  |", "::", "<pre>", "<h2 id=x>", "<a name=y></a>"),
)
markup = st.lists(
    st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=20)), min_size=1, max_size=25
).flatmap(lambda parts: st.sampled_from(("\n", "\n\n", " ")).map(lambda glue: glue.join(parts)))


def loaded(data: bytes, suffix: str) -> Page | None:
    """The page, if it could be read; every fault must say what and how to mend it."""
    found = list(load(Pages([RawPage(f"a{suffix}", data)])))
    for item in found:
        if isinstance(item, PageError):
            assert item.message
            assert item.hint
    return next((item for item in found if isinstance(item, Page)), None)


@pytest.mark.parametrize("suffix", sorted(SUFFIXES - {".pdf", ".markdown", ".htm", ".text"}))
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=25)
@given(text=markup)
def test_any_markup_is_a_page_or_a_fault(suffix: str, text: str) -> None:
    page = loaded(text.encode("utf-8", "replace"), suffix)
    if page is not None:
        assert all(block.line >= 1 for block in page.blocks)
        links(page)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, len(BOOK) - 1), st.integers(0, 255)), max_size=8))
def test_a_damaged_pdf_is_a_page_or_a_fault(damage: list[tuple[int, int]]) -> None:
    data = bytearray(BOOK)
    for place, value in damage:
        data[place] = value
    loaded(bytes(data), ".pdf")


def test_every_suffix_has_a_reader_and_case_does_not_matter() -> None:
    assert {".md", ".mdx", ".html", ".rst", ".adoc", ".pdf", ".txt"} <= set(READERS)
    assert body(document("Text\n", "NOTES.TXT")) == "Text"


def test_plain_text_keeps_headings_lists_and_paragraphs() -> None:
    source = "Restart the importer\n====================\n\nFirst:\n\n1. Stop it.\n2. Start it.\n"
    doc = document(source, "runbook.txt")
    assert outline(doc) == [(1, "Restart the importer", "restart-the-importer")]
    assert body(doc) == "First:\n\n1. Stop it.\n2. Start it."
