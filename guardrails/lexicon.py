"""The word lists of `lexicon.toml` and `published.toml`, read once."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Words of one kind each, lower case, not stemmed."""

    stop_words: frozenset[str]
    subject_verbs: frozenset[str]
    negations: frozenset[str]
    obligation: frozenset[str]
    freedom: frozenset[str]
    exclusive: frozenset[str]
    universal: frozenset[str]
    partial: frozenset[str]
    opposites: tuple[tuple[frozenset[str], frozenset[str]], ...]


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(resources.files("guardrails").joinpath(name).read_text("utf-8"))


def _lexicon() -> Lexicon:
    data = _read("lexicon.toml")
    pairs = data.pop("opposites")
    return Lexicon(
        **{kind: frozenset(text.split()) for kind, text in data.items()},
        opposites=tuple((frozenset(a.split()), frozenset(b.split())) for a, b in pairs),
    )


LEXICON = _lexicon()
PUBLISHED: dict[str, frozenset[str]] = {
    kind: frozenset(text.split()) for kind, text in _read("published.toml").items()
}
