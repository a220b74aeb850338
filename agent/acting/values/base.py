"""What an extractor is: one kind of value, found in what was said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from agent.acting.phrasing import Phrasing
from agent.acting.said import Found, Place, Said, Taken
from agent.acting.types import Choice
from agent.acting.wanted import Kind, Want


@dataclass(frozen=True, slots=True)
class Search:
    """One argument is looked for in one turn. `taken` are the stretches that are values already."""

    said: Said
    want: Want
    words: Phrasing
    taken: Taken = field(default_factory=Taken)
    choices: tuple[Choice, ...] = ()

    @property
    def bare(self) -> str:
        """The text without spaces and punctuation around it."""
        return self.said.text.strip(" \t\r\n,;:!?\"'`").rstrip(".")


class Extractor(Protocol):
    """Best first; of a list argument every value."""

    def find(self, search: Search) -> tuple[Found, ...]: ...


def named_values(search: Search, value: str) -> Iterator[re.Match[str]]:
    """Where the argument's own name stands beside a value: `port 5433`, `host is db.acme.io`,
    `the events table`. Group 1 is the value; `value` is a pattern without groups."""
    names = _names(search)
    if not names:
        return
    for match in _beside(search, names, value):
        if search.taken.free(*match.span(1)):
            yield match


def _beside(search: Search, names: str, value: str) -> Iterator[re.Match[str]]:
    joint = r"(?:is|=|:|to|of|called|named|should be|at|on)?"
    after = rf"\b(?:{names})\b\s*(?:name\s*)?{joint}\s*[:=]?\s*[\"'`]?({value})"
    yield from re.finditer(after, search.said.text, re.IGNORECASE)
    if search.want.kind in (Kind.NAME, Kind.TEXT):
        before = rf"\b(?:the|a|an|our|my|der|die|das)\s+[\"'`]?({value})[\"'`]?\s+(?:{names})\b"
        yield from re.finditer(before, search.said.text, re.IGNORECASE)


def _names(search: Search) -> str:
    """The argument's name and label as one pattern, longest first."""
    spoken = {search.want.name.replace("_", " ").lower(), search.want.argument.label.lower()}
    spoken |= {re.sub(r"\s*\(.*\)|s$", "", name) for name in spoken}
    return "|".join(re.escape(n) for n in sorted(spoken, key=len, reverse=True) if len(n) > 1)


def place(match: re.Match[str], group: int | str = 0) -> Place:
    return match.span(group)
