"""PDF -> Markdown: lines by position, headings by font size, every page an anchor `page-3`."""

from __future__ import annotations

import io
import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from pypdf import PageObject, PdfReader
from pypdf.errors import PyPdfError

from ingest.parsing import writing
from ingest.parsing.blocks import read_blocks
from ingest.types import Document, Note, PageFault, RawPage

MAX_PAGES = 2_000
MAX_HEADING_CHARS = 120
_HEADING_RATIO = 1.15
"""A line set this much larger than the body text is a heading: styles step by a sixth or more."""
_LEVELS = 4
_PARAGRAPH_GAP = 1.45
"""A step between lines larger than this many usual steps starts a paragraph."""
_REPEATED_SHARE = 0.6
"""A first or last line found on this share of the pages is a running head or foot."""
_REPEATED_PAGES = 4
_HYPHEN = re.compile(r"(?<=[^\W\d_])[-\u00ad\u2010]$")
_BULLET = re.compile(r"^[•‣▪●◦\u2013]\s*")
_NUMBERED = re.compile(r"^\d{1,3}[.)]\s")
_PAGE_NUMBER = re.compile(r"^(?:page\s+)?\d{1,4}(?:\s*(?:/|of)\s*\d{1,4})?$", re.I)
_DIGITS = re.compile(r"\d+")

logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it logs text of the file


class _Line(NamedTuple):
    text: str
    size: float  # points
    y: float  # points from the lower edge


class _Run(NamedTuple):
    text: str
    size: float
    y: float


def read_pdf(raw: RawPage) -> Document:
    """Raises PageFault for an encrypted, damaged or scanned file."""
    try:
        reader = PdfReader(io.BytesIO(raw.data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise PageFault("the PDF is encrypted", "export it without a password")
        if len(reader.pages) > MAX_PAGES:
            message = f"the PDF has {len(reader.pages):,} pages, more than {MAX_PAGES:,}"
            raise PageFault(message, "split it into parts")
        pages = [_lines(page) for page in reader.pages]
        title = reader.metadata.title if reader.metadata else None
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        # pypdf lets the exceptions of its own code through when a file is damaged
        message = f"the PDF is damaged: {type(error).__name__}: {error}"
        raise PageFault(message, "export it again") from error
    except RecursionError as error:
        raise PageFault("the PDF is nested too deeply", "export it again") from error
    if not any(pages):
        raise PageFault("the PDF holds no text", "run text recognition on the scan first")
    empty = [number for number, lines in enumerate(pages, 1) if not lines]
    markdown = "\n\n".join(_blocks(_without_running_heads(pages))).split("\n")
    return Document(
        blocks=read_blocks(markdown, [1] * len(markdown)),
        title=str(title).strip() if title and str(title).strip() else None,
        notes=tuple(
            Note(f"page {number} holds no text", "run text recognition on it if it is a scan")
            for number in empty
        ),
    )


def _lines(page: PageObject) -> list[_Line]:
    """Text of a page, line by line, each with the size of its largest text."""
    runs: list[_Run] = []

    def visit(
        text: str, cm: Sequence[float], tm: Sequence[float], _font: object, size: float
    ) -> None:
        if text:
            scale = abs(tm[3] or tm[0]) * abs(cm[3] or cm[0])
            runs.append(_Run(text, size * (scale or 1.0), tm[5] * cm[3] + cm[5]))

    page.extract_text(visitor_text=visit)
    return [line for line in _joined(runs) if line.text]


def _joined(runs: Sequence[_Run]) -> Iterator[_Line]:
    text, size, y = "", 0.0, 0.0
    for run in runs:
        parts = run.text.split("\n")
        for number, part in enumerate(parts):
            if number:
                yield _Line(writing.one_line(text), round(size, 1), y)
                text, size = "", 0.0
            if part.strip():
                size, y = max(size, run.size), run.y
            text += part
    yield _Line(writing.one_line(text), round(size, 1), y)


def _without_running_heads(pages: Sequence[Sequence[_Line]]) -> list[list[_Line]]:
    """Drop page numbers and lines that stand at the edge of most pages."""
    edges = Counter(key for lines in pages for key in {_key(x) for x in (*lines[:1], *lines[-1:])})
    needed = max(_REPEATED_PAGES, _REPEATED_SHARE * len(pages))
    repeated = {key for key, count in edges.items() if count >= needed}
    kept: list[list[_Line]] = []
    for lines in pages:
        inner = list(lines)
        while inner and _is_edge(inner[-1], repeated):
            inner.pop()
        while inner and _is_edge(inner[0], repeated):
            inner.pop(0)
        kept.append(inner)
    return kept


def _is_edge(line: _Line, repeated: set[str]) -> bool:
    return _key(line) in repeated or bool(_PAGE_NUMBER.match(line.text))


def _key(line: _Line) -> str:
    return _DIGITS.sub("#", line.text)


def _blocks(pages: Sequence[Sequence[_Line]]) -> Iterator[str]:
    levels = _heading_levels(pages)
    for number, lines in enumerate(pages, 1):
        if lines:
            yield f'<a id="page-{number}"></a>'
            yield from _page_blocks(lines, levels, number)


def _heading_levels(pages: Sequence[Sequence[_Line]]) -> dict[float, int]:
    """Font sizes above the body's, the largest as level 1."""
    weights: Counter[float] = Counter()
    for lines in pages:
        for line in lines:
            weights[line.size] += len(line.text)
    if not weights:
        return {}
    body = weights.most_common(1)[0][0]
    larger = sorted((size for size in weights if size > body * _HEADING_RATIO), reverse=True)
    return {size: min(level, _LEVELS) for level, size in enumerate(larger, 1)}


def _page_blocks(lines: Sequence[_Line], levels: dict[float, int], number: int) -> Iterator[str]:
    step = _usual_step(lines)
    held: list[str] = []
    heading: tuple[int, list[str]] | None = None
    above: _Line | None = None
    for line in lines:
        level = levels.get(line.size)
        if heading and level != heading[0]:
            yield _heading(*heading, number)
            heading = None
        if level and len(line.text) <= MAX_HEADING_CHARS:
            yield from _flushed(held)
            heading = (level, [*(heading[1] if heading else []), line.text])
        else:
            if above and _starts_block(line, above, step):
                yield from _flushed(held)
            held.append(line.text)
        above = line
    if heading:
        yield _heading(*heading, number)
    yield from _flushed(held)


def _heading(level: int, texts: Sequence[str], number: int) -> str:
    return f"{'#' * level} {_unbroken(texts)} {{#page-{number}}}"


def _usual_step(lines: Sequence[_Line]) -> float:
    """The most common distance between two lines, in points; the smaller of equals; 0 for none."""
    steps = Counter(round(above.y - below.y, 1) for above, below in pairwise(lines))
    downwards = [step for step in steps if step > 0]
    return min(downwards, key=lambda step: (-steps[step], step), default=0.0)


def _starts_block(line: _Line, above: _Line, step: float) -> bool:
    if _BULLET.match(line.text) or _NUMBERED.match(line.text):
        return True
    gap = above.y - line.y
    return gap < 0 or (step > 0 and gap > step * _PARAGRAPH_GAP)


def _flushed(held: list[str]) -> Iterator[str]:
    if not held:
        return
    text = _unbroken(held)
    held.clear()
    if bullet := _BULLET.match(text):
        yield f"- {text[bullet.end() :]}"
    elif _NUMBERED.match(text):
        yield text
    else:
        yield writing.paragraph(text)


def _unbroken(lines: Sequence[str]) -> str:
    """Lines of a paragraph joined; a word hyphenated at a line's end is made whole.

    Before a capital or digit the hyphen stays: it was part of the word (`Kerberos-\\nLDAP`).
    """
    text = lines[0]
    for line in lines[1:]:
        if _HYPHEN.search(text) and line[:1].islower():
            text = _HYPHEN.sub("", text) + line
        elif _HYPHEN.search(text):
            text += line
        else:
            text = f"{text} {line}"
    return text
