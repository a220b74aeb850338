"""text -> words and where each stands: linear time, blind to invisible characters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

_MARKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0903"
    "\u093a-\u094f\u0e31\u0e34-\u0e4e\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f"
)
_INVISIBLE = "\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff"
_TOKEN = re.compile(rf"[^\W_](?:[^\W_]|[{_MARKS}{_INVISIBLE}])*|\n\s*|[^\s{_INVISIBLE}]")
_HIDDEN = re.compile(f"[{_INVISIBLE}]")
_LONGEST = 48
"""Characters of a word that the model sees; no name is longer, and hashing stays cheap."""
NEWLINE = "\n"


@dataclass(frozen=True, slots=True)
class Word:
    """A word, a punctuation mark or a line break; [start, end) in code points of the original."""

    text: str
    start: int
    end: int


def words_of(text: str) -> tuple[Word, ...]:
    """Words as the model sees them: composed, without invisible characters, full-width folded."""
    return tuple(_words(text))


def _words(text: str) -> Iterator[Word]:
    for match in _TOKEN.finditer(text):
        found = match[0]
        if found.isspace():
            yield Word(NEWLINE, match.start(), match.end())
            continue
        seen = found if found.isascii() else _seen(found)
        yield Word(seen[:_LONGEST], match.start(), match.end())


def _seen(found: str) -> str:
    composed = unicodedata.normalize("NFKC", _HIDDEN.sub("", found)) or found
    return composed.encode("utf-8", "replace").decode()  # half a surrogate pair has no bytes
