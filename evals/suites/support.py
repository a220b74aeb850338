"""Is every shown unit carried by what it cites: an independent check, not the product's own.

Strict and lexical: each content word (stemmed), number and identifier of a unit must stand in a
chunk that it cites. It can call a true paraphrase unsupported; a unit with an invented number,
name or command cannot pass. Chunks count with their title and headings, as the reader sees them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent import Answer
from agent.language import language
from evals.suites.shown import Shown, shown_units
from evals.suites.words import content, squeezed
from retrieval.types import Chunk, ChunkId

_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_CODE = re.compile(r"`([^`]+)`")
_IDENTIFIER = re.compile(r"[A-Za-z][\w-]*(?:[_./][\w-]+)+|[a-z]+[A-Z]\w*|[A-Z]{2,}[\w-]*\d\w*")


@dataclass(frozen=True, slots=True)
class Checked:
    """One unit and what of it no cited chunk holds; supported when nothing is missing."""

    unit: Shown
    missing: tuple[str, ...]
    cited: bool

    @property
    def supported(self) -> bool:
        return self.cited and not self.missing


def check_answer(answer: Answer, chunks: Mapping[ChunkId, Chunk]) -> list[Checked]:
    """The claims of a given answer; headings are checked against all that it cites. Our own closing
    words about an answer that was cut short claim nothing and are left out."""
    cited = {citation.marker: citation.chunk_id for citation in answer.citations}
    held = {marker: _readable(chunks[id_]) for marker, id_ in cited.items() if id_ in chunks}
    own = squeezed(language(None).say("cut_short"))
    units = shown_units(answer.text)
    return [_check(unit, held) for unit in units if unit.markers or squeezed(unit.text) not in own]


def _check(unit: Shown, held: Mapping[int, str]) -> Checked:
    markers: Sequence[int] = tuple(held) if unit.kind == "heading" else unit.markers
    evidence = [held[marker] for marker in markers if marker in held]
    return Checked(unit, missing_from(unit, "\n".join(evidence)), bool(evidence))


def missing_from(unit: Shown, evidence: str) -> tuple[str, ...]:
    """What the evidence lacks: lines of code, or words, numbers, identifiers; sorted."""
    if unit.kind == "code":
        lines = [line for line in unit.text.split("\n") if line.strip()]
        flat = squeezed(evidence)
        return tuple(line for line in lines if squeezed(line) not in flat)
    text = html.unescape(unit.text)
    flat = squeezed(html.unescape(evidence))
    numbers = set(_NUMBER.findall(text)) - set(_NUMBER.findall(flat))
    named = {*_CODE.findall(text), *_IDENTIFIER.findall(text)}
    absent = {name for name in named if squeezed(name) not in flat}
    return tuple(sorted({*(content(text) - content(evidence)), *numbers, *absent}))


def _readable(chunk: Chunk) -> str:
    return "\n".join((chunk.title, *chunk.heading_path, chunk.text))
