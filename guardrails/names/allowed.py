"""Product terms: capitalised, not people, never masked."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files

from guardrails.names.tokens import words_of
from guardrails.names.types import NAME_TYPES
from guardrails.types import Span

_POSSESSIVE = ("'s", "\u2019s")


class AllowList:
    """Terms compared word by word, without regard to case."""

    def __init__(self, terms: Iterable[str]) -> None:
        self._terms = frozenset(filter(None, (_key(term) for term in terms)))
        self._longest = max(map(len, self._terms), default=0)

    def with_more(self, terms: Iterable[str]) -> AllowList:
        """This one and these terms."""
        return AllowList((*map(" ".join, self._terms), *terms))

    def covers(self, value: str) -> bool:
        """Whether the value is made of allowed terms alone: `Slack`, `Slack's`, not `Slack Joe`.

        A name of which only a part is a product term stays a name: `Peter Jenkins`.
        """
        words = _key(value)
        reached = [True] + [False] * len(words)
        for end in range(1, len(words) + 1):
            starts = range(max(0, end - self._longest), end)
            reached[end] = any(reached[at] and words[at:end] in self._terms for at in starts)
        return bool(words) and reached[-1]

    def without(self, text: str, spans: Iterable[Span]) -> list[Span]:
        """The spans but for names that are product terms."""
        return [
            span
            for span in spans
            if span.type not in NAME_TYPES or not self.covers(text[span.start : span.end])
        ]


@lru_cache(maxsize=1)
def common_terms() -> tuple[str, ...]:
    """Products, protocols and formats that any software company's users write about."""
    listed = tomllib.loads((files("guardrails.names") / "terms.toml").read_text("utf-8"))
    return tuple(term for terms in listed.values() for term in terms)


def _key(value: str) -> tuple[str, ...]:
    for ending in _POSSESSIVE:
        value = value.removesuffix(ending)
    words = [word.text.casefold() for word in words_of(value)]
    return tuple(word for word in words if any(char.isalnum() for char in word))
