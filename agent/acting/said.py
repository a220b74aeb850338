"""One turn as extractors read it: text, words with places, and the tokens that occur in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from pydantic import JsonValue

from agent.acting.words import stem
from guardrails.labels import Integrity
from guardrails.pseudonyms import TOKEN, whole
from tools.held import Held

_WORD = re.compile(r"[^\W_]+(?:['\u2019_-][^\W_]+)*")
_QUOTED = re.compile(
    r"\"([^\"\n]{1,200})\"|\u201c([^\u201d\n]{1,200})\u201d|\u201e([^\u201c\u201d\n]{1,200})[\u201c\u201d]"
    r"|(?<!\w)'([^'\n]{1,200})'(?!\w)|`([^`\n]{1,200})`|\u00ab([^\u00bb\n]{1,200})\u00bb"
)
Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word with its place [start, end) in the text."""

    text: str  # lower case
    stem: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Mention:
    """A held value where it was named."""

    held: Held
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Quote:
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Said:
    """`answers` when the text is the answer to a question about just this argument."""

    text: str
    now: datetime
    zone: tzinfo
    words: tuple[Spoken, ...]
    mentions: tuple[Mention, ...]
    quotes: tuple[Quote, ...]
    answers: bool = False

    def before(self, start: int, words: int = 3) -> str:
        """The last words before a place, lower case, one space apart."""
        return " ".join([w.text for w in self.words if w.end <= start][-words:])

    def after(self, end: int, words: int = 3) -> str:
        return " ".join([w.text for w in self.words if w.start >= end][:words])


@dataclass(frozen=True, slots=True)
class Found:
    """A value for an argument, and the stretches of text that it rests on.

    `score` in 0..1 says how surely this is the argument's: 1 where the text names it.
    """

    value: JsonValue
    places: tuple[Place, ...]
    integrity: Integrity = Integrity.USER_TYPED
    score: float = 1.0
    origin: str = ""


@dataclass(slots=True)
class Taken:
    """Stretches of the text that already are a value."""

    places: list[Place] = field(default_factory=list)

    def free(self, start: int, end: int) -> bool:
        return all(end <= a or start >= b for a, b in self.places)

    def add(self, places: Iterable[Place]) -> None:
        self.places.extend(places)


def listen(
    text: str,
    held: Mapping[str, Held],
    now: datetime,
    zone: tzinfo | None = None,
    *,
    answers: bool = False,
) -> Said:
    """Tokens that the conversation does not hold are words like any other."""
    mentions = tuple(
        Mention(held[whole(match[0])[0]], *match.span())
        for match in TOKEN.finditer(text)
        if whole(match[0])[0] in held
    )
    taken = Taken([(m.start, m.end) for m in mentions])
    words = tuple(
        Spoken(match[0].lower(), stem(match[0]), *match.span())
        for match in _WORD.finditer(text)
        if taken.free(*match.span())
    )
    quotes = tuple(
        Quote(next(g for g in match.groups() if g is not None), *match.span())
        for match in _QUOTED.finditer(text)
    )
    place = zone or now.tzinfo
    if place is None:
        raise ValueError("`now` needs a time zone")
    return Said(text, now.astimezone(place), place, words, mentions, quotes, answers)
