"""chunk text -> units: the sentences, list items, code blocks and tables that it is made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token


class UnitKind(StrEnum):
    """How a unit stands in its chunk."""

    SENTENCE = "sentence"
    STEP = "step"
    ITEM = "item"
    CODE = "code"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Unit:
    """A stretch of a chunk's text: `text == chunk.text[start:end]`, markers of lists left out."""

    kind: UnitKind
    start: int
    end: int
    text: str
    block: int  # units of one paragraph, list, fence or table share it
    depth: int = 0  # nesting of a list item, from 0
    language: str | None = None  # of a code block


_MARKDOWN = MarkdownIt("commonmark").enable("table")
_LEAF = {"paragraph_open", "fence", "code_block", "table_open", "html_block"}
_ITEM_MARK = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(?:\[[ xX]\][ \t]+)?")
_NO_STOP = r"(?<!\be\.g)(?<!\bi\.e)(?<!\betc)(?<!\bvs)(?<!\bcf)(?<!\bNo)(?<!\bapprox)"
_SENTENCE_END = re.compile(
    _NO_STOP + r"[.!?][)\"'\u2019\u201d*_`]*\s+(?=[\"'\u2018\u201c(\[*_`]*[A-Z0-9À-ÞА-Я¿¡])"
)


@lru_cache(maxsize=4096)
def split(text: str) -> tuple[Unit, ...]:
    """The units of a chunk in order. Cached: the same chunks come again and again."""
    starts = _line_starts(text)
    units: list[Unit] = []
    for block, (token, kind, depth) in enumerate(_leaves(_MARKDOWN.parse(text))):
        if token.map is None:
            continue
        start, end = starts[token.map[0]], starts[token.map[1]]
        units.extend(_units_of(text, (start, end), token, kind, (block, depth)))
    return tuple(units)


def _leaves(tokens: list[Token]) -> Iterator[tuple[Token, UnitKind, int]]:
    """Leaf blocks with the kind that the lists around them give, and their list depth."""
    lists: list[UnitKind] = []
    in_table = False
    for token in tokens:
        match token.type:
            case "ordered_list_open":
                lists.append(UnitKind.STEP)
            case "bullet_list_open":
                lists.append(UnitKind.ITEM)
            case "ordered_list_close" | "bullet_list_close":
                lists.pop()
            case "table_close":
                in_table = False
            case leaf if leaf in _LEAF and not in_table:
                in_table = leaf == "table_open"
                kind = lists[-1] if lists else UnitKind.SENTENCE
                yield token, kind, max(len(lists) - 1, 0)


def _units_of(
    text: str, span: tuple[int, int], token: Token, kind: UnitKind, place: tuple[int, int]
) -> Iterator[Unit]:
    start, end = span
    block, depth = place
    if token.type in ("fence", "code_block"):
        yield from _code(text, span, token, place)
    elif token.type == "table_open":
        yield _unit(text, UnitKind.TABLE, (start, end), block)
    elif token.type == "paragraph_open":
        mark = _ITEM_MARK.match(text, start, end)
        start = mark.end() if mark else start
        if kind in (UnitKind.STEP, UnitKind.ITEM):
            yield _unit(text, kind, (start, end), block, depth)
        else:
            for a, b in _sentences(text, start, end):
                yield _unit(text, UnitKind.SENTENCE, (a, b), block)


def _code(text: str, span: tuple[int, int], token: Token, place: tuple[int, int]) -> Iterator[Unit]:
    """The code between the fences, where it stands verbatim (not re-indented) in the text."""
    code = token.content.rstrip("\n")
    at = text.find(code, *span) if code.strip() else -1
    block, depth = place
    start, end = (at, at + len(code)) if at >= 0 else span
    language = token.info.split()[0] if token.info.strip() else None
    if code.strip():
        yield Unit(UnitKind.CODE, start, end, text[start:end], block, depth, language)


def _sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    at = start
    for match in _SENTENCE_END.finditer(text, start, end):
        yield at, match.end()
        at = match.end()
    if at < end:
        yield at, end


def _unit(text: str, kind: UnitKind, span: tuple[int, int], block: int, depth: int = 0) -> Unit:
    start, end = span
    raw = text[start:end]
    start += len(raw) - len(raw.lstrip())
    end = start + len(raw.strip())
    return Unit(kind, start, end, text[start:end], block, depth)


def _line_starts(text: str) -> list[int]:
    """Offset of every line; two more than lines, so that an end past the last resolves."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    starts.append(len(text))
    return starts
