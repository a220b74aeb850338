"""Fit page ranker, blend and answerability, and say how they do on corpora not fitted on.

    python -m evals.fit_retrieval --data DIR --data DIR ... --reranker FILE [--write]

Every figure of a corpus comes from models fitted on the others; only `--write` fits on all and
replaces the files that ship in `retrieval/models/`. The reranker must not have seen the questions:
of a corpus that it was trained on, only the areas that its `--hold-out` left out are used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import orjson
import typer

from evals.corpus import Corpus, Question, flat, load_corpus
from evals.fit_reranker import area, held_out
from evals.fitting import Matrix, Ranked, fit_classifier, fit_ranker
from evals.metrics import auroc, coverage_at_risk, hit_at, ndcg_at
from evals.shelf import TENANT, read_chunks, shelve
from guardrails import Redacted, Redactor
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
from retrieval.reranker import load_reranker
from retrieval.reranking import FEATURES as BLEND_FEATURES
from retrieval.reranking import READ, PageReranker, read_pages
from retrieval.search import SearchPolicy, found
from retrieval.types import Chunk, Encoder, Hit, Reranker, Scope, Vector

RANKER_RIDGE = 1.0
CLASSIFIER_RIDGE = 10.0
RISKS = (0.01, 0.02, 0.05, 0.1)
ABSENT = "absent"
"""Kind of a question whose answering pages were taken out of what the retrievers returned."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One question with what the retrievers found for it."""

    question: Question
    text: Redacted
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
            asked, pages = found(snapshot, seen, text, scope, policy.pages)
            if pages:
                yield _sample(question, text, kind, asked, pages)


def _cases(question: Question) -> Iterator[tuple[str, frozenset[str]]]:
    yield question.kind, frozenset()
    if question.answerable:
        yield ABSENT, frozenset(question.pages)


def _without(rankings: Rankings, gone: frozenset[str], depth: int) -> Rankings:
    def kept(hits: Sequence[Hit]) -> tuple[Hit, ...]:
        return tuple(hit for hit in hits if flat(page_of(hit.id)) not in gone)[:depth]

    return Rankings(kept(rankings.dense), kept(rankings.sparse))


def _sample(
    question: Question,
    text: Redacted,
    kind: str,
    asked: QuestionTerms,
    pages: Sequence[CandidatePage],
) -> Sample:
    right = [flat(page.doc_id) in question.answering for page in pages]
    rows = np.array(page_features(asked, pages), dtype=np.float64)
    answerable = question.answerable and kind != ABSENT
    return Sample(question, text, kind, answerable, asked, pages, right, rows)


@dataclass(frozen=True, slots=True)
class Fitted:
    """The three models of one fit."""

    ranking: LinearModel
    blend: LinearModel
    answerability: LinearModel

    def order(self, sample: Sample, reranker: Reranker) -> list[RankedPage]:
        """As the product orders it."""
        ranked = PageRanker(self.ranking).rank(sample.asked, sample.pages)
        return PageReranker(reranker, self.blend).rerank(sample.text, ranked)


def fit_all(
    samples: Mapping[str, Sequence[Sample]], reranker: Reranker, origin: Mapping[str, object]
) -> Fitted:
    """Ranker, then blend, then answerability, each on what the one before gives."""
    weighted = [(s, weight) for of, weight in _weighted(samples) for s in of]
    lists = [Ranked(s.rows, np.array(s.right), w) for s, w in weighted if s.answerable]
    ranking = fit_ranker(PAGE_FEATURES, lists, RANKER_RIDGE, origin)
    ranker = PageRanker(ranking)
    read = [
        (s, w, read_pages(reranker, s.text, ranker.rank(s.asked, s.pages), READ))
        for s, w in weighted
    ]
    blend = fit_ranker(
        BLEND_FEATURES,
        [_blended(s, w, pages[: len(READ)]) for s, w, pages in read if s.answerable],
        RANKER_RIDGE,
        origin,
    )
    second = PageReranker(reranker, blend)
    answering = fit_classifier(
        ANSWER_FEATURES,
        np.array([answerability_features(s.asked, second.order(pages)) for s, _, pages in read]),
        np.array([s.answerable for s, _ in weighted]),
        np.array([w for _, w in weighted]),
        CLASSIFIER_RIDGE,
        origin,
    )
    return Fitted(ranking, blend, answering)


def _blended(sample: Sample, weight: float, pages: Sequence[RankedPage]) -> Ranked:
    rows = np.array([(page.score, page.rerank) for page in pages])
    right = [flat(page.page.doc_id) in sample.question.answering for page in pages]
    return Ranked(rows, np.array(right), weight)


def _weighted(samples: Mapping[str, Sequence[Sample]]) -> list[tuple[Sequence[Sample], float]]:
    """The square root of the size: a small corpus counts for more than its size, not as much."""
    largest = max(len(of_corpus) for of_corpus in samples.values())
    return [(of, float(np.sqrt(largest / len(of)))) for of in samples.values()]


def judge(samples: Sequence[Sample], fitted: Fitted, reranker: Reranker) -> dict[str, object]:
    """The figures of one corpus under models that were fitted elsewhere."""
    answerability = Answerability(fitted.answerability)
    ordered = [fitted.order(s, reranker) for s in samples]
    pairs = list(zip(samples, ordered, strict=True))
    confidence = [answerability.assess(s.asked, ranked)[0] for s, ranked in pairs]
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
    """Share of answerable questions that are answered at a risk, over the corpus' own questions.

    `refusal`: wrong is to answer what nothing answers. `page`: it is also wrong to answer from a
    page that neither holds the answer nor is linked from it.
    """
    real = [t for t in zip(samples, ordered, confidence, strict=True) if t[0].kind != ABSENT]
    scores = [c for _, _, c in real]
    share = sum(s.answerable for s, _, _ in real) / len(real)
    wrong = {
        "refusal": [not s.answerable for s, _, _ in real],
        "page": [flat(ranked[0].page.doc_id) not in s.question.pages for s, ranked, _ in real],
    }
    return {
        f"coverage@{risk:.0%}_{name}": _answered(scores, of, risk) / share
        for name, of in wrong.items()
        for risk in (0.02, 0.05)
    }


def _answered(scores: Sequence[float], wrong: Sequence[bool], risk: float) -> float:
    """Share of all questions that are answered rightly at the widest coverage within the risk."""
    point = coverage_at_risk(risk, scores, wrong)
    return point.coverage * (1 - point.risk)


def thresholds(
    samples: Mapping[str, Sequence[Sample]], reranker: Reranker
) -> list[tuple[float, float]]:
    """(risk, threshold) pairs: the most permissive threshold that keeps each risk on every corpus.

    Confidence comes from models fitted on the other corpora. Risk is the share of answered
    questions that nothing in the documentation answers, over the corpus' own questions.
    """
    table = []
    confidence = {name: _confidence(of, samples, name, reranker) for name, of in samples.items()}
    for risk in RISKS:
        points = [
            coverage_at_risk(risk, scores, [not s.answerable for s in real])
            for scores, real in confidence.values()
        ]
        table.append((risk, round(max(p.threshold for p in points), 4)))
    return table


def _confidence(
    of: Sequence[Sample], samples: Mapping[str, Sequence[Sample]], name: str, reranker: Reranker
) -> tuple[list[float], list[Sample]]:
    fitted = fit_all({k: v for k, v in samples.items() if k != name}, reranker, {})
    model = Answerability(fitted.answerability)
    real = [s for s in of if s.kind != ABSENT]
    return [model.assess(s.asked, fitted.order(s, reranker))[0] for s in real], real


def main(
    data: Annotated[list[Path], typer.Option(help="a corpus folder; give it once for each")],
    cache: Annotated[Path, typer.Option(help="where the converted encoder is kept")],
    reranker: Annotated[Path, typer.Option(help="a difference that evals.fit_reranker wrote")],
    write: Annotated[bool, typer.Option(help="fit on all and replace the shipped models")] = False,
) -> None:
    """Fit on the other corpora, judge each; print JSON."""
    encoder = load_encoder(cache=cache)
    scorer = Remembering(load_reranker(cache=cache, delta=reranker))
    trained = orjson.loads(reranker.with_suffix(".json").read_bytes())
    redactor: Redactor = PatternRedactor()
    corpora = [load_corpus(folder) for folder in data]
    samples: dict[str, list[Sample]] = {}
    for corpus in corpora:
        unseen = _unseen(corpus, trained)
        with shelve(read_chunks(corpus.docs, redactor), encoder) as snapshot:
            samples[corpus.name] = list(collect(unseen, snapshot, encoder))
        typer.echo(f"{corpus.name}: {len(unseen.questions)} questions", err=True)
    report = {
        name: judge(
            of, fit_all({k: v for k, v in samples.items() if k != name}, scorer, {}), scorer
        )
        for name, of in samples.items()
    }
    if write:
        _write(corpora, samples, scorer, report)
    typer.echo(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())


def _unseen(corpus: Corpus, trained: Mapping[str, Any]) -> Corpus:
    """Without the answerable questions that the reranker was trained on."""
    if corpus.name not in trained["data"]:
        return corpus
    parts, part = (int(x) for x in trained["held_out_areas"].split(":"))
    kept = tuple(
        q
        for q in corpus.questions
        if not q.answerable or any(held_out(area(page), parts, part) for page in q.pages)
    )
    return replace(corpus, questions=kept)


class Remembering:
    """A reranker that reads each pair once: fits ask for the same pairs many times."""

    def __init__(self, inner: Reranker) -> None:
        self._inner = inner
        self._known: dict[tuple[str, str], float] = {}

    @property
    def fingerprint(self) -> str:
        return self._inner.fingerprint

    def scores(self, question: Redacted, chunks: Sequence[Chunk]) -> Vector:
        fresh = [c for c in chunks if (question, c.id) not in self._known]
        for chunk, score in zip(fresh, self._inner.scores(question, fresh), strict=True):
            self._known[question, chunk.id] = float(score)
        return np.array([self._known[question, c.id] for c in chunks], dtype=np.float32)


def _write(
    corpora: Sequence[Corpus],
    samples: Mapping[str, Sequence[Sample]],
    reranker: Reranker,
    report: object,
) -> None:
    origin = {
        "command": "python -m evals.fit_retrieval",
        "data": {c.name: {"digest": c.digest, "samples": len(samples[c.name])} for c in corpora},
        "reranker": reranker.fingerprint,
        "thresholds": thresholds(samples, reranker),
        "scores_when_fitted_on_the_others": report,
    }
    folder = Path(__file__).parent.parent / "retrieval" / "models"
    folder.mkdir(exist_ok=True)
    fitted = fit_all(samples, reranker, origin)
    for name in ("ranking", "blend", "answerability"):
        model: LinearModel = getattr(fitted, name)
        (folder / f"{name}.json").write_bytes(model.to_json() + b"\n")


if __name__ == "__main__":
    typer.run(main)
