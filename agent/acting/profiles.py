"""A catalogue as the router reads it: the words and vectors of every tool, made once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from agent.acting.vectors import TextVectors
from agent.acting.wanted import Kind, Want, required, wants
from agent.acting.words import content, lexicon, of_name, spoken_out, verbs_of
from guardrails import stored
from retrieval.types import Vector
from tools.types import Manifest

K1, B = 1.2, 0.75
"""BM25's usual saturation and length parameters (Robertson and Zaragoza, 2009)."""
_TITLE_WEIGHT = 3  # the title is the tool's name for people; it counts as often as three mentions


@dataclass(frozen=True, slots=True)
class Profile:
    """One tool. `body` counts the stems of everything that is said of it."""

    manifest: Manifest
    wants: Mapping[str, Want]
    title: tuple[str, ...]
    phrases: tuple[tuple[str, ...], ...]
    body: Counter[str]
    verbs: frozenset[str]
    title_vector: Vector
    body_vector: Vector
    phrase_vectors: Vector  # a row a phrase; one row, the title's, where there is none

    @property
    def switches(self) -> bool:
        """Whether it turns something on or off, so that the opposite verb means it too."""
        must = required(self.manifest, {})
        return any(self.wants[n].kind is Kind.BOOLEAN for n in must if n in self.wants)

    @property
    def length(self) -> int:
        return sum(self.body.values())


@dataclass(frozen=True, slots=True)
class Profiles:
    """All tools of one catalogue, with how rare each stem is among them."""

    tools: tuple[Profile, ...]
    idf: Mapping[str, float]
    mean_length: float

    def rarity(self, stem: str) -> float:
        """Of a stem that no tool has: as rare as can be."""
        return self.idf.get(stem, math.log(1 + 2 * len(self.tools)))

    def bm25(self, said: Sequence[str], profile: Profile) -> float:
        share = profile.length / max(self.mean_length, 1)
        total = 0.0
        for stem in set(said):
            count = profile.body[stem]
            if count:
                total += self.rarity(stem) * count * (K1 + 1) / (count + K1 * (1 - B + B * share))
        return total


def profiles(tools: Sequence[Manifest], vectors_of: TextVectors) -> Profiles:
    """Encodes titles, phrases and descriptions: some 30 ms for a tool that is new."""
    texts = [_texts(tool) for tool in tools]
    flat = [stored(text) for group in texts for text in group]
    vectors = vectors_of.of(flat)
    made, at = [], 0
    for tool, group in zip(tools, texts, strict=True):
        made.append(_profile(tool, vectors[at : at + len(group)]))
        at += len(group)
    frequency = Counter(stem for profile in made for stem in profile.body)
    idf = {s: math.log(1 + (len(made) - n + 0.5) / (n + 0.5)) for s, n in frequency.items()}
    lengths = [profile.length for profile in made]
    return Profiles(tuple(made), idf, sum(lengths) / max(len(lengths), 1))


def _texts(tool: Manifest) -> list[str]:
    """Title, description, then every phrase."""
    about = f"{tool.title}. {tool.summary}" if tool.summary else f"{tool.title}. {_labels(tool)}"
    return [tool.title, about, *(spoken_out(phrase) for phrase in tool.phrases)]


def _labels(tool: Manifest) -> str:
    return ", ".join(argument.label for argument in tool.arguments.values())


def _profile(tool: Manifest, vectors: Vector) -> Profile:
    wanted = wants(tool)
    title = tuple(content(f"{tool.title}"))
    phrases = tuple(tuple(content(phrase)) for phrase in tool.phrases)
    body = Counter({stem: _TITLE_WEIGHT * n for stem, n in Counter(title).items()})
    told = [of_name(tool.name), tool.summary, *tool.phrases, *(_told(w) for w in wanted.values())]
    body.update(content(" ".join(told)))
    first = [s for s in (*title[:1], *content(of_name(tool.name))[:1]) if s in lexicon().verbs]
    leads = [next((s for s in phrase if s in _weighty()), "") for phrase in phrases]
    return Profile(
        manifest=tool,
        wants=wanted,
        title=title,
        phrases=phrases,
        body=body,
        verbs=verbs_of([*first, *leads]),
        title_vector=vectors[0],
        body_vector=vectors[1],
        phrase_vectors=vectors[2:] if len(vectors) > 2 else vectors[:1],  # noqa: PLR2004
    )


def _weighty() -> frozenset[str]:
    return frozenset(lexicon().verbs) - lexicon().light


def _told(want: Want) -> str:
    described = want.schema.get("description")
    parts = [
        of_name(want.name),
        want.argument.label,
        described if isinstance(described, str) else "",
    ]
    return " ".join([*parts, *_members(want.schema.get("enum"))])


def _members(allowed: JsonValue) -> list[str]:
    return [of_name(str(v)) for v in allowed if v is not None] if isinstance(allowed, list) else []
