"""Fit the page ranker and the answerability model, and say how they do on corpora not fitted on.

    python -m evals.fit_retrieval --data DIR --data DIR ... [--write]

Every figure of a corpus comes from models fitted on the others; only `--write` fits on all and
replaces the files that ship in `retrieval/models/`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import orjson
import typer

from evals.corpus import Corpus, Question, flat, load_corpus
from evals.fitting import Matrix, Ranked, fit_classifier, fit_ranker
from evals.metrics import auroc, coverage_at_risk, hit_at, ndcg_at
from evals.shelf import TENANT, read_chunks, shelve
from guardrails import Redactor
from guardrails.patterns import PatternRedactor
from retrieval.answerability import FEATURES as ANSWER_FEATURES
from retrieval.answerability import Answerability, answerability_features
from retrieval.candidates import CandidatePage, QuestionTerms, page_of
from retrieval.encoder import load_encoder
from retrieval.index import Rankings
from retrieval.library import Snapshot
from retrieval.linear import LinearModel
from retrieval.ranking import FEATURES as PAGE_FEATURES
from retrieval.ranking import PageRanker, RankedPage, page_features
from retrieval.representation import sparse_query
from retrieval.search import SearchPolicy, found
from retrieval.types import Encoder, Hit, Scope

RANKER_RIDGE = 1.0
CLASSIFIER_RIDGE = 10.0
ABSENT = "absent"
"""Kind of a question whose answering pages were taken out of what the retrievers returned."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One question with what the retrievers found for it."""

    question: Question
    kind: str
    answerable: bool
    asked: QuestionTerms
    pages: Sequence[CandidatePage]
    right: Sequence[bool]
    rows: Matrix = field(repr=False)


def collect(corpus: Corpus, snapshot: Snapshot, encoder: Encoder) -> Iterator[Sample]:
    """Each question, and each answerable one again with its pages absent."""
    policy = SearchPolicy()
    for question in corpus.questions:
        text = PatternRedactor().redact(question.text).text
        scope = Scope(TENANT, unrestricted=True)
        dense, sparse = encoder.encode_query(text), sparse_query(text)
        rankings = snapshot.index.search(dense, sparse, scope, policy.depth + 100)
        for kind, gone in _cases(question):
            seen = _without(rankings, gone, policy.depth)
            asked, pages = found(snapshot, seen, text, policy.pages)
            if pages:
                yield _sample(question, kind, asked, pages)


def _cases(question: Question) -> Iterator[tuple[str, frozenset[str]]]:
    yield question.kind, frozenset()
    if question.answerable:
        yield ABSENT, frozenset(question.pages)


def _without(rankings: Rankings, gone: frozenset[str], depth: int) -> Rankings:
    def kept(hits: Sequence[Hit]) -> tuple[Hit, ...]:
        return tuple(hit for hit in hits if flat(page_of(hit.id)) not in gone)[:depth]

    return Rankings(kept(rankings.dense), kept(rankings.sparse))


def _sample(
    question: Question, kind: str, asked: QuestionTerms, pages: Sequence[CandidatePage]
) -> Sample:
    right = [flat(page.doc_id) in question.answering for page in pages]
    rows = np.array(page_features(asked, pages), dtype=np.float64)
    answerable = question.answerable and kind != ABSENT
    return Sample(question, kind, answerable, asked, pages, right, rows)


def fit_both(
    samples: Mapping[str, Sequence[Sample]], origin: Mapping[str, object]
) -> tuple[LinearModel, LinearModel]:
    """Ranker and answerability model; every corpus weighs the same, whatever its size."""
    lists = [
        Ranked(s.rows, np.array(s.right), weight)
        for of_corpus, weight in _weighted(samples)
        for s in of_corpus
        if s.answerable
    ]
    ranking = fit_ranker(PAGE_FEATURES, lists, RANKER_RIDGE, origin)
    ranker = PageRanker(ranking)
    rows, labels, weights = [], [], []
    for of_corpus, weight in _weighted(samples):
        for s in of_corpus:
            rows.append(answerability_features(s.asked, ranker.rank(s.asked, s.pages)))
            labels.append(s.answerable)
            weights.append(weight)
    answering = fit_classifier(
        ANSWER_FEATURES,
        np.array(rows),
        np.array(labels),
        np.array(weights),
        CLASSIFIER_RIDGE,
        origin,
    )
    return ranking, answering


def _weighted(samples: Mapping[str, Sequence[Sample]]) -> list[tuple[Sequence[Sample], float]]:
    """The square root of the size: a small corpus counts for more than its size, not as much."""
    largest = max(len(of_corpus) for of_corpus in samples.values())
    return [(of, float(np.sqrt(largest / len(of)))) for of in samples.values()]


def judge(
    samples: Sequence[Sample], ranking: LinearModel, answering: LinearModel
) -> dict[str, object]:
    """The figures of one corpus under models that were fitted elsewhere."""
    ranker, answerability = PageRanker(ranking), Answerability(answering)
    ordered = [ranker.rank(s.asked, s.pages) for s in samples]
    confidence = [
        answerability.assess(s.asked, r)[0] for s, r in zip(samples, ordered, strict=True)
    ]
    positive = [c for s, c in zip(samples, confidence, strict=True) if s.answerable]
    by_kind = {s.kind for s in samples if not s.answerable}
    figures: dict[str, object] = {
        name: float(np.mean(values)) for name, values in _ranking_figures(samples, ordered).items()
    }
    for kind in sorted(by_kind):
        negative = [c for s, c in zip(samples, confidence, strict=True) if s.kind == kind]
        figures[f"auroc_{kind}"] = auroc(positive, negative)
    figures |= _coverage_figures(samples, ordered, confidence)
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in figures.items()}


def _ranking_figures(
    samples: Sequence[Sample], ordered: Sequence[Sequence[RankedPage]]
) -> dict[str, list[float]]:
    figures: dict[str, list[float]] = {"hit@1": [], "hit@10": [], "ndcg@10": []}
    for sample, ranked in zip(samples, ordered, strict=True):
        if sample.answerable:
            pages = [flat(r.page.doc_id) for r in ranked]
            figures["hit@1"].append(hit_at(1, pages, sample.question.answering))
            figures["hit@10"].append(hit_at(10, pages, sample.question.answering))
            figures["ndcg@10"].append(ndcg_at(10, pages, sample.question.pages))
    return figures


def _coverage_figures(
    samples: Sequence[Sample], ordered: Sequence[Sequence[RankedPage]], confidence: Sequence[float]
) -> dict[str, float]:
    """Over real questions: wrong is to answer what cannot be, or from a page that does not."""
    real = [
        (c, not (s.answerable and flat(r[0].page.doc_id) in s.question.pages))
        for s, r, c in zip(samples, ordered, confidence, strict=True)
        if s.kind != ABSENT
    ]
    scores, wrong = [c for c, _ in real], [w for _, w in real]
    share = sum(s.answerable for s in samples) / len(real)
    return {
        f"coverage@{risk:.0%}": coverage_at_risk(risk, scores, wrong).coverage / share
        for risk in (0.02, 0.05)
    }


def main(
    data: Annotated[list[Path], typer.Option(help="a corpus folder; give it once for each")],
    cache: Annotated[Path, typer.Option(help="where the converted encoder is kept")],
    write: Annotated[bool, typer.Option(help="fit on all and replace the shipped models")] = False,
) -> None:
    """Fit on the other corpora, judge each; print JSON."""
    encoder = load_encoder(cache=cache)
    redactor: Redactor = PatternRedactor()
    corpora = [load_corpus(folder) for folder in data]
    samples: dict[str, list[Sample]] = {}
    with ExitStack() as open_:
        for corpus in corpora:
            snapshot = open_.enter_context(shelve(read_chunks(corpus.docs, redactor), encoder))
            samples[corpus.name] = list(collect(corpus, snapshot, encoder))
    report = {
        name: judge(of, *fit_both({k: v for k, v in samples.items() if k != name}, {}))
        for name, of in samples.items()
        if len(samples) > 1
    }
    if write:
        _write(corpora, samples, report)
    typer.echo(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())


def _write(
    corpora: Sequence[Corpus], samples: Mapping[str, Sequence[Sample]], report: object
) -> None:
    origin = {
        "command": "python -m evals.fit_retrieval",
        "data": {c.name: {"digest": c.digest, "samples": len(samples[c.name])} for c in corpora},
        "scores_when_fitted_on_the_others": report,
    }
    folder = Path(__file__).parent.parent / "retrieval" / "models"
    folder.mkdir(exist_ok=True)
    for name, model in zip(("ranking", "answerability"), fit_both(samples, origin), strict=True):
        (folder / f"{name}.json").write_bytes(model.to_json() + b"\n")


if __name__ == "__main__":
    typer.run(main)
