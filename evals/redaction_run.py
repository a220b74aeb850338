"""Development data and contenders -> one document of figures, all of one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from evals.measure import plain
from evals.redaction import NAMES, STRUCTURED, Contender, accuracy, latency, quiet
from evals.redaction_attacks import attacks, struck
from guardrails.names.corpus import Labelled, Part, of_part, read_presidio
from guardrails.names.prose import read_corpus

_STRUCTURED_TYPES = {type: type for type in STRUCTURED} | {"DOMAIN_NAME": "URL"}
_QUIET = 1500
"""Sentences of prose that are looked at, evenly from the test part."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What is measured on: pages beside the public ones, adversarial texts, and the seed."""

    docs: Sequence[Path] = ()
    attacks: int = 200
    addresses: bool = True
    """Whether a street address counts as a LOCATION, as in the training of the model."""
    seed: int = 7


def measured(
    contenders: Sequence[Contender], data: Path, options: Options, now: datetime, tell: Progress
) -> dict[str, Any]:
    """Names are judged on the test part alone; values with a shape, which nothing was fitted to,
    on every sentence. Raises CorpusError."""
    tests = _read(data, options)
    document: dict[str, Any] = {
        "made": now.isoformat(timespec="seconds"),
        "seed": options.seed,
        "sentences": {name: len(sentences) for name, sentences in tests.sets.items()},
        "accuracy": {},
        "prose_left_whole": {},
    }
    for name, sentences in tests.sets.items():
        tell(f"accuracy: {name}")
        types = STRUCTURED if name == "structured" else NAMES
        document["accuracy"][name] = {
            one.name: plain(accuracy(one, sentences, types, options.seed)) for one in contenders
        }
    for one in contenders:
        tell(f"prose, speed and attacks: {one.name}")
        document["prose_left_whole"][one.name] = plain(quiet(one, tests.prose, options.seed))
    return document | _speed(contenders, tests, options)


@dataclass(frozen=True, slots=True)
class _Tests:
    sets: Mapping[str, Sequence[Labelled]]
    prose: Sequence[Labelled]


def _read(data: Path, options: Options) -> _Tests:
    corpus = read_corpus(data, options.docs, addresses=options.addresses)
    names = of_part(corpus.labelled, Part.TEST)
    prose = of_part(corpus.prose, Part.TEST)
    sets = {
        "structured": read_presidio(data, _STRUCTURED_TYPES),
        "names": [one for one in names if one.source == "presidio"],
        "names_wnut": [one for one in names if one.source == "wnut"],
    }
    return _Tests(sets, prose[:: max(1, len(prose) // _QUIET)])


def _speed(contenders: Sequence[Contender], tests: _Tests, options: Options) -> dict[str, Any]:
    """The same texts for each contender."""
    texts = attacks(Random(options.seed), options.attacks)
    return {
        "latency_ms": {
            one.name: plain(latency(one, tests.sets["names"], Random(options.seed)))
            for one in contenders
        },
        "attacks": {one.name: plain(struck(one, texts)) for one in contenders},
    }
