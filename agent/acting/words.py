"""Text -> words with stems and meanings, as tools and wishes are compared.

What counts as one meaning is data (`lexicon.toml`), the same for every product.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import snowballstemmer

from guardrails.pseudonyms import TOKEN

_WORD = re.compile(r"[^\W_]+(?:_[^\W_]+)*")
_NOUN = re.compile(r"\w{3,}[ts]ions?")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SPOKEN_TYPES = {
    "EMAIL_ADDRESS": "someone's e-mail address",
    "URL": "an address",
    "API_KEY": "a key",
    "PASSWORD": "a password",
    "PHONE_NUMBER": "a phone number",
    "IP_ADDRESS": "a host",
}
_EMAIL = re.compile(r"\S+@\S+\.\w+")
_LINK = re.compile(r"\w+://\S+")


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Stem -> names of meanings."""

    verbs: Mapping[str, frozenset[str]]
    nouns: Mapping[str, frozenset[str]]
    opposites: frozenset[tuple[str, str]]
    compounds: tuple[tuple[re.Pattern[str], str], ...]
    stop: frozenset[str]
    light: frozenset[str]  # stems of verbs that say little of what is done


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    data = tomllib.loads((files("agent.acting") / "lexicon.toml").read_text("utf-8"))
    opposed = {(a, b) for a, others in data["opposites"].items() for b in others.split()}
    return Lexicon(
        verbs=_meanings(data["verbs"]),
        nouns=_meanings(data["nouns"]),
        opposites=frozenset(opposed | {(b, a) for a, b in opposed}),
        compounds=tuple(
            (re.compile(rf"\b(?:{forms})\b", re.IGNORECASE), name)
            for name, forms in data["compounds"].items()
        ),
        stop=frozenset(data["stop"]["words"].split()),
        light=frozenset(stem(word) for word in data["light"]["words"].split()),
    )


def _meanings(groups: Mapping[str, str]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for meaning, words in groups.items():
        for word in words.split():
            found.setdefault(stem(word), set()).add(meaning)
    return {word: frozenset(names) for word, names in found.items()}


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """English, but that nouns in -ion stay apart from their verbs: a connection is no order to
    connect."""
    lower = word.lower()
    if _NOUN.fullmatch(lower):
        return lower.removesuffix("s")
    return str(_stemmer().stemWord(lower))


@lru_cache(maxsize=1)
def _stemmer() -> snowballstemmer.stemmer:
    return snowballstemmer.stemmer("english")


def spoken_out(text: str) -> str:
    """The text with values as the kind of thing that they are: what two wishes have in common."""
    text = TOKEN.sub(lambda match: _SPOKEN_TYPES.get(match[1], "a value"), text)
    return _LINK.sub("an address", _EMAIL.sub("someone's e-mail address", text))


def plain_words(text: str) -> list[str]:
    """Lower-case words in order, compounds as one."""
    text = text.replace("\u2019", "'")
    for pattern, name in lexicon().compounds:
        text = pattern.sub(name, text)
    return [word.lower() for word in _WORD.findall(text)]


def content(text: str) -> list[str]:
    """Stems of the words that carry meaning, in order, values spoken out."""
    stop = lexicon().stop
    return [stem(w) for w in plain_words(spoken_out(text)) if w not in stop and len(w) > 1]


def of_name(name: str) -> str:
    """`createInvite`, `create-invite`, `create_invite` -> `create invite`."""
    return " ".join(re.split(r"[\W_]+", _CAMEL.sub(" ", name))).strip().lower()


def verbs_of(stems: Iterable[str]) -> frozenset[str]:
    """Meanings of the stems that are verbs."""
    verbs = lexicon().verbs
    return frozenset(meaning for word in stems for meaning in verbs.get(word, ()))


def meanings_of(word: str) -> frozenset[str]:
    """Of one stem, verbs and nouns; nouns are marked apart."""
    nouns = lexicon().nouns.get(word, frozenset())
    return lexicon().verbs.get(word, frozenset()) | {f"{noun}." for noun in nouns}
