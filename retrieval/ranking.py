"""candidate pages -> ranked pages: one linear score over features that no corpus owns.

The weights are fitted by `python -m evals.fit_retrieval` and ship as `models/ranking.json`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from retrieval.candidates import Candidate, CandidatePage, QuestionTerms, terms_of
from retrieval.linear import LinearModel

FEATURES = (
    "dense",  # best cosine of the page's chunks
    "dense_gap",  # the same, less the best of all pages
    "dense_second",  # second best cosine of the page
    "dense_rank",  # 10 / (10 + rank) of the page's best chunk
    "sparse",  # best BM25 score as a share of the highest that the question allows
    "sparse_gap",  # the same as a share of the best page's, less one
    "sparse_second",
    "sparse_rank",
    "cover_chunk",  # share of the question's topic, by idf, in the best chunk and its headings
    "cover_page",  # the same over all found chunks of the page
    "cover_title",
    "cover_heading",
    "pairs",  # share of the question's neighbouring topic terms that neighbour in the best chunk
    "length",  # log of the best chunk's length in units of 500 characters
    "depth",  # headings above the best chunk
    "spread",  # log of 1 + number of the page's chunks that were found
)
RANK_DECAY = 10


@dataclass(frozen=True, slots=True)
class RankedPage:
    """A page with its score (a logit: differences compare, the level does not) and features."""

    page: CandidatePage
    score: float
    features: tuple[float, ...]  # in the order of FEATURES
    rerank: float = 0.0  # best logit of the reranker over the page's chunks, once it has read them


class PageRanker:
    """Orders the candidate pages of one question."""

    def __init__(self, model: LinearModel) -> None:
        """Raises ModelError when the model was fitted on other features."""
        model.require(FEATURES)
        self._model = model

    def rank(self, question: QuestionTerms, pages: Sequence[CandidatePage]) -> list[RankedPage]:
        """Best first; ties by doc_id, so that equal evidence gives equal answers."""
        if not pages:
            return []
        rows = page_features(question, pages)
        scores = self._model.logits(np.array(rows))
        ranked = [
            RankedPage(page, float(score), row)
            for page, score, row in zip(pages, scores, rows, strict=True)
        ]
        return best_first(ranked)


def best_first(ranked: Iterable[RankedPage]) -> list[RankedPage]:
    """By score; ties by doc_id."""
    return sorted(ranked, key=lambda r: (-r.score, r.page.doc_id))


def page_features(
    question: QuestionTerms, pages: Sequence[CandidatePage]
) -> list[tuple[float, ...]]:
    """One row for each page, in the order of FEATURES."""
    dense_top = max(max(c.dense for c in page.chunks) for page in pages)
    sparse_top = max(max(c.sparse for c in page.chunks) for page in pages)
    return [_row(question, page, dense_top, sparse_top) for page in pages]


def _row(
    question: QuestionTerms, page: CandidatePage, dense_top: float, sparse_top: float
) -> tuple[float, ...]:
    dense = sorted((c.dense for c in page.chunks), reverse=True)
    sparse = sorted((c.sparse for c in page.chunks), reverse=True)
    best = page.chunks[0].chunk
    scale = question.best_bm25
    return (
        dense[0],
        dense[0] - dense_top,
        dense[1] if len(dense) > 1 else dense[0] - 0.1,
        max(RANK_DECAY / (RANK_DECAY + c.dense_rank) for c in page.chunks),
        sparse[0] / scale,
        sparse[0] / sparse_top - 1 if sparse_top else 0.0,
        sparse[1] / scale if len(sparse) > 1 else 0.0,
        max(RANK_DECAY / (RANK_DECAY + c.sparse_rank) for c in page.chunks),
        *_coverage(question, page.chunks),
        math.log(len(best.text) / 500 + 0.1),
        float(len(best.heading_path)),
        math.log1p(len(page.chunks)),
    )


def _coverage(question: QuestionTerms, chunks: Sequence[Candidate]) -> tuple[float, ...]:
    best = terms_of(chunks[0].chunk)
    page = best.title.union(*(t.heading | t.text for t in (terms_of(c.chunk) for c in chunks)))
    pairs = set(pairwise(question.topic))
    return (
        cover(question, best.title | best.heading | best.text),
        cover(question, page),
        cover(question, best.title),
        cover(question, best.heading),
        len(pairs & best.pairs) / len(pairs) if pairs else 0.0,
    )


def cover(question: QuestionTerms, held: frozenset[str]) -> float:
    """Share of the question's topic terms, weighted by idf, that are held: 0..1."""
    total = sum(question.idf[t] for t in question.topic)
    return sum(question.idf[t] for t in question.topic if t in held) / total if total else 0.0
