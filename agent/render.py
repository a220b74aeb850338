"""Released units -> Markdown deltas that concatenate to the answer.

Steps are numbered from 1, bullets stay bullets, code and tables keep their own lines. Every
sentence ends with its markers, inside the full stop as in "... at once [1]."; a code block or table
is covered by the unit before it when that cites the same passage, else by a line of markers below.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.types import Block

_STOP = re.compile(r"[.!?\u2026\u3002\uff01\uff1f:;]+[\"')\]\u201d\u2019]*$")
_FENCE = re.compile(r"^\s*(`{3,})", re.MULTILINE)
_LANGUAGE = re.compile(r"[\w+#.-]{1,30}")
_LISTED = frozenset({Block.STEP, Block.ITEM})
_WHOLE = frozenset({Block.CODE, Block.TABLE})


@dataclass(frozen=True, slots=True)
class Unit:
    """A verified unit: its text, and the numbers of the citations that prove it.

    `topic` names what it is about (the first cited chunk); sentences of another one begin a new
    paragraph, so that unrelated sentences do not run into each other.
    """

    text: str
    block: Block
    markers: tuple[int, ...]
    topic: str
    language: str | None = None


class Renderer:
    """Renders one answer, unit by unit; holds only what the next delta depends on."""

    def __init__(self) -> None:
        self._last: Unit | None = None
        self._step = 0

    def feed(self, unit: Unit) -> str:
        """The next delta: the separator from what came before, then the unit."""
        self._step = self._numbered(unit)
        delta = self._separator(unit) + self._body(unit)
        self._last = unit
        return delta

    def close(self, notice: str) -> str:
        """A closing paragraph of our own words, such as why the answer stops here."""
        return f"\n\n{notice}" if self._last is not None else notice

    def _numbered(self, unit: Unit) -> int:
        """Code and tables inside a procedure do not restart its numbers; other text does."""
        if unit.block is Block.STEP:
            return self._step + 1
        return self._step if unit.block in _WHOLE else 0

    def _separator(self, unit: Unit) -> str:
        if self._last is None:
            return ""
        if unit.block in _LISTED and self._last.block is unit.block:
            return "\n"
        together = unit.block is Block.SENTENCE and self._last.block is Block.SENTENCE
        return " " if together and unit.topic == self._last.topic else "\n\n"

    def _body(self, unit: Unit) -> str:
        match unit.block:
            case Block.STEP:
                return f"{self._step}. {marked(_line(unit.text), unit.markers)}"
            case Block.ITEM:
                return f"- {marked(_line(unit.text), unit.markers)}"
            case Block.CODE:
                return _fenced(unit) + self._proof_below(unit)
            case Block.TABLE:
                return unit.text.strip("\n") + self._proof_below(unit)
            case Block.HEADING:
                return f"**{_line(unit.text)}**"
            case Block.SENTENCE:
                return marked(_line(unit.text), unit.markers)

    def _proof_below(self, unit: Unit) -> str:
        before = self._last.markers if self._last is not None else ()
        if set(unit.markers) <= set(before):
            return ""
        return "\n\n" + _brackets(unit.markers)


def marked(text: str, markers: Sequence[int]) -> str:
    """The text with ` [1][2]` before its closing punctuation, or at its end when it has none."""
    if not markers:
        return text
    stop = _STOP.search(text)
    cut = stop.start() if stop else len(text)
    return f"{text[:cut]} {_brackets(markers)}{text[cut:]}"


def _brackets(markers: Sequence[int]) -> str:
    return "".join(f"[{marker}]" for marker in markers)


def _line(text: str) -> str:
    return " ".join(text.split())


def _fenced(unit: Unit) -> str:
    """A fence longer than any inside; the language only when it is a plain word."""
    code = unit.text.strip("\n")
    longest = max((len(run) for run in _FENCE.findall(code)), default=0)
    fence = "`" * max(3, longest + 1)
    language = unit.language if unit.language and _LANGUAGE.fullmatch(unit.language) else ""
    return f"{fence}{language}\n{code}\n{fence}"
