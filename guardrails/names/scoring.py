"""Found names beside true ones: exact type with overlap, and strict spans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from guardrails.names.corpus import Corpus, Labelled, Part, of_part
from guardrails.types import Span

Find = Callable[[str], Sequence[Span]]
_QUIET = 1500
"""Sentences of prose that a part is judged on: the share is then good to one percent."""


@dataclass(frozen=True, slots=True)
class Score:
    """Of one entity: n true names; precision, recall and F1 in 0..1, 0 where there is nothing."""

    n: int
    precision: float
    recall: float
    f1: float


@dataclass(slots=True)
class Tally:
    """Counts over sentences, by type. `strict`: the bounds must be equal too."""

    strict: bool = False
    true: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    recalled: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)

    def add(self, true: Sequence[Span], found: Sequence[Span]) -> None:
        """One sentence: a true name is recalled, a found one right, if one of its type fits it."""
        self.true.update(span.type for span in true)
        self.found.update(span.type for span in found)
        self.recalled.update(span.type for span in true if self._fits(span, found))
        self.right.update(span.type for span in found if self._fits(span, true))

    def score(self, types: Iterable[str]) -> Score:
        """Over the types together."""
        types = set(types)
        right, found, recalled, true = (
            sum(counts[type] for type in types)
            for counts in (self.right, self.found, self.recalled, self.true)
        )
        precision = right / found if found else 0.0
        recall = recalled / true if true else 0.0
        both = precision + recall
        return Score(true, precision, recall, 2 * precision * recall / both if both else 0.0)

    def _fits(self, span: Span, others: Sequence[Span]) -> bool:
        return any(
            span.type == other.type
            and (
                (span.start, span.end) == (other.start, other.end)
                if self.strict
                else span.start < other.end and other.start < span.end
            )
            for other in others
        )


def selected(find: Find, corpus: Corpus) -> dict[str, float]:
    """What the selection part is judged by: F1 of each set by overlap, and the share of prose that
    stays whole."""
    sources = _by_source(of_part(corpus.labelled, Part.SELECTION))
    figures = {name: _tallied(find, many, strict=False) for name, many in sources.items()}
    f1 = {name: tally.score(tally.true).f1 for name, tally in figures.items()}
    return f1 | {"prose": _whole(find, of_part(corpus.prose, Part.SELECTION))}


def tested(find: Find, corpus: Corpus) -> dict[str, Any]:
    """Scores of the test part: by set, by way of counting, by entity; the share of whole prose."""
    scores: dict[str, Any] = {
        name: {
            way: _scores(_tallied(find, sentences, strict=way == "strict"))
            for way in ("overlap", "strict")
        }
        for name, sentences in _by_source(of_part(corpus.labelled, Part.TEST)).items()
    }
    return scores | {"prose": round(_whole(find, of_part(corpus.prose, Part.TEST)), 4)}


def _by_source(sentences: Iterable[Labelled]) -> dict[str, list[Labelled]]:
    sources: dict[str, list[Labelled]] = {}
    for sentence in sentences:
        sources.setdefault(sentence.source, []).append(sentence)
    return sources


def _tallied(find: Find, sentences: Iterable[Labelled], *, strict: bool) -> Tally:
    tally = Tally(strict)
    for sentence in sentences:
        tally.add(sentence.names, find(sentence.text))
    return tally


def _scores(tally: Tally) -> dict[str, dict[str, float]]:
    return {
        type: {name: round(value, 4) for name, value in asdict(tally.score([type])).items()}
        for type in sorted(tally.true)
    }


def _whole(find: Find, prose: Sequence[Labelled]) -> float:
    """Share of sentences without names in which none is found; 1.0 where there is no sentence."""
    judged = prose[:: max(1, len(prose) // _QUIET)]
    return sum(not find(one.text) for one in judged) / len(judged) if judged else 1.0
