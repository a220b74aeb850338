"""Redactors over labelled sentences: precision, recall and F1 of each entity, and their speed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from evals.intervals import Figure, ratio_of
from guardrails import Span
from guardrails.names.corpus import Labelled
from guardrails.names.scoring import Tally
from guardrails.names.tokens import words_of

NAMES = ("PERSON", "LOCATION", "ORGANIZATION")
STRUCTURED = (
    "CREDIT_CARD", "EMAIL_ADDRESS", "IBAN_CODE", "IP_ADDRESS", "PHONE_NUMBER", "US_SSN", "URL",
)  # fmt: skip
RUNS = {50: 200, 500: 200, 5000: 40}
"""Tokens of a text that is timed, and how many such texts."""

Find = Callable[[str], Sequence[Span]]
Mask = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Contender:
    """A redactor under measurement."""

    name: str
    find: Find
    mask: Mask


@dataclass(frozen=True, slots=True)
class Entity:
    """Of one entity: n true values; `overlap` needs the type, `strict` the same bounds too.

    `masked` is the share of values of which no letter or digit stays readable, whatever the type
    that they were taken for.
    """

    n: int
    overlap: Mapping[str, Figure | float]
    strict: Mapping[str, Figure | float]
    masked: Figure


@dataclass(frozen=True, slots=True)
class _Read:
    """A sentence, its true values and what was found in it."""

    sentence: Labelled
    found: Sequence[Span]


def accuracy(
    contender: Contender, sentences: Sequence[Labelled], types: Sequence[str], seed: int
) -> dict[str, Entity]:
    """By type, for types that occur; `all` is over all of them."""
    read = [_Read(one, contender.find(one.text)) for one in sentences]
    occurring = {span.type for one in sentences for span in one.names}
    groups = {type: (type,) for type in types if type in occurring}
    return {
        name: _entity(read, group, seed) for name, group in {**groups, "all": tuple(types)}.items()
    }


def quiet(contender: Contender, prose: Sequence[Labelled], seed: int) -> Figure:
    """Share of sentences without names in which no name is found."""
    clean = [not _of(contender.find(one.text), NAMES) for one in prose]
    return ratio_of([float(one) for one in clean], [1.0] * len(clean), seed)


def latency(contender: Contender, sentences: Sequence[Labelled], rng: Random) -> dict[str, Any]:
    """p50, p99 and worst in ms at each length, over texts of drawn sentences."""
    return {
        str(tokens): timed(contender, [text_of(sentences, tokens, rng) for _ in range(runs)])
        for tokens, runs in RUNS.items()
    }


def timed(contender: Contender, texts: Sequence[str]) -> dict[str, float]:
    """p50, p99 and worst in ms of masking each text once."""
    took = []
    for text in texts:
        started = time.perf_counter()
        contender.mask(text)
        took.append((time.perf_counter() - started) * 1000)
    p50, p99 = np.percentile(took, (50, 99))
    return {"n": len(took), "p50": float(p50), "p99": float(p99), "worst": max(took)}


def text_of(sentences: Sequence[Labelled], tokens: int, rng: Random) -> str:
    """Drawn sentences in a row, cut after so many tokens."""
    parts: list[str] = []
    missing = tokens
    while missing > 0:
        text = rng.choice(sentences).text
        words = words_of(text)
        parts.append(text[: words[min(missing, len(words)) - 1].end] if words else "")
        missing -= len(words)
    return " ".join(parts)


def _entity(read: Sequence[_Read], types: Sequence[str], seed: int) -> Entity:
    values = [(one, span) for one in read for span in _of(one.sentence.names, types)]
    hidden = [float(_hidden(one.sentence.text, span, one.found)) for one, span in values]
    return Entity(
        len(values),
        _figures(read, types, seed, strict=False),
        _figures(read, types, seed, strict=True),
        ratio_of(hidden, [1.0] * len(hidden), seed),
    )


def _figures(
    read: Sequence[_Read], types: Sequence[str], seed: int, *, strict: bool
) -> dict[str, Figure | float]:
    tallies = [Tally(strict) for _ in read]
    for one, tally in zip(read, tallies, strict=True):
        tally.add(_of(one.sentence.names, types), _of(one.found, types))
    right, found, recalled, true = (
        [float(counts.total()) for counts in column]
        for column in zip(*((t.right, t.found, t.recalled, t.true) for t in tallies), strict=True)
    )
    precision, recall = ratio_of(right, found, seed), ratio_of(recalled, true, seed)
    return {"precision": precision, "recall": recall, "f1": _f1(precision.value, recall.value)}


def _f1(precision: float, recall: float) -> float:
    """Zero where nothing is found or right; nan stays nan only where nothing is true."""
    if np.isnan(recall):
        return float("nan")
    found = 0.0 if np.isnan(precision) else precision
    return 2 * found * recall / (found + recall) if found + recall else 0.0


def _hidden(text: str, value: Span, found: Sequence[Span]) -> bool:
    return not any(
        text[at].isalnum() and not any(span.start <= at < span.end for span in found)
        for at in range(value.start, value.end)
    )


def _of(spans: Sequence[Span], types: Sequence[str]) -> list[Span]:
    return [span for span in spans if span.type in types]
