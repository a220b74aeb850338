"""What was said and a catalogue -> the tool that is meant, and how surely.

logit(tool) = weights . features(tool); the weights are fitted on public sets of tools and requests
(`evals/fit_planner.py`), and nothing in them knows a product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA

from agent.acting.profiles import Profile, Profiles
from agent.acting.words import content, lexicon, meanings_of, spoken_out, verbs_of
from guardrails import stored
from retrieval.linear import LinearModel, load_model
from retrieval.types import Encoder, Vector

LEXICAL = (
    "cosine_title", "cosine_phrase", "cosine_about", "bm25", "title_said", "said_covered",
    "phrase_overlap", "verb", "opposite",
)  # fmt: skip
EVIDENCE = ("fitting", "foreign", "complete", "explained", "plural")
FEATURES = LEXICAL + EVIDENCE
_MEANING, _SLIP = 0.75, 0.8
"""What a word counts that means the same, or is one slip of the keyboard away; equal is 1."""
_FORGIVEN = 6


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the values in the text say of one tool."""

    fitting: float = 0.0  # share of the typed values that its arguments take
    foreign: float = 0.0  # share that nothing of it takes
    complete: float = 0.0  # share of its required arguments that the text gives
    explained: float = 0.0  # share of the words that are the tool's own or part of its values
    plural: float = 0.0  # 1 for a list that got several values, -1 for one that got a single one


@dataclass(frozen=True, slots=True)
class Scored:
    """A tool with its logit; `likeness` in 0..1 is how near the nearest phrase or title is."""

    profile: Profile
    logit: float
    likeness: float
    features: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """The text once, for all tools."""

    stems: tuple[str, ...]
    verbs: frozenset[str]
    vector: Vector
    weighty: bool = True  # whether the verb says what is to be done


def heard(text: str, encoder: Encoder) -> Heard:
    stems = tuple(content(text))
    weighty = any(w in lexicon().verbs and w not in lexicon().light for w in stems)
    vector = encoder.encode_query(stored(spoken_out(text)))
    return Heard(stems, _spoken_verbs(stems), vector, weighty)


def _spoken_verbs(stems: Sequence[str]) -> frozenset[str]:
    """Meanings of the first word that is a verb: what follows is mostly what it is done to. Light
    verbs ("make", "put") say little, and give way to the next."""
    said = [word for word in stems if word in lexicon().verbs]
    weighty = [word for word in said if word not in lexicon().light]
    return verbs_of((weighty or said)[:1])


@lru_cache(maxsize=1)
def shipped_model() -> LinearModel:
    model = load_model("agent.acting", "router")
    model.require(FEATURES)
    return model


def lexical(said: Heard, among: Profiles) -> NDArray[np.float64]:
    """Rows of LEXICAL, one a tool of the catalogue."""
    raw = [among.bm25(said.stems, profile) for profile in among.tools]
    best = max(raw, default=0.0) or 1.0
    rows = [
        _row(said, profile, among, score / best)
        for profile, score in zip(among.tools, raw, strict=True)
    ]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(LEXICAL))


def _row(said: Heard, profile: Profile, among: Profiles, bm25: float) -> list[float]:
    phrases = profile.phrases or (profile.title,)
    shared = said.verbs & profile.verbs
    opposed = not profile.switches and any(
        (a, b) in lexicon().opposites for a in said.verbs for b in profile.verbs
    )
    return [
        float(profile.title_vector @ said.vector),
        float(np.max(profile.phrase_vectors @ said.vector)),
        float(profile.body_vector @ said.vector),
        bm25,
        covered(profile.title, said.stems, among),
        covered(said.stems, tuple(profile.body), among),
        max(_overlap(phrase, said.stems, among) for phrase in phrases),
        1.0 if shared else -1.0 if said.weighty and profile.verbs else 0.0,
        1.0 if opposed and not shared else 0.0,
    ]


def covered(wanted: Sequence[str], there: Sequence[str], among: Profiles) -> float:
    """Share of the wanted words, by rarity, that are there: as they are, in meaning, or slipped."""
    total = sum(among.rarity(word) for word in wanted)
    if not total:
        return 0.0
    present = frozenset(there)
    return sum(among.rarity(word) * match(word, present) for word in wanted) / total


def _overlap(phrase: Sequence[str], said: Sequence[str], among: Profiles) -> float:
    """Harmonic mean of both coverages."""
    one, other = covered(phrase, said, among), covered(said, phrase, among)
    return 2 * one * other / (one + other) if one and other else 0.0


@lru_cache(maxsize=50_000)
def match(word: str, there: frozenset[str]) -> float:
    """How surely one of the stems means the same: 0..1."""
    if word in there:
        return 1.0
    meanings = meanings_of(word)
    if meanings and any(meanings & meanings_of(other) for other in there):
        return _MEANING
    if len(word) >= _FORGIVEN and any(
        len(other) >= _FORGIVEN and OSA.distance(word, other, score_cutoff=1) <= 1
        for other in there
    ):
        return _SLIP
    return 0.0


def score(
    rows: NDArray[np.float64],
    among: Profiles,
    evidence: Mapping[str, Evidence],
    model: LinearModel,
) -> list[Scored]:
    """Best first; tools without evidence count as if the text gave nothing for them."""
    full = [
        _full(row, evidence.get(p.manifest.name)) for row, p in zip(rows, among.tools, strict=True)
    ]
    matrix = np.array(full, dtype=np.float64).reshape(len(full), len(FEATURES))
    logits = model.logits(matrix)
    scored = [
        Scored(profile, float(logit), _likeness(row), tuple(row))
        for profile, logit, row in zip(among.tools, logits, full, strict=True)
    ]
    return sorted(scored, key=lambda s: (-s.logit, s.profile.manifest.name))


def _full(row: NDArray[np.float64], evidence: Evidence | None) -> list[float]:
    known = evidence or Evidence()
    return [
        *map(float, row),
        known.fitting,
        known.foreign,
        known.complete,
        known.explained,
        known.plural,
    ]


def _likeness(row: Sequence[float]) -> float:
    """Of meaning and wording together, against the nearest phrase or the title."""
    named = dict(zip(FEATURES, row, strict=True))
    meaning = max(named["cosine_phrase"], named["cosine_title"])
    wording = max(named["phrase_overlap"], named["title_said"] * named["said_covered"])
    return (max(meaning, 0.0) + wording) / 2
