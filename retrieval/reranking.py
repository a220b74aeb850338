"""ranked pages -> the first few read again, question and chunk together, and ordered anew.

The reranker is a cross-encoder: the packaged MiniLM, fine-tuned to tell a passage that answers from
one that is only near. What ships is the difference to the packaged weights, cut to rank `RANK`
(`python -m evals.fit_reranker`), a few hundred kilobytes a megabyte of weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from guardrails import Redacted, stored
from retrieval.candidates import CandidatePage
from retrieval.linear import LinearModel
from retrieval.ranking import RankedPage, best_first
from retrieval.types import Chunk, ChunkId, Reranker

RANK = 16
MAX_TOKENS = 224
"""Question and passage together; what is beyond is cut from the passage."""
DELTA = "reranker.safetensors"


def pair_text(chunk: Chunk) -> Redacted:
    """Title and headings, then the text."""
    return stored(" > ".join((chunk.title, *chunk.heading_path)) + "\n" + chunk.text)


FEATURES = ("score", "rerank")
"""Of the blend that orders the pages that were read."""
READ = (2, 2, 1, 1, 1)
"""Chunks that are read of the first page, the second ..."""


class PageReranker:
    """Reads the best chunks of the first pages and blends what it finds with the ranking."""

    def __init__(self, reranker: Reranker, blend: LinearModel, read: Sequence[int] = READ) -> None:
        """Raises ModelError when the blend was fitted on other features."""
        blend.require(FEATURES)
        self._reranker = reranker
        self._blend = blend
        self._read = tuple(read)

    def rerank(self, question: Redacted, ranked: Sequence[RankedPage]) -> list[RankedPage]:
        """Best first. Pages beyond those read count as the worst of the read."""
        return self.order(read_pages(self._reranker, question, ranked, self._read))

    def order(self, read: Sequence[RankedPage]) -> list[RankedPage]:
        """Best first, of pages that were read."""
        if not read:
            return []
        rows = np.array([(page.score, page.rerank) for page in read])
        scores = self._blend.logits(rows)
        return best_first(
            replace(page, score=float(score)) for page, score in zip(read, scores, strict=True)
        )


def read_pages(
    reranker: Reranker, question: Redacted, ranked: Sequence[RankedPage], read: Sequence[int]
) -> list[RankedPage]:
    """The same pages in the same order with `rerank` set, and chunks that answer better first."""
    picked = [page.page.chunks[:most] for page, most in zip(ranked, read, strict=False)]
    chunks = [found.chunk for of_page in picked for found in of_page]
    if not chunks:
        return []
    logits = reranker.scores(question, chunks)
    scores = {c.id: float(logit) for c, logit in zip(chunks, logits, strict=True)}
    worst = min(scores.values())
    seen = [
        replace(
            page,
            page=_reordered(page.page, scores),
            rerank=max(scores[found.chunk.id] for found in of_page),
        )
        for page, of_page in zip(ranked, picked, strict=False)
    ]
    return seen + [replace(page, rerank=worst) for page in ranked[len(seen) :]]


def _reordered(page: CandidatePage, scores: dict[ChunkId, float]) -> CandidatePage:
    """Chunks that were read by their logit, then the others as they stood."""
    read = [found for found in page.chunks if found.chunk.id in scores]
    read.sort(key=lambda found: -scores[found.chunk.id])
    rest = [found for found in page.chunks if found.chunk.id not in scores]
    return replace(page, chunks=(*read, *rest))
