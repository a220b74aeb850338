"""What the product is measured against: dense alone, BM25 alone, plain RRF; same index, same run.

Chunks are reduced to their pages, a page standing where its first chunk stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evals.corpus import flat
from evals.product import UnderTest
from retrieval.candidates import page_of
from retrieval.representation import sparse_query
from retrieval.types import ChunkId, Scope

DEPTH = 100
"""Chunks asked of each retriever: ten pages are reached even where one page fills the top."""
NAMES = ("dense", "bm25", "rrf")


@dataclass(frozen=True, slots=True)
class Baselines:
    """Flat page ids, best first, by baseline; and the score that similarity alone refuses by."""

    pages: Mapping[str, tuple[str, ...]]
    top_dense: float  # best cosine of question and chunk; -1 when nothing was found


def look_up(under: UnderTest, text: str, scope: Scope) -> Baselines:
    """Ask the bare retrievers. Raises what `Library.lease` and `Index.search` raise."""
    question = under.redactor.redact(text).text
    dense, sparse = under.encoder.encode_query(question), sparse_query(question)
    with under.library.lease() as snapshot:
        found = snapshot.index.search(dense, sparse, scope, DEPTH)
        fused = snapshot.index.fused(dense, sparse, scope, DEPTH)
    pages = {
        name: pages_of(hit.id for hit in hits)
        for name, hits in zip(NAMES, (found.dense, found.sparse, fused), strict=True)
    }
    return Baselines(pages, max((hit.score for hit in found.dense), default=-1.0))


def pages_of(ids: Iterable[ChunkId]) -> tuple[str, ...]:
    """The pages of ranked chunks, each once, in order of their first chunk."""
    return tuple(dict.fromkeys(flat(page_of(id_)) for id_ in ids))
