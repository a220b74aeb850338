"""Do citations point at pages that answer, are quotes verbatim, are shown sentences carried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evals.answers import Asked, Evaluation
from evals.intervals import Figure, mean_of, ratio_of
from evals.suites.support import Checked, check_answer
from evals.suites.words import squeezed
from retrieval.types import Citation

_EXAMPLES = 10
"""Faults named in the report; enough to see what they are made of."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One quote or unit that failed its check."""

    question: str
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class CitationFigures:
    """`figures` by name; the faults behind those that are not 1."""

    figures: Mapping[str, Figure]
    not_verbatim: Sequence[Fault]
    unsupported: Sequence[Fault]


def citations(evaluation: Evaluation) -> CitationFigures:
    """Answers at the product's threshold. Precision and recall over answerable questions; quotes
    and support over every answer that was shown."""
    seed = evaluation.options.seed
    shown = [one for one in evaluation.asked if one.answered]
    right = [one for one in shown if one.answerable]
    quotes = [list(_quotes(one, evaluation.docs)) for one in shown]
    checks = [check_answer(one.answer, one.chunks) for one in shown]
    sizes = [len(one.cited) for one in right]
    return CitationFigures(
        figures={
            "precision": ratio_of([_gold(one) for one in right], sizes, seed),
            "precision, linked pages too": ratio_of([_linked(one) for one in right], sizes, seed),
            "recall": mean_of([_gold(one) > 0 for one in right], seed),
            "recall of all answerable": mean_of(
                [one.answered and _gold(one) > 0 for one in evaluation.asked if one.answerable],
                seed,
            ),
            "quotes verbatim in the chunk": _share(
                [[q.in_chunk for q in of] for of in quotes], seed
            ),
            "quotes verbatim in the file": _share([[q.in_file for q in of] for of in quotes], seed),
            "units supported": _share([[unit.supported for unit in of] for of in checks], seed),
            "units cited": _share([[unit.cited for unit in of] for of in checks], seed),
        },
        not_verbatim=_quote_faults(shown, quotes),
        unsupported=_support_faults(shown, checks),
    )


@dataclass(frozen=True, slots=True)
class _Quote:
    citation: Citation
    in_chunk: bool
    in_file: bool


def _quotes(one: Asked, docs: Path) -> Iterator[_Quote]:
    for citation in one.answer.citations:
        chunk = one.chunks.get(citation.chunk_id)
        file = docs / citation.path
        page = file.read_text("utf-8", errors="replace") if file.is_file() else ""
        yield _Quote(
            citation,
            in_chunk=chunk is not None and citation.quote in chunk.text,
            in_file=squeezed(citation.quote) in squeezed(page),
        )


def _gold(one: Asked) -> int:
    return sum(page in one.question.answering for page in one.cited)


def _linked(one: Asked) -> int:
    return sum(page in one.question.pages for page in one.cited)


def _share(groups: Sequence[Sequence[bool]], seed: int) -> Figure:
    return ratio_of([sum(group) for group in groups], [len(group) for group in groups], seed)


def _quote_faults(shown: Sequence[Asked], quotes: Sequence[Sequence[_Quote]]) -> list[Fault]:
    faults = [
        Fault(
            one.question.id,
            quote.citation.quote,
            f"{'in the chunk' if quote.in_chunk else 'not in the chunk'}, "
            f"{'in' if quote.in_file else 'not in'} {quote.citation.path}",
        )
        for one, of in zip(shown, quotes, strict=True)
        for quote in of
        if not (quote.in_chunk and quote.in_file)
    ]
    return sorted(faults, key=lambda fault: not fault.why.startswith("not"))[:_EXAMPLES]


def _support_faults(shown: Sequence[Asked], checks: Sequence[Sequence[Checked]]) -> list[Fault]:
    faults = [
        Fault(
            one.question.id,
            check.unit.text,
            f"missing: {', '.join(check.missing)}" if check.cited else "cites nothing",
        )
        for one, of in zip(shown, checks, strict=True)
        for check in of
        if not check.supported
    ]
    return faults[:_EXAMPLES]
