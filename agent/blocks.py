"""Code and tables: shown only as the passage has them, line by line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch [start, end) of a text, in code points."""

    start: int
    end: int


def code_in(code: str, text: str) -> Stretch | None:
    """Where the lines of the code stand in the text, one below the other; indentation of the
    whole and blank lines aside. None when they do not."""
    wanted = [line.strip() for line in code.splitlines() if line.strip()]
    lines = [line for line in _lines(text) if line.text]
    for first in range(len(lines) - len(wanted) + 1):
        found = lines[first : first + len(wanted)]
        if wanted and [line.text for line in found] == wanted:
            return Stretch(found[0].start, found[-1].end)
    return None


def table_in(table: str, text: str) -> Stretch | None:
    """Where the rows of the table stand in the text; rows may be left out, none may be added,
    changed or moved. None when it holds a row of its own making."""
    wanted = [_cells(line) for line in table.splitlines() if line.strip()]
    lines = _lines(text)
    found: list[_Line] = []
    at = 0
    for row in wanted:
        while at < len(lines) and _cells(lines[at].text) != row:
            at += 1
        if at == len(lines):
            return None
        found.append(lines[at])
        at += 1
    return Stretch(found[0].start, found[-1].end) if found else None


@dataclass(frozen=True, slots=True)
class _Line:
    text: str  # without the white space around it
    start: int
    end: int


def _lines(text: str) -> Sequence[_Line]:
    found: list[_Line] = []
    at = 0
    for line in text.splitlines(keepends=True):
        bare = line.strip()
        start = at + (line.index(bare) if bare else 0)
        found.append(_Line(bare, start, start + len(bare)))
        at += len(line)
    return found


def _cells(line: str) -> tuple[str, ...]:
    """The cells of a row; all rules under a head (`| --- |`) are alike."""
    cells = tuple(" ".join(cell.split()) for cell in line.strip().strip("|").split("|"))
    if all(cell and not cell.strip("-: ") for cell in cells):
        return ("---",)
    return cells
