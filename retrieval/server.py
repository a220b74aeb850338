"""The index on a Qdrant server, through qdrant-client: for more than one machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar, cast

from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException

from retrieval.filters import Clause, clauses, tenant_clause
from retrieval.gateway import Answer, Gateway, needed
from retrieval.index import IndexUnavailableError, Point, Rankings
from retrieval.points import (
    FUSION_DEPTH,
    HASH,
    RRF_K,
    check_dimension,
    payload_of,
    point_id,
    point_of,
)
from retrieval.tags import CHUNK, COVERED, TAG, TENANT, Tags
from retrieval.types import LABEL_FIELDS, ChunkId, Hit, Scope, SparseVector, Vector

_DENSE, _SPARSE = "dense", "sparse"
_BATCH = 256  # points a request: about 1 MB of JSON at dimension 384
_T = TypeVar("_T")
Client = QdrantClient
"""The type's name for callers: the library itself is imported here alone."""


def connect(url: str, *, api_key: str | None = None, timeout_s: float = 4.0) -> QdrantClient:
    """A client to share between versions; its owner closes it. Connects on first use."""
    return QdrantClient(
        url=url, api_key=api_key, timeout=max(1, round(timeout_s)), check_compatibility=False
    )


class ServerIndex:
    """One collection, or an alias of one. The client belongs to the caller and stays open."""

    def __init__(self, client: QdrantClient, collection: str, dimension: int, tags: Tags) -> None:
        """For a collection that is there; see `create` and `open`."""
        self._gateway = Gateway(tags)
        self._client = client
        self._collection = collection
        self._dimension = dimension

    @classmethod
    def create(
        cls, client: QdrantClient, collection: str, *, dimension: int, tags: Tags
    ) -> ServerIndex:
        """Make the collection and its payload indexes. Raises IndexUnavailableError."""
        with _server(collection):
            client.create_collection(
                collection,
                vectors_config={
                    _DENSE: models.VectorParams(size=dimension, distance=models.Distance.COSINE)
                },
                sparse_vectors_config={
                    _SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)
                },
            )
            client.create_payload_index(
                collection,
                TENANT,
                models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True),
            )
            for field in LABEL_FIELDS:
                client.create_payload_index(collection, field, models.PayloadSchemaType.KEYWORD)
        return cls(client, collection, dimension, tags)

    @classmethod
    def open(
        cls, client: QdrantClient, collection: str, *, dimension: int, tags: Tags
    ) -> ServerIndex:
        """Raises IndexUnavailableError when it is not there or of another dimension."""
        with _server(collection):
            if not client.collection_exists(collection):
                raise IndexUnavailableError(
                    f"there is no collection {collection!r}; run `embark index run`"
                )
            vectors = client.get_collection(collection).config.params.vectors
        size = vectors[_DENSE].size if isinstance(vectors, dict) and _DENSE in vectors else None
        if size != dimension:
            raise IndexUnavailableError(
                f"collection {collection!r} holds vectors of dimension {size}, the encoder "
                f"makes {dimension}; build it again with `embark index run --full`"
            )
        return cls(client, collection, dimension, tags)

    def upsert(self, points: Sequence[Point]) -> None:
        """Acknowledged once stored; ValueError for a vector of another dimension."""
        for point in points:
            check_dimension(point.dense, self._dimension)
        records = [
            models.PointStruct(
                id=point_id(point.id),
                vector={_DENSE: point.dense.tolist(), _SPARSE: _sparse(point.sparse)},
                payload=payload_of(point, self._gateway.tags),
            )
            for point in points
        ]
        for batch in _batches(records):
            with _server(self._collection):
                self._client.upsert(self._collection, points=batch, wait=True)

    def delete(self, ids: Sequence[ChunkId]) -> None:
        for batch in _batches([point_id(chunk) for chunk in ids]):
            selector = models.PointIdsList(points=cast("list[models.ExtendedPointId]", batch))
            with _server(self._collection):
                self._client.delete(self._collection, points_selector=selector, wait=True)

    def search(self, dense: Vector, sparse: SparseVector, scope: Scope, limit: int) -> Rankings:
        check_dimension(dense, self._dimension)
        required = clauses(scope)
        allowed, fields = _filter(required), needed(required)
        near = models.QueryRequest(
            query=dense.tolist(), using=_DENSE, filter=allowed, limit=limit, with_payload=fields
        )
        matching = models.QueryRequest(
            query=_sparse(sparse),
            using=_SPARSE,
            filter=allowed,
            limit=limit,
            with_payload=fields,
            params=_tenant_idf(scope.tenant),
        )
        with _server(self._collection):
            by_angle, by_terms = self._client.query_batch_points(
                self._collection, requests=[near, matching]
            )
        admit = self._gateway.admit
        return Rankings(admit(_answers(by_angle), required), admit(_answers(by_terms), required))

    def fused(
        self, dense: Vector, sparse: SparseVector, scope: Scope, limit: int
    ) -> tuple[Hit, ...]:
        check_dimension(dense, self._dimension)
        required = clauses(scope)
        allowed = _filter(required)
        depth = max(limit, FUSION_DEPTH)
        near = models.Prefetch(query=dense.tolist(), using=_DENSE, filter=allowed, limit=depth)
        matching = models.Prefetch(
            query=_sparse(sparse),
            using=_SPARSE,
            filter=allowed,
            limit=depth,
            params=_tenant_idf(scope.tenant),
        )
        with _server(self._collection):
            found = self._client.query_points(
                self._collection,
                prefetch=[near, matching],
                # the server counts ranks from 0 in 1 / (k + rank)
                query=models.RrfQuery(rrf=models.Rrf(k=RRF_K + 1)),
                limit=limit,
                with_payload=needed(required),
            )
        return self._gateway.admit(_answers(found), required)

    def hashes(self) -> Mapping[ChunkId, str]:
        found: dict[ChunkId, str] = {}
        offset: models.ExtendedPointId | None = None
        while True:
            with _server(self._collection):
                records, offset = self._client.scroll(
                    self._collection, limit=_BATCH, offset=offset, with_payload=[CHUNK, HASH]
                )
            payloads = [cast("dict[str, str]", record.payload) for record in records]
            found.update((ChunkId(payload[CHUNK]), payload[HASH]) for payload in payloads)
            if offset is None:
                return found

    def check_tags(self) -> None:
        """As `EdgeIndex.check_tags`."""
        with _server(self._collection):
            records, _ = self._client.scroll(
                self._collection, limit=1, with_payload=[*COVERED, TAG]
            )
        for record in records:
            self._gateway.check(record.payload or {})

    def vectors(self, ids: Sequence[ChunkId]) -> Iterator[Point]:
        for batch in _batches([point_id(chunk) for chunk in ids]):
            with _server(self._collection):
                records = self._client.retrieve(
                    self._collection, batch, with_payload=True, with_vectors=True
                )
            yield from (_point(record, self._gateway.tags) for record in records)

    def count(self) -> int:
        with _server(self._collection):
            return self._client.count(self._collection, exact=True).count

    def flush(self) -> None:
        """Nothing to do: every write was acknowledged from the server's own log."""

    def close(self) -> None:
        """Nothing to release: the client is the caller's."""


@contextmanager
def _server(collection: str) -> Iterator[None]:
    """Turns what the client raises into IndexUnavailableError."""
    try:
        yield
    except (ApiException, QdrantException) as error:
        raise IndexUnavailableError(
            f"the Qdrant server did not answer for {collection!r}: {error}"
        ) from error


def _filter(required: Sequence[Clause]) -> models.Filter:
    return models.Filter(
        must=[
            models.FieldCondition(
                key=clause.field, match=models.MatchAny(any=sorted(clause.values))
            )
            for clause in required
        ]
    )


def _tenant_idf(tenant: str) -> models.SearchParams:
    """Term statistics of this tenant's chunks: no other tenant's words move a score."""
    corpus = _filter([tenant_clause(tenant)])
    return models.SearchParams(idf=models.IdfCorpusParams(corpus=corpus))


def _sparse(vector: SparseVector) -> models.SparseVector:
    return models.SparseVector(indices=vector.indices.tolist(), values=vector.values.tolist())


def _answers(response: models.QueryResponse) -> Iterator[Answer]:
    return (Answer(point.payload or {}, point.score) for point in response.points)


def _point(record: models.Record, tags: Tags) -> Point:
    vectors = cast("dict[str, object]", record.vector)
    sparse = cast("models.SparseVector", vectors[_SPARSE])
    dense = cast("list[float]", vectors[_DENSE])
    return point_of(record.payload or {}, dense, sparse.indices, sparse.values, tags)


def _batches(items: Sequence[_T]) -> Iterator[list[_T]]:
    return (list(items[at : at + _BATCH]) for at in range(0, len(items), _BATCH))
