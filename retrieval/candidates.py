"""rankings -> candidate pages: what the retrievers found, gathered by page, with its terms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from guardrails import Redacted
from retrieval.index import Rankings
from retrieval.representation import K1, terms
from retrieval.types import Chunk, ChunkId

RANK_OFFSET = 20  # of the preselection only; fused like reciprocal rank fusion
MISSING_RANK = 10**6

# Words that carry the form of a question, not its topic; stems, closed classes of English.
STOP_WORDS = frozenset(
    terms(
        "a an the of to in on for and or nor but is are was were be been being am do does did done "
        "how what why when where which who whom whose can could should would will may might must "
        "i me my mine we us our ours you your yours he him his she her it its they them their "
        "this that these those there here with without from by as at if than then so such not no "
        "have has had having get gets got use uses using used via into onto about between any some "
        "please tell want need like know find way"
    )
)


@dataclass(frozen=True, slots=True)
class QuestionTerms:
    """The question's stemmed terms: all, and in order those that name its topic, with weights."""

    everything: tuple[str, ...]
    topic: tuple[str, ...]  # distinct, in order; all terms when nothing else is left
    idf: Mapping[str, float]  # of every distinct term

    @property
    def best_bm25(self) -> float:
        """The score of a chunk that holds every term without end: the scale of BM25 scores."""
        return (K1 + 1) * sum(self.idf.values()) or 1.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """One chunk found, with each retriever's score and rank (from 0; absent = MISSING_RANK)."""

    chunk: Chunk
    dense: float
    sparse: float
    dense_rank: int
    sparse_rank: int


@dataclass(frozen=True, slots=True)
class CandidatePage:
    """The found chunks of one page, the best first."""

    doc_id: str
    chunks: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class ChunkTerms:
    """What ranking reads of a chunk, computed once for each chunk."""

    title: frozenset[str]
    heading: frozenset[str]
    text: frozenset[str]
    pairs: frozenset[tuple[str, str]]  # neighbouring topic terms


def question_terms(question: Redacted, frequencies: Mapping[str, int], count: int) -> QuestionTerms:
    """Terms with their inverse document frequency ln((N - n + .5) / (n + .5) + 1) over chunks.

    `frequencies` may lack terms that no chunk holds.
    """
    everything = tuple(dict.fromkeys(terms(question)))
    topic = tuple(t for t in everything if t not in STOP_WORDS) or everything
    idf = {t: _idf(frequencies.get(t, 0), count) for t in everything}
    return QuestionTerms(everything, topic, idf)


def page_of(id_: ChunkId) -> str:
    """The doc_id that a chunk id starts with."""
    return id_.rpartition("#")[0]


def preselect(rankings: Rankings, pages: int) -> list[ChunkId]:
    """Ids of the found chunks of the `pages` pages that either retriever ranks highest."""
    ranks = _ranks(rankings)
    best: dict[str, float] = {}
    for id_, (dense, sparse) in ranks.items():
        score = 1 / (RANK_OFFSET + dense) + 1 / (RANK_OFFSET + sparse)
        best[page_of(id_)] = max(best.get(page_of(id_), 0.0), score)
    kept = set(sorted(best, key=lambda doc_id: (-best[doc_id], doc_id))[:pages])
    return [id_ for id_ in ranks if page_of(id_) in kept]


def gather(rankings: Rankings, chunks: Mapping[ChunkId, Chunk]) -> list[CandidatePage]:
    """The chunks that are in `chunks`, by page; pages in no order, chunks of a page best first.

    A chunk that one retriever did not return counts there as just below the worst returned.
    """
    ranks = _ranks(rankings)
    dense = {hit.id: hit.score for hit in rankings.dense}
    sparse = {hit.id: hit.score for hit in rankings.sparse}
    floor = min(dense.values(), default=0.0)
    top = max(sparse.values(), default=0.0) or 1.0
    by_page: dict[str, list[Candidate]] = {}
    for id_, (dense_rank, sparse_rank) in ranks.items():
        if (chunk := chunks.get(id_)) is not None:
            found = Candidate(
                chunk, dense.get(id_, floor), sparse.get(id_, 0.0), dense_rank, sparse_rank
            )
            by_page.setdefault(chunk.doc_id, []).append(found)
    return [
        CandidatePage(doc_id, tuple(sorted(found, key=lambda c: -(c.dense + 0.5 * c.sparse / top))))
        for doc_id, found in by_page.items()
    ]


@lru_cache(maxsize=20_000)
def chunk_terms(title: str, heading_path: Sequence[str], text: str) -> ChunkTerms:
    """Cached by content: the pages that people ask about come again and again."""
    of_title, of_heading, of_text = terms(title), terms(" ".join(heading_path)), terms(text)
    topical = [t for t in (*of_title, *of_heading, *of_text) if t not in STOP_WORDS]
    return ChunkTerms(
        frozenset(of_title),
        frozenset(of_heading),
        frozenset(of_text),
        frozenset(pairwise(topical)),
    )


def terms_of(chunk: Chunk) -> ChunkTerms:
    """The cached terms of a chunk."""
    return chunk_terms(chunk.title, chunk.heading_path, chunk.text)


def _idf(frequency: int, count: int) -> float:
    return math.log((count - frequency + 0.5) / (frequency + 0.5) + 1)


def _ranks(rankings: Rankings) -> dict[ChunkId, tuple[int, int]]:
    dense = {hit.id: rank for rank, hit in enumerate(rankings.dense)}
    sparse = {hit.id: rank for rank, hit in enumerate(rankings.sparse)}
    return {
        id_: (dense.get(id_, MISSING_RANK), sparse.get(id_, MISSING_RANK))
        for id_ in dict.fromkeys((*dense, *sparse))
    }
