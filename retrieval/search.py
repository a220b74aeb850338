"""question -> Evidence: encode, search both ways, gather by page, rank, read again, judge, cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from guardrails import Redacted
from retrieval.answerability import Answerability
from retrieval.candidates import (
    Candidate,
    CandidatePage,
    QuestionTerms,
    gather,
    preselect,
    question_terms,
)
from retrieval.filters import visible
from retrieval.index import Rankings
from retrieval.library import Library, Snapshot
from retrieval.ranking import PageRanker, RankedPage
from retrieval.representation import sparse_query, terms
from retrieval.reranking import PageReranker
from retrieval.types import Encoder, Evidence, Passage, Scope


@dataclass(frozen=True, slots=True)
class SearchPolicy:
    """How wide to look and how much to pass on."""

    depth: int = 100
    """Chunks that each retriever returns."""
    pages: int = 20
    """Pages that are ranked."""
    retrieved: int = 10
    """Passages reported, one a page as far as pages go."""
    passages: int = 8
    """Passages given to the answerer."""
    per_page: tuple[int, ...] = (4, 2, 1, 1)
    """Of these, at most so many from the first page, the second ..."""


class HybridRetriever:
    """The `Retriever` of the product. Thread-safe: all state is in the library and the encoder."""

    def __init__(
        self,
        library: Library,
        encoder: Encoder,
        ranker: PageRanker,
        reranker: PageReranker,
        answerability: Answerability,
        policy: SearchPolicy | None = None,
    ) -> None:
        self._library = library
        self._encoder = encoder
        self._ranker = ranker
        self._reranker = reranker
        self._answerability = answerability
        self._policy = policy or SearchPolicy()

    def retrieve(self, question: Redacted, scope: Scope) -> Evidence:
        dense, sparse = self._encoder.encode_query(question), sparse_query(question)
        with self._library.lease() as snapshot:
            rankings = snapshot.index.search(dense, sparse, scope, self._policy.depth)
            asked, pages = found(snapshot, rankings, question, scope, self._policy.pages)
            ranked = self._reranker.rerank(question, self._ranker.rank(asked, pages))
            confidence, features = self._answerability.assess(asked, ranked)
            return Evidence(
                version=snapshot.version,
                passages=self._passages(ranked),
                retrieved=self._retrieved(ranked),
                confidence=confidence,
                features=features,
            )

    def _passages(self, ranked: Sequence[RankedPage]) -> tuple[Passage, ...]:
        shares = _shares(ranked)
        picked = [
            _passage(candidate, share)
            for page, share, most in zip(ranked, shares, self._policy.per_page, strict=False)
            for candidate in page.page.chunks[:most]
        ]
        return tuple(picked[: self._policy.passages])

    def _retrieved(self, ranked: Sequence[RankedPage]) -> tuple[Passage, ...]:
        pages = list(zip(ranked, _shares(ranked), strict=True))
        firsts = [_passage(page.page.chunks[0], share) for page, share in pages]
        rest = [_passage(c, share) for page, share in pages for c in page.page.chunks[1:]]
        return tuple((firsts + rest)[: self._policy.retrieved])


def found(
    snapshot: Snapshot, rankings: Rankings, question: Redacted, scope: Scope, pages: int
) -> tuple[QuestionTerms, list[CandidatePage]]:
    """The question's terms and the candidate pages of what a snapshot's index returned, as far as
    the text store says that they may be seen too."""
    chunks, tenant = snapshot.chunks, scope.tenant
    frequencies = chunks.document_frequencies(tenant, terms(question))
    asked = question_terms(question, frequencies, chunks.count(tenant))
    stored = chunks.get(tenant, preselect(rankings, pages)).values()
    return asked, gather(rankings, {chunk.id: chunk for chunk in visible(stored, scope)})


def _shares(ranked: Sequence[RankedPage]) -> list[float]:
    """Softmax of the page scores: 0..1, falling with the rank."""
    if not ranked:
        return []
    weights = np.exp(np.array([page.score for page in ranked]) - ranked[0].score)
    return [float(w) for w in weights / weights.sum()]


def _passage(candidate: Candidate, score: float) -> Passage:
    return Passage(candidate.chunk, score, candidate.dense, candidate.sparse)
