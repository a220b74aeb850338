"""An answer's Markdown -> the units that a reader sees, with the citations that each names.

Reads the page as it is shown and knows nothing of how the product drafted or verified it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_FENCE = re.compile(r"^(`{3,}|~{3,})")
_LIST = re.compile(r"^(?:\d+\.|-)\s+")
_MARKED = re.compile(r"(.+?)((?:\s?\[\d+\])+)([.!?…:;\"')\]”’。！？]*)(?=\s|$)", re.DOTALL)  # noqa: RUF001
_MARKER = re.compile(r"\[(\d+)\]")
_ONLY_MARKERS = re.compile(r"(?:\[\d+\])+")
_HEADING = re.compile(r"\*\*[^*]+\*\*:?")


@dataclass(frozen=True, slots=True)
class Shown:
    """`kind`: sentence | heading | code | table. `markers`: citation numbers, none if uncited."""

    text: str
    kind: str
    markers: tuple[int, ...]


def shown_units(markdown: str) -> list[Shown]:
    """The units in order. Code and tables take the markers of the line below, else those above."""
    units: list[Shown] = []
    for kind, text in _blocks(markdown):
        if kind == "text" and _ONLY_MARKERS.fullmatch(text):
            _prove(units, _numbers(text))
        elif kind == "text":
            units.extend(_sentences(text))
        else:
            units.append(Shown(text, kind, units[-1].markers if units else ()))
    return units


def _prove(units: list[Shown], markers: tuple[int, ...]) -> None:
    if units:
        last = units.pop()
        units.append(Shown(last.text, last.kind, markers))


def _blocks(markdown: str) -> Iterator[tuple[str, str]]:
    """(`code` | `table` | `text`, content): fenced code, runs of `|` lines, and single lines."""
    lines = markdown.split("\n")
    at = 0
    while at < len(lines):
        fence = _FENCE.match(lines[at])
        if fence is not None:
            end = _end_of_code(lines, at, fence.group(1))
            yield "code", "\n".join(lines[at + 1 : end])
            at = end + 1
        elif lines[at].startswith("|"):
            rest = range(at, len(lines))
            end = next((i for i in rest if not lines[i].startswith("|")), len(lines))
            yield "table", "\n".join(lines[at:end])
            at = end
        else:
            if lines[at].strip():
                yield "text", _LIST.sub("", lines[at].strip())
            at += 1


def _end_of_code(lines: Sequence[str], start: int, fence: str) -> int:
    closing = (i for i in range(start + 1, len(lines)) if lines[i].strip() == fence)
    return next(closing, len(lines))


def _sentences(line: str) -> Iterator[Shown]:
    if _HEADING.fullmatch(line):
        yield Shown(line.strip("*:"), "heading", ())
        return
    end = 0
    for match in _MARKED.finditer(line):
        yield Shown((match[1] + match[3]).strip(), "sentence", _numbers(match[2]))
        end = match.end()
    if line[end:].strip():
        yield Shown(line[end:].strip(), "sentence", ())


def _numbers(brackets: str) -> tuple[int, ...]:
    return tuple(int(number) for number in _MARKER.findall(brackets))
