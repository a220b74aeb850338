from __future__ import annotations

import pytest

from ingest.chunking import ChunkPolicy, pieces_of
from tests.ingest.pdf_bytes import Line, locked, pdf
from tests.ingest.reading import body, document, faults, outline, page


def running(number: int, *lines: Line) -> list[Line]:
    """A page between a running head and a page number."""
    return [(8, 780, "Harbor handbook"), *lines, (8, 20, f"Page {number} of 4")]


BOOK = pdf(
    running(
        1,
        (24, 740, "Handbook"),
        (11, 700, "Teams invite people by e-mail. An admin can in-"),
        (11, 686, "vite up to fifty people; role-"),
        (11, 672, "Based access comes later."),
        (11, 640, "A second paragraph."),
    ),
    running(
        2,
        (16, 740, "Single sign-on"),
        (11, 700, "\u2022 Okta, with"),
        (11, 686, "SCIM"),
        (11, 672, "\u2022 Entra"),
        (11, 658, "1. Open settings."),
    ),
    running(3, (11, 740, "# not a heading")),
    running(4, (16, 740, "Billing and"), (16, 720, "invoices"), (11, 700, "Monthly.")),
)


def test_headings_paragraphs_and_hyphens() -> None:
    doc = document(BOOK, "book.pdf")
    assert outline(doc) == [
        (1, "Handbook", "page-1"),
        (2, "Single sign-on", "page-2"),
        (2, "Billing and invoices", "page-4"),
    ]
    assert body(doc).split("\n\n") == [
        "Teams invite people by e-mail. An admin can invite up to fifty people; role-Based access"
        " comes later.",
        "A second paragraph.",
        "- Okta, with SCIM",
        "- Entra",
        "1. Open settings.",
        "\\# not a heading",
        "Monthly.",
    ]


def test_a_chunk_points_to_its_page() -> None:
    pieces = pieces_of(page(BOOK, "book.pdf"), ChunkPolicy(max_chars=60, min_chars=0))
    anchors = [(piece.anchor, piece.text) for piece in pieces]
    assert ("page-3", "\\# not a heading") in anchors
    assert anchors[-1] == ("page-4", "Monthly.")


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (locked(BOOK), "encrypted"),
        (BOOK[: len(BOOK) // 3], "damaged"),
        (b"no pdf at all", "damaged"),
        (pdf([]), "no text"),
    ],
    ids=["locked", "cut", "garbage", "scan"],
)
def test_what_cannot_be_read_is_told(data: bytes, part: str) -> None:
    (error,) = faults(data, "book.pdf")
    assert part in error.message
    assert error.hint


def test_a_page_without_text_is_a_warning() -> None:
    (note,) = faults(pdf([(11, 700, "Text")], []), "book.pdf")
    assert note.message == "page 2 holds no text"
