"""Shared by the tests of reading: a redactor that masks one word, and one-line page makers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from guardrails import Redaction, Span, stored
from ingest.pages import load
from ingest.parsing import read_document
from ingest.types import BlockKind, Document, Page, PageError, RawPage


class Plain:
    """A redactor whose only entity is the word `SECRET`."""

    def redact(self, text: str) -> Redaction:
        at = text.find("SECRET")
        spans = (Span(at, at + 6, "SECRET", 1.0),) if at >= 0 else ()
        return Redaction(stored(text.replace("SECRET", "<SECRET>")), spans)

    def redact_document(self, text: str) -> Redaction:
        return self.redact(text)


class Pages:
    """A source of pages given as values."""

    id = "given"

    def __init__(self, pages: Iterable[RawPage]) -> None:
        self._pages = tuple(pages)

    def pages(self) -> Iterator[RawPage | PageError]:
        return iter(self._pages)


def raw(text: str | bytes, path: str = "guide.md") -> RawPage:
    return RawPage(path, text.encode() if isinstance(text, str) else text)


def document(text: str | bytes, path: str = "guide.md") -> Document:
    return read_document(raw(text, path))


def page(text: str | bytes, path: str = "guide.md") -> Page:
    """The one page that loads without an error; warnings are allowed."""
    return next(item for item in load(Pages([raw(text, path)])) if isinstance(item, Page))


def faults(text: str | bytes, path: str = "guide.md") -> list[PageError]:
    return [item for item in load(Pages([raw(text, path)])) if isinstance(item, PageError)]


def outline(doc: Document) -> list[tuple[int, str, str | None]]:
    """Level, text and anchor of every heading."""
    headings = (block for block in doc.blocks if block.kind is BlockKind.HEADING)
    return [(block.level, block.text, block.anchor) for block in headings]


def body(doc: Document) -> str:
    """Everything but headings."""
    kinds = {BlockKind.HEADING, BlockKind.ANCHOR}
    return "\n\n".join(block.text for block in doc.blocks if block.kind not in kinds)
