"""Fitted sentences -> more of them: other names, other case, chat, names beside product terms."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from random import Random

from guardrails.names.addresses import address
from guardrails.names.corpus import Labelled, Part
from guardrails.types import Span

_SLOT = re.compile(r"\{([PFLOA])\}")
_TYPES = {"P": "PERSON", "F": "PERSON", "L": "LOCATION", "O": "ORGANIZATION", "A": "LOCATION"}
_NAME = re.compile(r"[^\W\d_][\w.'\u2019-]*(?: [^\W\d_][\w.'\u2019-]*){0,3}")
_TITLE = re.compile(r"(?:Mrs?|Ms|Miss|Dr|Prof)\.? ")


@dataclass(frozen=True, slots=True)
class Pools:
    """Names that occur in the fitted sentences, each once, in order; drawn from with a seed."""

    persons: tuple[str, ...]
    first: tuple[str, ...]
    last: tuple[str, ...]
    places: tuple[str, ...]
    gazetteer: tuple[str, ...]
    companies: tuple[str, ...]

    def draw(self, slot: str, rng: Random) -> str:
        """A name for P (person), F (first name), L (location), A (address) or O (organisation)."""
        match slot:
            case "P" if rng.random() < 0.6:  # noqa: PLR2004  # new pairs more often than known ones
                return f"{rng.choice(self.first)} {rng.choice(self.last)}"
            case "P":
                return rng.choice(self.persons)
            case "F":
                return rng.choice(self.first if rng.random() < 0.9 else self.last)  # noqa: PLR2004
            case "L":
                return self._place(rng)
            case "A":
                return address(lambda: self._place(rng), self.last, self.places, rng)
            case _:
                return rng.choice(self.companies)

    def _place(self, rng: Random) -> str:
        return rng.choice(rng.choice((self.places, self.gazetteer or self.places)))


def pools_of(sentences: Sequence[Labelled], gazetteer: Sequence[str] = ()) -> Pools:
    """The names of sentences as people write them; addresses and handles are left out.

    Half of the places that are drawn come from the gazetteer, if there is one.
    """
    found: dict[str, dict[str, None]] = {"PERSON": {}, "LOCATION": {}, "ORGANIZATION": {}}
    for sentence in sentences:
        for name in sentence.names:
            value = sentence.text[name.start : name.end]
            if _NAME.fullmatch(value) and value[0].isupper():
                found[name.type][_TITLE.sub("", value)] = None
    persons = sorted(found["PERSON"])
    pairs = [person.split() for person in persons if " " in person]
    return Pools(
        persons=tuple(persons),
        first=tuple(sorted({pair[0] for pair in pairs if len(pair[0]) > 1})),
        last=tuple(sorted({pair[-1] for pair in pairs if len(pair[-1]) > 1})),
        places=tuple(sorted(found["LOCATION"])),
        gazetteer=tuple(gazetteer),
        companies=tuple(sorted(found["ORGANIZATION"])),
    )


def filled(template: str, pools: Pools, rng: Random) -> Labelled:
    """A chat message with names drawn for its slots."""
    return _rebuilt(
        template,
        [(*m.span(), _TYPES[m[1]], pools.draw(m[1], rng)) for m in _SLOT.finditer(template)],
        "chat",
    )


def swapped(sentence: Labelled, pools: Pools, rng: Random) -> Labelled:
    """The sentence with each of its names drawn again; one that is no plain name stays."""
    pieces = []
    for name in sentence.names:
        value = sentence.text[name.start : name.end]
        slot = _slot(name.type, value)
        new = pools.draw(slot, rng) if _NAME.fullmatch(value) else value
        pieces.append((name.start, name.end, name.type, _cased_like(value, new)))
    return _rebuilt(sentence.text, pieces, sentence.source)


def beside(chat: Labelled, prose: Labelled, rng: Random) -> Labelled:
    """A message and a sentence about the product in one text, in either order."""
    gap = rng.choice((" ", "\n", ". ", ", "))
    if rng.random() < 0.5:  # noqa: PLR2004
        return replace(chat, text=f"{chat.text}{gap}{prose.text}")
    start = len(prose.text) + len(gap)
    names = tuple(replace(n, start=n.start + start, end=n.end + start) for n in chat.names)
    return replace(chat, text=f"{prose.text}{gap}{chat.text}", names=names)


def recased(sentence: Labelled, change: Callable[[str], str]) -> Labelled:
    """The sentence in another case, where that keeps its length: offsets must stay true."""
    text = change(sentence.text)
    return replace(sentence, text=text) if len(text) == len(sentence.text) else sentence


def templates() -> Mapping[str, list[str]]:
    """Chat messages with slots, by language."""
    return tomllib.loads((files("guardrails.names") / "chat.toml").read_text("utf-8"))


def _slot(type: str, value: str) -> str:
    if type == "PERSON":
        return "P" if " " in value else "F"
    return type[0]


def _cased_like(old: str, new: str) -> str:
    if old.islower():
        return new.lower()
    return new.upper() if old.isupper() and len(old) > 3 else new  # noqa: PLR2004  # not initials


def _rebuilt(text: str, pieces: Sequence[tuple[int, int, str, str]], source: str) -> Labelled:
    """The text with [start, end) replaced by a value of a type, for each piece in order."""
    out: list[str] = []
    names: list[Span] = []
    at = length = 0
    for start, end, type, value in pieces:
        out += (text[at:start], value)
        length += start - at
        names.append(Span(length, length + len(value), type, 1.0))
        length += len(value)
        at = end
    return Labelled("".join((*out, text[at:])), tuple(names), source, Part.FIT)
