"""Lists of AsciiDoc -> nested lists of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ingest.parsing import writing

_ITEM = re.compile(r"^[ \t]*(\*{1,5}|-|\.{1,5}|\d{1,5}\.|[a-z]\.|<(?:\d+|\.)>)[ \t]+(\S.*)$")
_TERM = re.compile(r"^[ \t]*(\S.*?)(:{2,4}|;;)(?:[ \t]+(.*))?$")


class Item(NamedTuple):
    """An item as Markdown: its text first, then what hangs on it; `term` where it is one."""

    mark: str
    term: str
    blocks: list[str]


class Marked(NamedTuple):
    """The first line of an item, read."""

    mark: str
    term: str
    text: str


def item_of(text: str) -> Marked | None:
    """None for a line that starts no item."""
    if found := _ITEM.match(text):
        return Marked(found[1], "", found[2])
    if found := _TERM.match(text):
        return Marked(found[2], found[1], found[3] or "")
    return None


def written_items(items: Sequence[Item]) -> Iterator[str]:
    """Items indented by the order in which their marks first appear."""
    stack: list[str] = []
    counts: dict[str, int] = {}
    indent: dict[str, str] = {}
    for item in items:
        kind = _kind(item.mark)
        if kind in stack:
            del stack[stack.index(kind) + 1 :]
        else:
            counts[kind] = 0
            indent[kind] = (
                indent[stack[-1]] + " " * (3 if _ordered(stack[-1]) else 2) if stack else ""
            )
            stack.append(kind)
        counts[kind] += 1
        mark = f"{counts[kind]}. " if _ordered(kind) else "- "
        blocks = [
            f"**{item.term}**: {item.blocks[0]}".rstrip(": ") if item.term else item.blocks[0]
        ]
        text = writing.hung(writing.item([*blocks, *item.blocks[1:]]), mark)
        yield "\n".join(f"{indent[kind]}{line}".rstrip() for line in text.split("\n"))


def _kind(mark: str) -> str:
    if mark[0] == "<":
        return "<>"
    return "1." if mark[0].isdigit() else "a." if mark[0].isalpha() else mark


def _ordered(kind: str) -> bool:
    return kind[0] == "." or kind in {"1.", "a.", "<>"}
