"""AsciiDoc and CSV tables -> Markdown tables."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence

from ingest.parsing.writing import table

_CELL = re.compile(r"(?<!\\)(?:(?<=\s)|^)((?:\d+\*)?(?:\d+)?(?:\.\d+)?\+?[<^>.]*[a-z]?)\|")
_PLAIN_CELL = re.compile(r"(?<!\\)\|")
_SPAN = re.compile(r"^(\d+)\+")
_REPEAT = re.compile(r"^(\d+)\*")
MAX_COLUMNS = 100


def read_table(
    lines: Sequence[str], mark: str, options: Mapping[str, str], inline: Callable[[str], str]
) -> str:
    """Lines between the delimiters; `mark` is `|`, `!`, `,` (CSV) or `:` (DSV)."""
    formats = {"csv": ",", "dsv": ":", "tsv": "\t"}
    separator = formats.get(options.get("format", ""), mark if mark in ",:" else "")
    if separator:
        rows = [row for row in csv.reader(lines, delimiter=separator) if row]
        header = _has_header(lines, options)
    else:
        sources = [line.replace("!", "|") for line in lines] if mark == "!" else lines
        rows, header = _piped(sources, options), _has_header(lines, options)
    written = [[inline(cell.strip()) for cell in row] for row in rows]
    if not written:
        return ""
    return table(written[0], written[1:]) if header else table([""] * len(written[0]), written)


def _has_header(lines: Sequence[str], options: Mapping[str, str]) -> bool:
    """As Asciidoctor: told so, or the first row is followed by a blank line."""
    named = options.get("options", "") + options.get("opts", "")
    if "noheader" in named:
        return False
    return "header" in named or (len(lines) > 1 and bool(lines[0].strip()) and not lines[1].strip())


def _piped(lines: Sequence[str], options: Mapping[str, str]) -> list[list[str]]:
    cells: list[str] = []
    width = _columns(options.get("cols", ""))
    for line in lines:
        found = list(_CELL.finditer(line)) or list(_PLAIN_CELL.finditer(line))
        found = _all_cells(line, found)
        if not found:
            if cells and line.strip():
                cells[-1] = f"{cells[-1]} {line.strip()}"
            continue
        if cells and (before := line[: found[0].start()].strip()):
            cells[-1] = f"{cells[-1]} {before}"
        new = _cells(line, found)
        width = width or len(new)
        cells += new
    width = max(1, min(width, MAX_COLUMNS))
    return [cells[at : at + width] for at in range(0, len(cells), width)]


def _all_cells(line: str, found: list[re.Match[str]]) -> list[re.Match[str]]:
    """Cell marks with a specifier before them, and bare ones inside a word (`a|b`)."""
    taken = {match.end() for match in found}
    bare = [m for m in _PLAIN_CELL.finditer(line) if m.end() not in taken]
    return sorted([*found, *bare], key=lambda match: match.end())


def _cells(line: str, marks: Sequence[re.Match[str]]) -> list[str]:
    found: list[str] = []
    for position, mark in enumerate(marks):
        end = marks[position + 1].start() if position + 1 < len(marks) else len(line)
        text = line[mark.end() : end].strip().replace("\\|", "|")
        spec = mark[0]
        repeat, span = _REPEAT.match(spec), _SPAN.match(spec)
        found += [text] * min(int(repeat[1]), MAX_COLUMNS) if repeat else [text]
        found += [""] * (min(int(span[1]), MAX_COLUMNS) - 1) if span else []
    return found


def _columns(cols: str) -> int:
    """`3*`, `1,2,1` or `1,3*a`: how many columns."""
    total = 0
    for part in (part.strip() for part in cols.split(",")):
        if part:
            repeat = _REPEAT.match(part)
            total += min(int(repeat[1]), MAX_COLUMNS) if repeat else 1
    return total
