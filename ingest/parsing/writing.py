"""Small pieces of Markdown, for readers of other formats."""

from __future__ import annotations

import re
from collections.abc import Sequence

_STRUCTURE = re.compile(r"(?=#{1,6}(?:\s|$)|[-+*](?:\s|$)|>|`{3}|~{3}|={3,}\s*$|-{3,}\s*$)")
_NUMBERED = re.compile(r"(\d{1,9})([.)])(?=\s|$)")
_BEFORE_LIST = re.compile(r"\n\n(?=(?:- |\d+\. ))")
_TICKS = re.compile(r"`+")
_FENCE_CHARS = 3


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A pipe table as wide as its widest row; cells are one line of inline Markdown each."""
    width = max(len(row) for row in (header, *rows))
    lines = [_row(header, width), _row(["---"] * width, width)]
    return "\n".join(lines + [_row(row, width) for row in rows])


def fenced(text: str, language: str = "") -> str:
    """A code block whose fence is longer than any run of backticks in it."""
    fence = "`" * max(_FENCE_CHARS, 1 + _longest_ticks(text))
    return f"{fence}{language}\n{text}\n{fence}"


def code_span(text: str) -> str:
    """Inline code on one line; empty for blank text."""
    flat = one_line(text)
    if not flat:
        return ""
    ticks = "`" * (1 + _longest_ticks(flat))
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{ticks}{pad}{flat}{pad}{ticks}"


def paragraph(text: str) -> str:
    """Lines of plain text; one that merely looks like the start of a block is escaped."""
    return "\n".join(_literal(line.strip()) for line in text.split("\n") if line.strip())


def quoted(text: str) -> str:
    """Markdown blocks as a quote; empty for blank text."""
    lines = text.split("\n") if text.strip() else []
    return "\n".join(f"> {line}".rstrip() for line in lines)


def hung(text: str, mark: str) -> str:
    """A list item: `mark` before the first line, the others indented below it."""
    head, *tail = text.split("\n")
    indent = " " * len(mark)
    return "\n".join([mark + head, *(f"{indent}{line}".rstrip() for line in tail)])


def item(blocks: Sequence[str]) -> str:
    """Blocks of a list item; a nested list follows without a blank line."""
    return _BEFORE_LIST.sub("\n", "\n\n".join(block for block in blocks if block))


def one_line(text: str) -> str:
    """White space collapsed."""
    return " ".join(text.split())


def _literal(line: str) -> str:
    if _STRUCTURE.match(line):
        return f"\\{line}"
    return _NUMBERED.sub(r"\1\\\2", line, count=1) if _NUMBERED.match(line) else line


def _row(cells: Sequence[str], width: int) -> str:
    padded = [*cells, *[""] * (width - len(cells))]
    return f"| {' | '.join(_cell(cell) for cell in padded)} |"


def _cell(text: str) -> str:
    return one_line(text).replace("\\|", "|").replace("|", "\\|")


def _longest_ticks(text: str) -> int:
    return max((len(run) for run in _TICKS.findall(text)), default=0)
