"""source -> pages and page errors; page -> its links."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from posixpath import normpath
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from ingest.labels import LabelRules, checked_labels, iso_date
from ingest.parsing import SUFFIXES, read_document
from ingest.types import (
    Block,
    BlockKind,
    Document,
    Note,
    Page,
    PageError,
    PageFault,
    RawPage,
    Severity,
    Source,
)

_INLINE_LINK = re.compile(
    r"(?<!!)\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(\s*<?((?:[^\s()<>]|\([^\s()]*\))+)"
)
_DEFINITION = re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?([^\s<>]+)", re.M)
_HREF = re.compile(r"""<a\s[^<>]*?href=["']([^"']+)["']""", re.I)
_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", re.S)
_FENCED = re.compile(r"^([ \t>]*)(`{3,}|~{3,}).*?^[ \t>]*\2", re.M | re.S)
_INDEX_NAMES = {"index", "readme", "_index"}
_HASH_CHARS = 12


class Link(NamedTuple):
    """A link to a place in the same documentation.

    `target` is the page as a path below the root without suffix, slashes at the ends or `index`;
    empty for the root page, equal to the page's own for `#anchor`. `line` counts from 1.
    """

    href: str
    target: str
    anchor: str | None
    line: int


def load(source: Source, rules: LabelRules | None = None) -> Iterator[Page | PageError]:
    """Read a source page by page; warnings come before their page, errors in its place.

    A broken page never stops the rest. Raises SourceError when the source itself cannot be read.
    """
    taken: dict[str, str] = {}
    for raw in source.pages():
        if isinstance(raw, PageError):
            yield raw
            continue
        try:
            page, notes = _read(raw, rules or LabelRules())
        except PageFault as fault:
            yield PageError(raw.path, fault.line, fault.message, fault.hint)
            continue
        if page.doc_id in taken:
            notes = (*notes, _twin_note(page.doc_id, taken[page.doc_id]))
            page = _renamed(page, taken)
        taken[page.doc_id] = page.path
        for note in notes:
            yield PageError(page.path, note.line, note.message, note.hint, Severity.WARNING)
        yield page


def page_key(path: str) -> str:
    """The key under which a page is linked to: no suffix, no `index`, no slashes at the ends."""
    clean = path.strip("/")
    parts = PurePosixPath(clean).parts
    if not parts:
        return ""
    name = PurePosixPath(parts[-1])
    last = name.stem if name.suffix.lower() in SUFFIXES else name.name
    kept = parts[:-1] if last.lower() in _INDEX_NAMES else (*parts[:-1], last)
    return "/".join(kept)


def links(page: Page) -> tuple[Link, ...]:
    """Links of a page to its own documentation, in order; those with a scheme or host are not."""
    found: list[Link] = []
    for block in page.blocks:
        if block.kind not in {BlockKind.CODE, BlockKind.HEADING, BlockKind.ANCHOR}:
            found += _links_of(page, block)
    return tuple(found)


def _links_of(page: Page, block: Block) -> Iterator[Link]:
    text = _CODE_SPAN.sub(_blank, _FENCED.sub(_blank, block.text))
    hits = [hit for pattern in (_INLINE_LINK, _DEFINITION, _HREF) for hit in pattern.finditer(text)]
    for hit in sorted(hits, key=lambda match: match.start()):
        href = hit[1]
        try:
            parts = urlsplit(href)
        except ValueError:  # such as http://[
            continue
        if parts.scheme or parts.netloc or "{" in href:
            continue
        line = block.line + text.count("\n", 0, hit.start())
        anchor = unquote(parts.fragment) or None
        yield Link(href, _target(page.path, unquote(parts.path)), anchor, line)


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


def _target(path: str, link: str) -> str:
    if not link:
        return page_key(path)
    if link.startswith("/"):
        return page_key(normpath(link))
    return page_key(normpath(str(PurePosixPath(path).parent / link)).removeprefix("../"))


def _read(raw: RawPage, rules: LabelRules) -> tuple[Page, tuple[Note, ...]]:
    """Raises PageFault."""
    if not raw.data.strip():
        raise PageFault("the page is empty", "write it, or exclude it", 1)
    document = read_document(raw)
    if not any(block.text and block.kind is not BlockKind.HEADING for block in document.blocks):
        raise PageFault("the page holds no text below its headings", "write it, or exclude it", 1)
    labels = checked_labels(raw.path, document.meta, document.meta_lines, rules)
    digest = hashlib.sha256(raw.data).hexdigest()
    page = Page(
        path=raw.path,
        doc_id=_without_suffix(raw.path),
        title=_title(raw, document),
        blocks=document.blocks,
        labels=labels,
        doc_version=labels.updated or iso_date(raw.updated) or digest[:_HASH_CHARS],
        digest=digest,
        url=raw.url,
    )
    return page, document.notes


def _title(raw: RawPage, document: Document) -> str:
    given = document.meta.get("title")
    if isinstance(given, (str, int, float)) and str(given).strip():
        return " ".join(str(given).split())
    headings = (b for b in document.blocks if b.kind is BlockKind.HEADING)
    first = next((b.text for b in headings if b.level == 1), None)
    return first or document.title or _humanised(raw.path)


def _humanised(path: str) -> str:
    key = PurePosixPath(page_key(path)).name or "Home"
    words = re.sub(r"[-_.\s]+", " ", key).strip() or key
    return words[:1].upper() + words[1:]


def _without_suffix(path: str) -> str:
    return str(PurePosixPath(path).with_suffix(""))


def _renamed(page: Page, taken: dict[str, str]) -> Page:
    """The later of two pages in path order keeps its suffix in its id."""
    identity = page.path
    while identity in taken:
        identity += "~"
    return replace(page, doc_id=identity)


def _twin_note(doc_id: str, first: str) -> Note:
    message = f"differs from {first} only by its suffix, so its id is its full path, not {doc_id}"
    return Note(message, "rename one of the two")
