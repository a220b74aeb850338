"""MemoryIndex, HashEncoder, OverlapReranker: the honest twins, for tests and tiny corpora."""

from __future__ import annotations

import secrets
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import RLock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from guardrails import Redacted
from retrieval.candidates import STOP_WORDS
from retrieval.filters import clauses, tenant_clause
from retrieval.gateway import Answer, Gateway
from retrieval.index import Point, Rankings
from retrieval.points import FUSION_DEPTH, RRF_K, check_dimension, payload_of
from retrieval.representation import terms
from retrieval.reranking import pair_text
from retrieval.tags import KEY_BYTES, Payload, Tags, tags_under
from retrieval.types import Chunk, ChunkId, Hit, Scope, SparseVector, Vector


class _Posting(NamedTuple):
    rows: NDArray[np.intp]
    weights: Vector


@dataclass(frozen=True, slots=True)
class _Columns:
    """The points, turned on their side for searching."""

    payloads: tuple[Payload, ...]
    dense: Vector  # shape (n, dimension), rows of norm 1
    postings: Mapping[int, _Posting]


class MemoryIndex:
    """All points in this process, searched exhaustively. Nothing is kept on disk."""

    def __init__(self, dimension: int, tags: Tags | None = None) -> None:
        """Without `tags`: under a key that nobody else has."""
        self._gateway = Gateway(tags or tags_under(secrets.token_bytes(KEY_BYTES))("memory"))
        self._dimension = dimension
        self._points: dict[ChunkId, Point] = {}
        self._payloads: dict[ChunkId, Payload] = {}
        self._columns: _Columns | None = None
        self._lock = RLock()

    def upsert(self, points: Sequence[Point]) -> None:
        for point in points:
            check_dimension(point.dense, self._dimension)
        payloads = {point.id: payload_of(point, self._gateway.tags) for point in points}
        with self._lock:
            self._points.update((point.id, point) for point in points)
            self._payloads.update(payloads)
            self._columns = None

    def delete(self, ids: Sequence[ChunkId]) -> None:
        with self._lock:
            for chunk in ids:
                self._points.pop(chunk, None)
                self._payloads.pop(chunk, None)
            self._columns = None

    def search(self, dense: Vector, sparse: SparseVector, scope: Scope, limit: int) -> Rankings:
        check_dimension(dense, self._dimension)
        required = clauses(scope)
        owner = tenant_clause(scope.tenant)
        columns = self._searchable()
        visible = _rows(columns, lambda payload: all(c.admits(payload) for c in required))
        corpus = _rows(columns, owner.admits)
        by_angle = columns.dense @ _unit(dense)
        by_terms = _bm25(columns, sparse, corpus)
        admit = self._gateway.admit
        return Rankings(
            admit(_best(columns, by_angle, visible, limit), required),
            admit(_best(columns, by_terms, visible & (by_terms > 0), limit), required),
        )

    def fused(
        self, dense: Vector, sparse: SparseVector, scope: Scope, limit: int
    ) -> tuple[Hit, ...]:
        found = self.search(dense, sparse, scope, max(limit, FUSION_DEPTH))
        scores: defaultdict[ChunkId, float] = defaultdict(float)
        for ranking in (found.dense, found.sparse):
            for rank, hit in enumerate(ranking, start=1):
                scores[hit.id] += 1 / (RRF_K + rank)
        best = sorted(scores.items(), key=lambda item: -item[1])
        return tuple(Hit(chunk, score) for chunk, score in best[:limit])

    def hashes(self) -> Mapping[ChunkId, str]:
        with self._lock:
            return {chunk: point.content_hash for chunk, point in self._points.items()}

    def vectors(self, ids: Sequence[ChunkId]) -> Iterator[Point]:
        with self._lock:
            return iter([self._points[chunk] for chunk in ids if chunk in self._points])

    def count(self) -> int:
        return len(self._points)

    def flush(self) -> None:
        """Nothing to do: there is no disk."""

    def close(self) -> None:
        """Nothing to release."""

    def _searchable(self) -> _Columns:
        with self._lock:
            if self._columns is None:
                held = [(point, self._payloads[chunk]) for chunk, point in self._points.items()]
                self._columns = _turned(held, self._dimension)
            return self._columns


def _turned(held: Sequence[tuple[Point, Payload]], dimension: int) -> _Columns:
    dense = np.zeros((len(held), dimension), dtype=np.float32)
    rows: defaultdict[int, list[int]] = defaultdict(list)
    weights: defaultdict[int, list[float]] = defaultdict(list)
    for row, (point, _) in enumerate(held):
        dense[row] = _unit(point.dense)
        for index, value in zip(point.sparse.indices, point.sparse.values, strict=True):
            rows[int(index)].append(row)
            weights[int(index)].append(float(value))
    return _Columns(
        tuple(payload for _, payload in held),
        dense,
        {
            term: _Posting(np.array(at, dtype=np.intp), np.array(weights[term], dtype=np.float32))
            for term, at in rows.items()
        },
    )


def _bm25(columns: _Columns, query: SparseVector, corpus: NDArray[np.bool_]) -> Vector:
    """Term weights times ln((N - n + 0.5) / (n + 0.5) + 1), N and n counted over the tenant."""
    scores = np.zeros(len(columns.payloads), dtype=np.float32)
    size = int(corpus.sum())
    for term, weight in zip(query.indices, query.values, strict=True):
        posting = columns.postings.get(int(term))
        if posting is not None:
            holding = int(corpus[posting.rows].sum())
            idf = np.log((size - holding + 0.5) / (holding + 0.5) + 1)
            scores[posting.rows] += weight * posting.weights * idf
    return scores


def _rows(columns: _Columns, admits: Callable[[Payload], bool]) -> NDArray[np.bool_]:
    return np.fromiter(map(admits, columns.payloads), dtype=np.bool_, count=len(columns.payloads))


def _best(
    columns: _Columns, scores: Vector, allowed: NDArray[np.bool_], limit: int
) -> Iterator[Answer]:
    rows = np.flatnonzero(allowed)
    order = rows[np.argsort(-scores[rows], kind="stable")][:limit]
    return (Answer(columns.payloads[row], float(scores[row])) for row in order)


def _unit(vector: Vector) -> Vector:
    norm = float(np.linalg.norm(vector))
    return vector / np.float32(norm) if norm else vector


_INFORMATIVE_LENGTH = 6  # letters; English function words are shorter, so they weigh less


class HashEncoder:
    """Feature hashing (Weinberger et al., ICML 2009) of stemmed words: shared words, near vectors.

    Deterministic in every process. A word weighs (1 + ln tf) * min(letters, 6) / 6. Text without
    a word becomes the first unit vector.
    """

    def __init__(self, dimension: int = 256) -> None:
        self._dimension = dimension

    @property
    def fingerprint(self) -> str:
        return f"hash-{self._dimension}-1"

    @property
    def dimension(self) -> int:
        return self._dimension

    def encode_query(self, text: Redacted) -> Vector:
        return self._vector(text)

    def encode_passages(self, texts: Sequence[Redacted]) -> Vector:
        return np.array([self._vector(text) for text in texts], dtype=np.float32).reshape(
            len(texts), self._dimension
        )

    def encode_spans(
        self, texts: Sequence[Redacted], spans: Sequence[Sequence[tuple[int, int]]]
    ) -> list[Vector]:
        """For each text one row per span [start, end) of its characters."""
        return self.encode_with_spans(texts, spans)[1]

    def encode_with_spans(
        self, texts: Sequence[Redacted], spans: Sequence[Sequence[tuple[int, int]]]
    ) -> tuple[Vector, list[Vector]]:
        """Passage vectors as from `encode_passages`, and the vectors of `encode_spans`."""
        cut = [
            np.array(
                [self._vector(text[start:end]) for start, end in wanted], dtype=np.float32
            ).reshape(len(wanted), self._dimension)
            for text, wanted in zip(texts, spans, strict=True)
        ]
        return self.encode_passages(texts), cut

    def _vector(self, text: str) -> Vector:
        vector = np.zeros(self._dimension, dtype=np.float32)
        for word, count in Counter(terms(text)).items():
            digest = zlib.crc32(word.encode())
            sign = 1 if digest & 1 else -1
            informative = min(len(word), _INFORMATIVE_LENGTH) / _INFORMATIVE_LENGTH
            vector[(digest >> 1) % self._dimension] += sign * informative * (1 + np.log(count))
        if not vector.any():
            vector[0] = 1
        return _unit(vector)


class OverlapReranker:
    """The reranker's twin: the share of the question's topic terms that the chunk holds.

    As a logit from -4 (none) to 4 (all).
    """

    fingerprint = "overlap"

    def scores(self, question: Redacted, chunks: Sequence[Chunk]) -> Vector:
        asked = set(terms(question)) - STOP_WORDS or set(terms(question))
        held = [asked & set(terms(pair_text(chunk))) for chunk in chunks]
        return np.array([8 * len(h) / max(len(asked), 1) - 4 for h in held], dtype=np.float32)
