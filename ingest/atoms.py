"""blocks of one section -> atoms: the smallest stretches that a chunk may begin or end with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from ingest.types import Block, BlockKind

_SENTENCE_END = re.compile(
    r"(?<=[.!?:])[\"')\]*_]*(\s+)(?=[\"'(\[*_`]*[A-Z0-9À-ÞА-Я])|(?<=[\u3002\uff01\uff1f])()"
)
_LINE_END = re.compile(r"(\n)")
_WORD_END = re.compile(r"(\s+)")
_FENCE = re.compile(r"^\s*(`{3,}|~{3,})")
_DELIMITER = re.compile(r"^\s*\|?[\s:|-]+\|?\s*$")
_LEAD_IN_CHARS = 300
"""A paragraph up to this length directly above a table or code is its lead-in."""


class Atom(NamedTuple):
    """`separator` stands between the atom before and `text`, within one chunk.

    `leads`: the next atom should not be parted from this one. `parted`: one of several that a long
    table or code block was cut into. `inside`: it begins within a list that an earlier atom began.
    """

    text: str
    separator: str
    anchor: str | None
    leads: bool = False
    parted: bool = False
    inside: bool = False

    @property
    def length(self) -> int:
        return len(self.separator) + len(self.text)


def atoms_of(blocks: Sequence[Block], max_chars: int, anchor: str | None) -> Iterator[Atom]:
    """Atoms in order, none longer than `max_chars` but for one row or word that is.

    `anchor` holds until an anchor block names a nearer place.
    """
    lead = 0  # characters that the first part of the block leaves to the line above it
    for position, block in enumerate(blocks):
        if block.kind is BlockKind.ANCHOR:
            anchor = block.anchor
            continue
        separator = "\n" if block.tight else "\n\n"
        leads = _leads(block, blocks[position + 1 :])
        parts = list(_parts(block, max_chars, lead))
        lead = min(len(block.text) + 2, max_chars // 2) if leads else 0
        for number, part in enumerate(parts):
            last = number == len(parts) - 1
            yield Atom(
                text=part.text,
                separator=part.separator or separator,
                anchor=anchor,
                leads=leads and last,
                parted=part.parted,
                inside=block.kind is BlockKind.LIST and number > 0,
            )


class _Part(NamedTuple):
    text: str
    separator: str = ""  # empty: as the block stands to the one before
    parted: bool = False


def _leads(block: Block, following: Sequence[Block]) -> bool:
    """Whether a paragraph introduces what follows it."""
    if block.kind is not BlockKind.PARAGRAPH or not following:
        return False
    after = following[0].kind
    if after in {BlockKind.TABLE, BlockKind.CODE}:
        return len(block.text) <= _LEAD_IN_CHARS or block.text.rstrip().endswith(":")
    return after is BlockKind.LIST and block.text.rstrip("* _").endswith(":")


def _parts(block: Block, max_chars: int, lead: int) -> Iterator[_Part]:
    if len(block.text) <= max_chars:
        yield _Part(block.text)
        return
    match block.kind:
        case BlockKind.TABLE:
            yield from _table_parts(block.text.split("\n"), max_chars, lead)
        case BlockKind.CODE:
            yield from _code_parts(block.text.split("\n"), max_chars, lead)
        case BlockKind.LIST:
            yield from _list_parts(block, max_chars)
        case _:
            yield from _text_parts(block.text, max_chars)


def _table_parts(lines: Sequence[str], max_chars: int, lead: int) -> Iterator[_Part]:
    """Rows, with the header before each part."""
    head = lines[: 2 if len(lines) > 1 and _DELIMITER.match(lines[1]) else 1]
    yield from _repeated(_Frame(head, []), lines[len(head) :], max_chars, lead)


def _code_parts(lines: Sequence[str], max_chars: int, lead: int = 0) -> Iterator[_Part]:
    """Lines, with the fence around each part; indented code has none."""
    opening = _FENCE.match(lines[0])
    if opening is None:
        yield from _repeated(_Frame([], []), lines, max_chars, lead)
        return
    closed = len(lines) > 1 and lines[-1].strip().startswith(opening[1])
    closing = lines[-1] if closed else opening[0]
    inner = lines[1 : -1 if closed else None]
    yield from _repeated(_Frame([lines[0]], [closing]), inner, max_chars, lead)


class _Frame(NamedTuple):
    head: Sequence[str]  # lines repeated before each part
    tail: Sequence[str]  # and behind it

    def around(self, rows: Sequence[str]) -> _Part:
        return _Part("\n".join((*self.head, *rows, *self.tail)), "\n\n", parted=True)


def _repeated(frame: _Frame, rows: Sequence[str], max_chars: int, lead: int) -> Iterator[_Part]:
    room = max_chars - sum(len(line) + 1 for line in (*frame.head, *frame.tail))
    held: list[str] = []
    size = lead
    for row in rows:
        if held and size + len(row) + 1 > room:
            yield frame.around(held)
            held, size = [], 0
        held.append(row)
        size += len(row) + 1
    yield frame.around(held)


def _list_parts(block: Block, max_chars: int) -> Iterator[_Part]:
    """Items; an item that is too long is cut at the blocks that it holds, then as text."""
    lines = block.text.split("\n")
    for item_start, item_end in _spans(block.breaks, 0, len(lines)):
        size = sum(len(line) + 1 for line in lines[item_start:item_end])
        inner = block.inner if size > max_chars else ()
        for start, end in _spans(inner, item_start, item_end):
            yield from _stretch_parts(lines, start, end, max_chars)


def _stretch_parts(lines: Sequence[str], start: int, end: int, max_chars: int) -> Iterator[_Part]:
    separator = "\n\n" if start and not lines[start - 1].strip() else "\n" if start else ""
    text = "\n".join(lines[start:end]).rstrip("\n")
    if not text.strip():
        return
    if len(text) <= max_chars:
        yield _Part(text, separator)
    elif _FENCE.match(lines[start]):
        parts = _code_parts(text.split("\n"), max_chars)
        yield from (_Part(part.text, "\n\n", parted=True) for part in parts)
    else:
        first, *rest = _text_parts(text, max_chars)
        yield _Part(first.text, separator)
        yield from rest


def _spans(breaks: Sequence[int], start: int, end: int) -> Iterator[tuple[int, int]]:
    edges = [start, *(at for at in breaks if start < at < end), end]
    yield from pairwise(edges)


def _text_parts(text: str, max_chars: int) -> Iterator[_Part]:
    """Sentences as long as they fit, else lines, else words."""
    yield from _cut(text, max_chars, (_SENTENCE_END, _LINE_END, _WORD_END))


def _cut(text: str, max_chars: int, marks: Sequence[re.Pattern[str]]) -> Iterator[_Part]:
    if len(text) <= max_chars or not marks:
        yield _Part(text)
        return
    separator, done = "", 0
    for mark in (*marks[0].finditer(text), None):
        end = (mark.start(1) if mark[1] is not None else mark.start()) if mark else len(text)
        if end > done:
            for number, part in enumerate(_cut(text[done:end], max_chars, marks[1:])):
                yield _Part(part.text, part.separator if number else separator)
        if mark:
            done = mark.end()
            separator = "\n" if "\n" in mark[0] else " " if mark[1] else ""
