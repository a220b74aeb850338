"""What a recogniser is: shapes in RE2 syntax, each with a check such as a checksum."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import re2

from guardrails.recognizers.view import View
from guardrails.types import Span

_CONTEXT_CHARS = 60
"""How far before and after a candidate its context words are looked for."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a shape matched, with its surroundings in lower case."""

    value: str
    before: str
    after: str

    def near(self, words: tuple[str, ...]) -> bool:
        """Whether one of the words stands within 60 characters."""
        return any(word in self.before or word in self.after for word in words)


Check = Callable[[Candidate], bool]


def accept(_: Candidate) -> bool:
    """The check of a shape that needs none."""
    return True


@dataclass(frozen=True)
class Shape:
    """One regular expression of an entity. Group 1, where there is one, is what gets masked.

    RE2 syntax over ASCII bytes: linear time, no look-around. `hints` are lower-case strings of
    which a matching text must hold at least one; they only save time. Repetitions are bounded so
    that a scan over a whole text stays linear too.
    """

    regex: str
    score: float
    hints: tuple[str, ...] = ()
    check: Check = field(default=accept)

    @cached_property
    def compiled(self) -> Any:  # re2 ships no types
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.log_errors = False
        return re2.compile(self.regex.encode("ascii"), options)

    def find(self, entity: str, seen: View) -> Iterator[Span]:
        """Spans in offsets of the original text."""
        if self.hints and not any(hint in seen.lower for hint in self.hints):
            return
        group = 1 if self.compiled.groups else 0
        for match in self.compiled.finditer(seen.data):
            start, end = match.span(group)
            if start < end and self.check(_candidate(seen, start, end)):
                yield Span(*seen.place(start, end), entity, self.score)


def _candidate(seen: View, start: int, end: int) -> Candidate:
    return Candidate(
        seen.data[start:end].decode("ascii"),
        seen.lower[max(0, start - _CONTEXT_CHARS) : start],
        seen.lower[end : end + _CONTEXT_CHARS],
    )


@dataclass(frozen=True, slots=True)
class Recognizer:
    """Finds one entity."""

    entity: str
    shapes: tuple[Shape, ...]

    def find(self, seen: View) -> Iterator[Span]:
        for shape in self.shapes:
            yield from shape.find(self.entity, seen)


def digits_of(value: str) -> str:
    return "".join(char for char in value if char.isdigit())


def luhn(digits: str) -> bool:
    """Luhn mod-10 checksum (ISO/IEC 7812-1)."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + position % 2)
        total += doubled - 9 if doubled > 9 else doubled  # noqa: PLR2004
    return bool(digits) and total % 10 == 0
