"""Development data -> labelled sentences in three disjoint parts: fit, selection, test."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from guardrails.types import Span


class CorpusError(Exception):
    """The development data cannot be read: a folder or a field is missing."""


class Part(Enum):
    """What a sentence is for. Nothing is fitted to, or chosen by, the test part."""

    FIT = "fit"
    SELECTION = "selection"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Labelled:
    """A sentence with its names, in order and apart."""

    text: str
    names: tuple[Span, ...]
    source: str
    part: Part


@dataclass(frozen=True, slots=True)
class Corpus:
    """Labelled sentences of the two sets, and prose and questions without names."""

    labelled: Sequence[Labelled]
    prose: Sequence[Labelled]

    def of_part(self, part: Part) -> list[Labelled]:
        return of_part([*self.labelled, *self.prose], part)


PRESIDIO = "pii_presidio/sentences.jsonl"
WNUT_TRAIN = "ner_wnut17/train.jsonl"
WNUT_DEV = "ner_wnut17/dev.jsonl"
PROSE, QUESTIONS = "prose", "questions"
"""Sources of sentences without names: pages of documentation, and questions of users."""
_PRESIDIO_TYPES = {"PERSON": "PERSON", "LOCATION": "LOCATION", "ORGANIZATION": "ORGANIZATION"}
_WNUT_TYPES = {
    "person": "PERSON",
    "location": "LOCATION",
    "corporation": "ORGANIZATION",
    "group": "ORGANIZATION",
}
SPLIT = 2
"""Seed of the split alone: with it each part holds names of each type."""
_SHARES = ((0.25, Part.TEST), (0.40, Part.SELECTION))
"""Upper ends in the order of hashes; what is above them is fitted."""


def name_types(*, addresses: bool) -> Mapping[str, str]:
    """Types of the Presidio set -> ours; a street address is a LOCATION or nothing."""
    return _PRESIDIO_TYPES | ({"ADDRESS": "LOCATION"} if addresses else {})


def read_presidio(data: Path, types: Mapping[str, str]) -> list[Labelled]:
    """Split by template: no sentence pattern is in two parts. Raises CorpusError."""
    return [
        Labelled(row["text"], _names(row, types), "presidio", drawn(row["template_id"], _SHARES))
        for row in rows_of(data / PRESIDIO)
    ]


def read_wnut(data: Path) -> list[Labelled]:
    """Train is split into fit and selection by the hash of the text; dev is the test part."""
    shares = ((0.1, Part.SELECTION),)
    train = [
        Labelled(row["text"], _names(row, _WNUT_TYPES), "wnut", drawn(row["text"], shares))
        for row in rows_of(data / WNUT_TRAIN)
    ]
    test = [
        Labelled(row["text"], _names(row, _WNUT_TYPES), "wnut", Part.TEST)
        for row in rows_of(data / WNUT_DEV)
    ]
    return train + test


def of_part(sentences: Iterable[Labelled], part: Part) -> list[Labelled]:
    return [sentence for sentence in sentences if sentence.part is part]


def digest_of(sentences: Iterable[Labelled]) -> str:
    """SHA-256 over every row that is read, with its labels and its part, in order."""
    digest = hashlib.sha256()
    for one in sentences:
        names = [(name.start, name.end, name.type) for name in one.names]
        row = json.dumps([one.source, one.part.value, one.text, names], ensure_ascii=False)
        digest.update(row.encode() + b"\n")
    return digest.hexdigest()


def rows_of(file: Path) -> Iterator[Mapping[str, Any]]:
    """Rows of a JSONL file. Raises CorpusError."""
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
        yield from [json.loads(line) for line in lines if line]
    except (OSError, ValueError) as error:
        raise CorpusError(f"{file} cannot be read: {error}") from error


def place(key: str) -> float:
    """0..1, the same for the same key on every machine."""
    return int(hashlib.sha256(f"{SPLIT}\0{key}".encode()).hexdigest()[:12], 16) / 16**12


def drawn(key: str, shares: Sequence[tuple[float, Part]] = _SHARES) -> Part:
    """The part that a key belongs to: a template, a sentence, a page."""
    at = place(key)
    return next((part for end, part in shares if at < end), Part.FIT)


def _names(row: Mapping[str, Any], types: Mapping[str, str]) -> tuple[Span, ...]:
    """Kept names in order; where two overlap the longer one stays."""
    try:
        spans = [
            Span(span["start"], span["end"], types[span["type"]], 1.0)
            for span in row["spans"]
            if span["type"] in types
        ]
    except KeyError as error:
        raise CorpusError(f"a row has no field {error}") from error
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start - span.end, span.start)):
        if all(span.end <= other.start or other.end <= span.start for other in kept):
            kept.append(span)
    return tuple(sorted(kept, key=lambda span: span.start))
