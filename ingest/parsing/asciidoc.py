"""AsciiDoc -> Markdown: the constructs that documentation uses, not the whole language.

Headings, paragraphs, lists, tables, source blocks, admonitions, quotes, attributes and
conditionals are read; includes are refused and passthrough blocks left out, both with a note.
Anchors are those that Asciidoctor gives (`_section_title`), so deep links work.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ingest.parsing import writing
from ingest.parsing.asciidoc_inline import Attributes, inline
from ingest.parsing.asciidoc_lists import Item, item_of, written_items
from ingest.parsing.asciidoc_prelude import BLOCK_ATTRIBUTES, Pending, is_prelude
from ingest.parsing.asciidoc_tables import read_table
from ingest.parsing.blocks import read_blocks
from ingest.parsing.decoding import decode
from ingest.types import Document, Note, RawPage

MAX_NESTING = 12
"""Delimited blocks nested deeper are taken as plain paragraphs."""

_HEADING = re.compile(r"^(={1,6}|#{1,6})[ \t]+(\S.*?)(?:[ \t]+\1)?$")
_ATTRIBUTE = re.compile(r"^:(!?[\w][\w-]*!?):(?:[ \t]+(.*))?$")
_INLINE_ANCHOR = re.compile(r"\[\[([^\[\],]+)(?:,[^\]]*)?\]\]")
_ADMONITION = re.compile(r"^(NOTE|TIP|IMPORTANT|WARNING|CAUTION):[ \t]+(.*)$")
_ADMONITIONS = {"NOTE", "TIP", "IMPORTANT", "WARNING", "CAUTION"}
_DELIMITER = re.compile(r"^(-{4,}|\.{4,}|={4,}|\*{4,}|_{4,}|\+{4,}|/{4,}|--|`{3,}.*|[|,:!]={3,})$")
_BLOCK_MACRO = re.compile(r"^(\w+)::(\S*?)\[(.*)\]$")
_CONDITION = re.compile(r"^(ifdef|ifndef|ifeval|endif)::([^\[]*)\[(.*)\]$")
_AUTHOR = re.compile(r"^[\w.'-]+(?: [\w.'-]+){0,3}(?: <[^>]+>)?(?:; .*)?$")
_REVISION = re.compile(r"^v?\d[\w.]*(?:, .*)?$|^\d{4}-\d\d-\d\d$")
_CALLOUT = re.compile(r"[ \t]*(?:(?://|#|--|;;)[ \t]*)?<(?:\d{1,2}|\.)>[ \t]*$")
_NOT_ID = re.compile(r"[^\w\- .]")
_MARKDOWN_FENCE = "```"


class _Line(NamedTuple):
    text: str
    number: int  # in the file, from 1


class _Out(NamedTuple):
    text: str
    line: int


def read_asciidoc(raw: RawPage) -> Document:
    """Labels come from header attributes: `:audience: staff`."""
    numbered = [_Line(t.rstrip(), n) for n, t in enumerate(decode(raw.data).split("\n"), 1)]
    page = _Page()
    lines = list(page.header(numbered))
    written = list(page.blocks(lines, 0))
    text_lines: list[str] = []
    origins: list[int] = []
    for block in written:
        rows = [*block.text.split("\n"), ""]
        text_lines += rows
        origins += [block.line] * len(rows)
    return Document(
        blocks=read_blocks(text_lines, origins),
        meta=dict(page.meta),
        meta_lines=page.meta_lines,
        notes=tuple(page.notes),
    )


class _Page:
    """One page while it is read: attributes, notes, the ids given so far."""

    def __init__(self) -> None:
        self.attributes = Attributes()
        self.meta: dict[str, object] = {}
        self.meta_lines: dict[str, int] = {}
        self.notes: list[Note] = []
        self._ids: set[str] = set()

    def header(self, lines: Sequence[_Line]) -> Iterator[_Line]:
        """Read the attributes of the header as labels; pass on the title and everything below."""
        seen_title = in_header = False
        for position, line in enumerate(lines):
            if not seen_title and line.text.startswith("= "):
                seen_title = in_header = True
                yield line
            elif attribute := _ATTRIBUTE.match(line.text):
                if in_header or not seen_title:
                    self._label(attribute[1], attribute[2] or "", line.number)
                yield line
            elif in_header and _is_byline(line.text):
                continue
            elif not line.text or line.text.startswith("//"):
                in_header = False
                yield line
            else:
                yield from lines[position:]
                return

    def _label(self, name: str, value: str, line: int) -> None:
        key = {"revdate": "updated"}.get(name.lower(), name.lower())
        if "!" not in name and value.strip():
            self.meta.setdefault(key, value.strip())
            self.meta_lines.setdefault(key, line)

    def blocks(self, lines: Sequence[_Line], depth: int) -> Iterator[_Out]:
        """Markdown blocks of a run of lines, each with the line it starts at."""
        at = 0
        pending = Pending()
        while at < len(lines):
            line = lines[at]
            if not line.text or self._directive(line):
                at += 1
            elif condition := _CONDITION.match(line.text):
                at = self._skip(lines, at, condition)
            elif is_prelude(line.text, pending):
                at += 1
            else:
                end, written = self._block(lines, at, pending, depth)
                yield from self._titled(written, pending, line)
                at, pending = end, Pending()

    def _titled(self, written: str, pending: Pending, line: _Line) -> Iterator[_Out]:
        if pending.anchor and not written.startswith("#"):
            self._ids.add(pending.anchor)
            yield _Out(f'<a id="{pending.anchor}"></a>', line.number)
        if written.strip():
            if pending.title:
                yield _Out(f"**{self._inline(pending.title)}**", line.number)
            yield _Out(written, line.number)

    def _directive(self, line: _Line) -> bool:
        """Attribute entries and line comments show nothing."""
        if attribute := _ATTRIBUTE.match(line.text):
            self.attributes.define(attribute[1], attribute[2] or "")
            return True
        return line.text.startswith("//") and not line.text.startswith("////")

    def _skip(self, lines: Sequence[_Line], at: int, condition: re.Match[str]) -> int:
        """The line to go on with: past the `endif` where the condition does not hold."""
        kind, names, _ = condition.groups()
        known = any(self.attributes.known(name) for name in re.split(r"[,+]", names))
        if kind in {"endif", "ifeval"} or known == (kind == "ifdef"):
            return at + 1
        depth = 0
        for end in range(at, len(lines)):
            found = _CONDITION.match(lines[end].text)
            if found and found[1] == "endif":
                depth -= 1
            elif found and not found[3]:
                depth += 1
            if depth == 0:
                return end + 1
        return len(lines)

    def _block(
        self, lines: Sequence[_Line], at: int, pending: Pending, depth: int
    ) -> tuple[int, str]:
        """The block that starts at `at`: where it ends, and its Markdown."""
        text = lines[at].text
        if (delimiter := _DELIMITER.match(text)) and depth < MAX_NESTING:
            return self._delimited(lines, at, delimiter[1], pending, depth)
        if heading := _HEADING.match(text):
            return at + 1, self._heading(heading, pending)
        if macro := _BLOCK_MACRO.match(text):
            return at + 1, self._macro(macro, lines[at].number)
        if text in {"'''", "---", "***", "<<<"}:
            return at + 1, ""
        if item_of(text):
            return self._list(lines, at, depth)
        return self._paragraph(lines, at, pending)

    def _heading(self, heading: re.Match[str], pending: Pending) -> str:
        source = heading[2]
        if anchor := _INLINE_ANCHOR.search(source):
            pending.anchor = pending.anchor or anchor[1]
            source = _INLINE_ANCHOR.sub("", source).strip()
        text = writing.one_line(self._inline(source))
        level = len(heading[1])
        identity = pending.anchor or (self._identity(text) if level > 1 else None)
        pending.title = pending.anchor = None
        if identity:
            self._ids.add(identity)
        return f"{'#' * level} {text}" + (f" {{#{identity}}}" if identity else "")

    def _identity(self, title: str) -> str:
        """Asciidoctor's id of a section: prefix and separator are attributes, both `_` at first."""
        prefix = self.attributes.get("idprefix", "_")
        separator = self.attributes.get("idseparator", "_")
        plain = _NOT_ID.sub("", re.sub(r"[`*]|<[^>]+>", "", title).lower())
        base = prefix + re.sub(r"[ .\-_]+", separator or "", plain).strip(separator or " ")
        found, count = base, 1
        while found in self._ids:
            count += 1
            found = f"{base}{separator}{count}"
        return found

    def _macro(self, macro: re.Match[str], line: int) -> str:
        kind, target, text = macro.groups()
        if kind == "include":
            what = f"`include::{target}[]` is left out: other files are not pulled into a page"
            self.notes.append(Note(what, "write the text into the page, or link to it", line))
            return ""
        return self._inline(f"image:{target}[{text}]") if kind == "image" else ""

    def _delimited(
        self, lines: Sequence[_Line], at: int, mark: str, pending: Pending, depth: int
    ) -> tuple[int, str]:
        closing = _MARKDOWN_FENCE if mark.startswith(_MARKDOWN_FENCE) else mark
        end = next((n for n in range(at + 1, len(lines)) if lines[n].text == closing), len(lines))
        if end == len(lines):
            message, hint = f"block {closing} is never closed", f"add a line {closing} after it"
            self.notes.append(Note(message, hint, lines[at].number))
        body = lines[at + 1 : end]
        return end + 1, self._delimited_text(mark, body, pending, depth)

    def _delimited_text(
        self, mark: str, body: Sequence[_Line], pending: Pending, depth: int
    ) -> str:
        texts = "\n".join(line.text for line in body).strip("\n").split("\n")
        match mark[0]:
            case "/":
                return ""
            case "+":
                line = body[0].number if body else None
                note = Note("a passthrough block is left out", "write it as AsciiDoc", line)
                self.notes.append(note)
                return ""
            case "|" | "," | ":" | "!":
                return read_table(texts, mark[0], pending.options, self._inline)
            case "`":
                return writing.fenced("\n".join(texts), mark.strip("`").strip())
            case "." | "-" if mark != "--" or pending.style in {"source", "listing"}:
                return _code(texts, pending.language)
            case _:
                inner = "\n\n".join(out.text for out in self.blocks(body, depth + 1))
                return self._boxed(inner, mark, pending)

    def _boxed(self, inner: str, mark: str, pending: Pending) -> str:
        if pending.style in _ADMONITIONS:
            return self._admonition(pending.style, inner)
        return writing.quoted(inner) if mark[0] in "_*" else inner

    def _admonition(self, name: str, text: str) -> str:
        return writing.quoted(f"**{name.capitalize()}:** {text}")

    def _paragraph(self, lines: Sequence[_Line], at: int, pending: Pending) -> tuple[int, str]:
        end = at + 1
        ends = _ends_item if pending.in_item else _ends_paragraph
        while end < len(lines) and not ends(lines[end].text):
            end += 1
        texts = [line.text for line in lines[at:end] if not line.text.startswith("//")]
        if pending.style in {"source", "listing", "literal"} or texts[0][:1] in " \t":
            return end, _code(texts, pending.language)
        source = "\n".join(texts)
        if admonition := _ADMONITION.match(texts[0]):
            source = "\n".join([admonition[2], *texts[1:]])
            return end, self._admonition(admonition[1], self._inline(source))
        if pending.style in _ADMONITIONS:
            return end, self._admonition(pending.style, self._inline(source))
        text = writing.paragraph(self._inline(source))
        return end, writing.quoted(text) if pending.style in {"quote", "verse"} else text

    def _inline(self, source: str) -> str:
        return inline(source, self.attributes)

    def _list(self, lines: Sequence[_Line], at: int, depth: int) -> tuple[int, str]:
        items: list[Item] = []
        while at < len(lines):
            found = item_of(lines[at].text)
            if found is None:
                break
            end = at + 1
            while end < len(lines) and not _ends_item(lines[end].text):
                end += 1
            texts = [found.text, *(line.text.strip() for line in lines[at + 1 : end])]
            body = [self._inline("\n".join(text for text in texts if text))]
            at, attached = self._attached(lines, end, depth)
            term = self._inline(found.term) if found.term else ""
            items.append(Item(found.mark, term, [*body, *attached]))
            at = _next_item(lines, at)
        return at, "\n".join(written_items(items))

    def _attached(self, lines: Sequence[_Line], at: int, depth: int) -> tuple[int, list[str]]:
        """Blocks that `+` hangs on a list item."""
        found: list[str] = []
        while at + 1 < len(lines) and lines[at].text == "+" and depth < MAX_NESTING:
            at += 1
            pending = Pending(in_item=True)
            while at < len(lines) and is_prelude(lines[at].text, pending):
                at += 1
            if at < len(lines) and lines[at].text:
                line = lines[at]
                at, written = self._block(lines, at, pending, depth + 1)
                found += [out.text for out in self._titled(written, pending, line)]
        return at, found


def _is_byline(text: str) -> bool:
    return bool(_AUTHOR.match(text) or _REVISION.match(text)) and not text.startswith("//")


def _code(texts: Sequence[str], language: str) -> str:
    """A listing without its callout numbers, which are no code."""
    return writing.fenced("\n".join(_CALLOUT.sub("", text) for text in texts), language)


def _ends_paragraph(text: str) -> bool:
    return (
        not text
        or bool(_DELIMITER.match(text) or BLOCK_ATTRIBUTES.match(text))
        or bool(_CONDITION.match(text))
        or text == "+"
    )


def _ends_item(text: str) -> bool:
    return _ends_paragraph(text) or item_of(text) is not None or bool(_HEADING.match(text))


def _next_item(lines: Sequence[_Line], at: int) -> int:
    """Past blank lines when another item follows; else stay."""
    end = at
    while end < len(lines) and not lines[end].text:
        end += 1
    return end if end < len(lines) and item_of(lines[end].text) else at
