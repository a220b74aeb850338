"""Markdown lines -> blocks: headings, paragraphs, lists, tables, code, with lines and break points.

Only the block structure is parsed; inline text stays as it stands in the source.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ingest.parsing.anchors import Slugger, read_heading
from ingest.types import Block, BlockKind

_KINDS = {
    "paragraph_open": BlockKind.PARAGRAPH,
    "bullet_list_open": BlockKind.LIST,
    "ordered_list_open": BlockKind.LIST,
    "table_open": BlockKind.TABLE,
    "blockquote_open": BlockKind.QUOTE,
    "fence": BlockKind.CODE,
    "code_block": BlockKind.CODE,
    "html_block": BlockKind.PARAGRAPH,
}
_ANCHOR = re.compile(r"""\s*<a\s+(?:id|name)=["']?([^"'\s>]+)["']?\s*(?:/>|>\s*</a>)\s*""", re.I)

MAX_UNDERLINED = 120
"""Longest underlined heading in characters: longer lines above `---` are prose (chosen on the
development corpora, whose longest real heading has 112)."""
_UNDERLINED_LINES = 2

_MARKDOWN = MarkdownIt("commonmark").enable("table")
_MDX = MarkdownIt("commonmark").enable("table").disable("code")


def read_blocks(
    lines: Sequence[str], origins: Sequence[int], *, mdx: bool = False
) -> tuple[Block, ...]:
    """`origins[n]` is the line of the source file that `lines[n]` came from.

    No line with text is lost: what the grammar swallows (link definitions) becomes a paragraph.
    Thematic breaks are dropped. MDX knows no indented code: components are indented at will.
    """
    tokens: list[Token] = []
    reader = _MDX if mdx else _MARKDOWN
    reader.block.parse("\n".join(lines), reader, {}, tokens)
    scan = _Scan(lines, origins)
    return tuple(_named(scan.blocks(tokens)))


class _Scan:
    """The walk over the top-level tokens of one page."""

    def __init__(self, lines: Sequence[str], origins: Sequence[int]) -> None:
        self._lines = lines
        self._origins = origins

    def blocks(self, tokens: Sequence[Token]) -> Iterator[Block]:
        done = 0
        for position, token in enumerate(tokens):
            if token.level or token.map is None or token.nesting < 0:
                continue
            start, end = token.map
            if start < done:
                continue
            yield from self._swallowed(done, start)
            done = max(end, done)
            yield from self._block(tokens, position, start, end)
        yield from self._swallowed(done, len(self._lines))

    def _block(
        self, tokens: Sequence[Token], position: int, start: int, end: int
    ) -> Iterator[Block]:
        token = tokens[position]
        if token.type == "heading_open" and not self._is_prose(token, start, end):
            heading = read_heading(tokens[position + 1].content)
            level = int(token.tag[1])
            yield Block(BlockKind.HEADING, heading.text, self._line(start), level, heading.anchor)
        elif token.type == "heading_open":
            yield from self._stretch(BlockKind.PARAGRAPH, start, end - 1)
        elif token.type in _KINDS:
            inside = self._inside(tokens, position) if "list" in token.type else ([], [])
            yield from self._stretch(_KINDS[token.type], start, end, *inside)

    def _is_prose(self, token: Token, start: int, end: int) -> bool:
        """A paragraph above a `---` that was meant as a break, not as an underline."""
        underlined = token.markup in {"-", "="}
        return underlined and (
            end - start > _UNDERLINED_LINES or len(self._lines[start]) > MAX_UNDERLINED
        )

    def _inside(self, tokens: Sequence[Token], position: int) -> tuple[list[int], list[int]]:
        """Lines at which the items of a list start, and those at which their blocks start."""
        items: list[int] = []
        inner: list[int] = []
        for token in tokens[position + 1 :]:
            if token.level == 0:
                break
            if token.map is None or token.nesting < 0 or token.type == "inline":
                continue
            into = items if token.level == 1 and token.type == "list_item_open" else inner
            into.append(token.map[0])
        return items, inner

    def _swallowed(self, start: int, end: int) -> Iterator[Block]:
        if any(line.strip() for line in self._lines[start:end]):
            yield from self._stretch(BlockKind.PARAGRAPH, start, end)

    def _stretch(
        self,
        kind: BlockKind,
        start: int,
        end: int,
        items: Sequence[int] = (),
        inner: Sequence[int] = (),
    ) -> Iterator[Block]:
        while start < end and not self._lines[start].strip():
            start += 1
        while end > start and not self._lines[end - 1].strip():
            end -= 1
        if start == end:
            return
        text = "\n".join(self._lines[start:end])
        if anchor := _ANCHOR.fullmatch(text):
            yield Block(BlockKind.ANCHOR, "", self._line(start), anchor=anchor[1])
            return
        yield Block(
            kind,
            text,
            self._line(start),
            tight=start > 0 and bool(self._lines[start - 1].strip()),
            breaks=_offsets(items, start, end),
            inner=_offsets(inner, start, end),
        )

    def _line(self, index: int) -> int:
        return self._origins[index] if index < len(self._origins) else 1


def _offsets(lines: Sequence[int], start: int, end: int) -> tuple[int, ...]:
    return tuple(sorted({line - start for line in lines if start < line < end}))


def _named(blocks: Iterator[Block]) -> Iterator[Block]:
    """Give every heading its anchor: the author's, that of an anchor just above, or a slug."""
    slugger = Slugger()
    pending: Block | None = None
    for block in blocks:
        if block.anchor:
            slugger.claim(block.anchor)
        if block.kind is BlockKind.HEADING:
            anchor = block.anchor or (pending.anchor if pending else slugger.slug(block.text))
            pending = None
            if block.text:
                yield replace(block, anchor=anchor)
            continue
        if pending:
            yield pending
        pending = block if block.kind is BlockKind.ANCHOR else None
        if pending is None:
            yield block
    if pending:
        yield pending
