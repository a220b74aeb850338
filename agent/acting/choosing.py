"""One turn and its catalogue -> candidates: tools in order, with the values that the text gives."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.acting.filling import Choices, Filled, fill
from agent.acting.phrasing import Phrasing
from agent.acting.profiles import Profile, Profiles, profiles
from agent.acting.routing import (
    Evidence,
    Scored,
    heard,
    lexical,
    match,
    score,
    shipped_model,
)
from agent.acting.said import Said
from agent.acting.types import Choice, Lookup
from agent.acting.vectors import TextVectors
from agent.acting.wanted import Kind, Want, required, wants
from agent.acting.words import lexicon
from retrieval.linear import LinearModel
from retrieval.types import Encoder
from tools.types import Choices as ChoicesOf
from tools.types import Manifest

LOOKED_AT = 12
"""Candidates whose arguments are filled. On the development set the right tool is among the first
eight by wording alone in all but two of a thousand cases of 80 tools."""
CATALOGUES = 16
"""Catalogues whose profiles are kept: one for each set of rights in use."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """`share` is the tool's probability among the candidates."""

    scored: Scored
    filled: Filled
    share: float

    @property
    def manifest(self) -> Manifest:
        return self.scored.profile.manifest


class Chooser:
    """Thread-safe; profiles of recent catalogues are kept."""

    def __init__(self, encoder: Encoder, model: LinearModel | None = None) -> None:
        self._encoder = encoder
        self._vectors = TextVectors(encoder)
        self._model = model or shipped_model()
        self._profiles: OrderedDict[tuple[tuple[str, str, str], ...], Profiles] = OrderedDict()

    async def candidates(
        self, said: Said, words: Phrasing, tools: Sequence[Manifest], lookup: Lookup | None
    ) -> list[Candidate]:
        """Best first; none where there are no tools."""
        if not tools:
            return []
        among, rows = await asyncio.to_thread(self._heard, said.text, tools)
        first = score(rows, among, {}, self._model)[:LOOKED_AT]
        reader = _Reader(lookup)
        filled: dict[str, Filled] = {}
        for each in first:
            manifest = each.profile.manifest
            choices = await reader.of(manifest, each.profile.wants)
            filled[manifest.name] = fill(manifest, said, words, choices)
        kept = {s.profile.manifest.name for s in first}
        evidence = {n: evidence_of(_profile(among, n), among, said, filled[n]) for n in kept}
        scored = [
            s for s in score(rows, among, evidence, self._model) if s.profile.manifest.name in kept
        ]
        shares = _softmax([s.logit for s in scored])
        return [
            Candidate(s, filled[s.profile.manifest.name], share)
            for s, share in zip(scored, shares, strict=True)
        ]

    async def choices(self, tool: Manifest, lookup: Lookup) -> Choices:
        """What the arguments of one tool may be at present."""
        return await _Reader(lookup).of(tool, wants(tool))

    async def ranked(self, text: str, tools: Sequence[Manifest]) -> list[Manifest]:
        """All tools by wording and meaning alone, the likeliest first."""
        if not tools:
            return []
        among, rows = await asyncio.to_thread(self._heard, text, tools)
        return [s.profile.manifest for s in score(rows, among, {}, self._model)]

    def _heard(self, text: str, tools: Sequence[Manifest]) -> tuple[Profiles, NDArray[np.float64]]:
        among = self.profiles_of(tools)
        return among, lexical(heard(text, self._encoder), among)

    def profiles_of(self, tools: Sequence[Manifest]) -> Profiles:
        key = tuple((t.name, t.version, t.title) for t in tools)
        known = self._profiles.get(key)
        if known is None:
            known = self._profiles[key] = profiles(tools, self._vectors)
            while len(self._profiles) > CATALOGUES:
                self._profiles.popitem(last=False)
        return known


class _Reader:
    """Choices of the product, each list once a turn however many tools ask for it."""

    def __init__(self, lookup: Lookup | None) -> None:
        self._lookup = lookup
        self._read: dict[ChoicesOf, tuple[Choice, ...]] = {}

    async def of(self, tool: Manifest, wanted: Mapping[str, Want]) -> Choices:
        found: dict[str, tuple[Choice, ...]] = {}
        for want in wanted.values():
            source = want.argument.choices
            if source is None or self._lookup is None:
                continue
            if source not in self._read:
                self._read[source] = await self._lookup.choices(tool.name, want.name)
            found[want.name] = self._read[source]
        return found


def _profile(among: Profiles, name: str) -> Profile:
    return next(p for p in among.tools if p.manifest.name == name)


def evidence_of(profile: Profile, among: Profiles, said: Said, filled: Filled) -> Evidence:
    typed = len(said.mentions) + len(said.quotes)
    unused = len(filled.unused(said)) + sum(filled.taken.free(q.start, q.end) for q in said.quotes)
    must = required(profile.manifest, {n: f.value for n, f in filled.found.items()})
    return Evidence(
        fitting=(typed - unused) / typed if typed else 0.0,
        foreign=unused / typed if typed else 0.0,
        complete=sum(n in filled.found for n in must) / len(must) if must else 0.0,
        explained=_explained(profile, among, said, filled),
        plural=_plural(profile, filled),
    )


def _explained(profile: Profile, among: Profiles, said: Said, filled: Filled) -> float:
    """Share of the words, by rarity, that the tool has, or that are part of a value for it."""
    own = frozenset(profile.body)
    torn = [place for found in filled.torn.values() for f in found for place in f.places]
    places = [*filled.taken.places, *torn]
    total = explained = 0.0
    for word in said.words:
        if word.text in lexicon().stop:
            continue
        rarity = among.rarity(word.stem)
        inside = any(a <= word.start and word.end <= b for a, b in places)
        total += rarity
        explained += rarity * (1.0 if inside else match(word.stem, own))
    return explained / total if total else 0.0


def _plural(profile: Profile, filled: Filled) -> float:
    """Whether a list that must be there got as many values as a list is for."""
    for name in required(profile.manifest, {}):
        want = profile.wants.get(name)
        if want is not None and want.many and want.kind is not Kind.ENUM:
            found = filled.found.get(name)
            values = found.value if found else None
            return 1.0 if isinstance(values, list) and len(values) > 1 else -1.0
    return 0.0


def _softmax(logits: Sequence[float]) -> list[float]:
    values = np.exp(np.array(logits) - max(logits))
    return [float(v) for v in values / values.sum()]
