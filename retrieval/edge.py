"""The index in this process, on Qdrant Edge: the default.

One process owns a folder: it holds `owner.lock` before the engine opens anything, because an
engine asked to open a folder that is held refuses, and breaks the holder's flushes all the same.
Whoever is not the owner reads a private copy: `copy_for_reading`, then `EdgeIndex.open`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar, cast

import portalocker
import qdrant_edge as edge

from retrieval.filters import Clause, clauses, tenant_clause
from retrieval.gateway import Answer, Gateway, needed
from retrieval.index import (
    IndexLockedError,
    IndexUnavailableError,
    OutsideScopeError,
    Point,
    Rankings,
    RetrievalError,
)
from retrieval.points import (
    FUSION_DEPTH,
    HASH,
    RRF_K,
    check_dimension,
    payload_of,
    point_id,
    point_of,
)
from retrieval.sparse_files import copy_file
from retrieval.tags import CHUNK, COVERED, TAG, TENANT, Tags
from retrieval.types import (
    LABEL_FIELDS,
    ChunkId,
    Hit,
    Scope,
    SparseVector,
    Vector,
)

LOCK = "owner.lock"
_CONFIG = "edge_config.json"  # the engine writes it when it creates a shard
_DENSE, _SPARSE = "dense", "sparse"
_T = TypeVar("_T")
_BATCH = 512  # points a call: the engine holds a call in memory as a whole
_GRAPH_ABOVE_KB = 60_000  # 40,000 vectors of 384; smaller is searched exactly in time


class ReadOnlyIndexError(RetrievalError):
    """A write to an index that was opened for reading; open it with writable=True."""


class EdgeIndex:
    """One shard folder. Search from any thread, write from one; `close` frees the folder."""

    def __init__(
        self,
        shard: edge.EdgeShard,
        lock: portalocker.Lock,
        dimension: int,
        gateway: Gateway,
        *,
        writable: bool,
    ) -> None:
        """Use `open`: only it takes the lock first."""
        self._shard = shard
        self._gateway = gateway
        self._lock = lock
        self._dimension = dimension
        self._writable = writable

    @classmethod
    def open(cls, path: Path, *, dimension: int, tags: Tags, writable: bool) -> EdgeIndex:
        """Own the folder until `close`. `writable` creates it (mode 0700) where it is missing.

        Raises IndexLockedError (somebody owns it; nothing was touched), IndexUnavailableError
        (missing and not writable, damaged, or of another dimension).
        """
        if writable:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.chmod(0o700)
        if not path.is_dir():
            raise IndexUnavailableError(f"there is no index at {path}; run `embark index run`")
        lock = _own(path)
        try:
            with _Engine(path):
                shard = _load_or_create(path, dimension, writable=writable)
        except RetrievalError:
            lock.release()
            raise
        return cls(shard, lock, dimension, Gateway(tags), writable=writable)

    def upsert(self, points: Sequence[Point]) -> None:
        """Logged ahead; ValueError for a vector of another dimension."""
        for point in points:
            check_dimension(point.dense, self._dimension)
        records = [
            edge.Point(
                point_id(point.id),
                {_DENSE: cast("list[float]", point.dense), _SPARSE: _sparse(point.sparse)},
                payload_of(point, self._gateway.tags),
            )
            for point in points
        ]
        for batch in _batches(records):
            self._update(edge.UpdateOperation.upsert_points(batch))

    def delete(self, ids: Sequence[ChunkId]) -> None:
        for batch in _batches([point_id(chunk) for chunk in ids]):
            self._update(edge.UpdateOperation.delete_points(cast("list[edge.PointId]", batch)))

    def search(self, dense: Vector, sparse: SparseVector, scope: Scope, limit: int) -> Rankings:
        check_dimension(dense, self._dimension)
        required = clauses(scope)
        allowed, fields = _filter(required), needed(required)
        near, matching = _queries(dense, sparse)
        request = edge.QueryBatchRequest(
            [
                edge.QueryRequest(limit=limit, query=near, filter=allowed, with_payload=fields),
                edge.QueryRequest(
                    limit=limit,
                    query=matching,
                    filter=allowed,
                    with_payload=fields,
                    params=_tenant_idf(scope.tenant),
                ),
            ]
        )
        with _Engine(self._path):
            by_angle, by_terms = self._shard.query_batch(request)
        admit = self._gateway.admit
        return Rankings(admit(_answers(by_angle), required), admit(_answers(by_terms), required))

    def fused(
        self, dense: Vector, sparse: SparseVector, scope: Scope, limit: int
    ) -> tuple[Hit, ...]:
        check_dimension(dense, self._dimension)
        required = clauses(scope)
        allowed = _filter(required)
        near, matching = _queries(dense, sparse)
        depth = max(limit, FUSION_DEPTH)
        request = edge.QueryRequest(
            limit=limit,
            prefetches=[
                edge.Prefetch(limit=depth, query=near, filter=allowed),
                edge.Prefetch(
                    limit=depth, query=matching, filter=allowed, params=_tenant_idf(scope.tenant)
                ),
            ],
            # the engine counts ranks from 0 in 1 / (k + rank)
            query=cast("edge.Fusion", edge.Fusion.Rrf(k=RRF_K + 1)),
            with_payload=needed(required),
        )
        with _Engine(self._path):
            found = self._shard.query(request)
        return self._gateway.admit(_answers(found), required)

    def hashes(self) -> Mapping[ChunkId, str]:
        payloads = (cast("dict[str, str]", r.payload) for r in self._scrolled([CHUNK, HASH]))
        return {ChunkId(payload[CHUNK]): payload[HASH] for payload in payloads}

    def check_tags(self) -> None:
        """Whether the key that is at hand made the tags: looks at one point, not at all.

        Raises IndexUnavailableError.
        """
        first = next(self._scrolled([*COVERED, TAG], batch=1), None)
        if first is not None:
            self._gateway.check(first.payload or {})

    def retag(self, before: Tags) -> None:
        """Points carried over from the version of `before` become this version's.

        Raises OutsideScopeError for one whose old tag does not fit; then it is of no use.
        """
        for record in list(self._scrolled([*COVERED, TAG])):
            payload = record.payload or {}
            if not before.holds(payload):
                raise OutsideScopeError(1)
            tag = {TAG: self._gateway.tags.tag(payload)}
            self._update(edge.UpdateOperation.set_payload([record.id], tag))

    def _scrolled(self, fields: list[str], batch: int = _BATCH) -> Iterator[edge.Record]:
        offset: edge.PointId | None = None
        while True:
            request = edge.ScrollRequest(
                offset=offset, limit=batch, with_payload=fields, with_vector=False
            )
            with _Engine(self._path):
                records, offset = self._shard.scroll(request)
            yield from records
            if offset is None:
                return

    def vectors(self, ids: Sequence[ChunkId]) -> Iterator[Point]:
        for batch in _batches([point_id(chunk) for chunk in ids]):
            with _Engine(self._path):
                records = self._shard.retrieve(
                    cast("list[edge.PointId]", batch), with_payload=True, with_vector=True
                )
            yield from (_point(record, self._gateway.tags) for record in records)

    def count(self) -> int:
        with _Engine(self._path):
            return self._shard.count(edge.CountRequest(exact=True))

    def flush(self) -> None:
        """Synced to disk; a copy of the folder made from here on opens whole."""
        with _Engine(self._path):
            self._shard.flush()

    def optimize(self) -> bool:
        """Merge segments, drop deleted points, build the graph of a large index; takes seconds.

        For the end of a build, before the folder is published. True when anything changed.
        """
        self._must_write()
        with _Engine(self._path):
            return self._shard.optimize()

    def close(self) -> None:
        """Flush what was written, then free the folder. Closing twice does no harm."""
        if self._lock.fh is None:
            return
        try:
            with _Engine(self._path):
                self._shard.close()
        finally:
            self._lock.release()

    @property
    def _path(self) -> Path:
        return Path(self._lock.filename).parent

    def _must_write(self) -> None:
        if not self._writable:
            raise ReadOnlyIndexError(f"the index at {self._path} was opened for reading")

    def _update(self, operation: edge.UpdateOperation) -> None:
        self._must_write()
        with _Engine(self._path):
            self._shard.update(operation)


def copy_for_reading(path: Path, into: Path) -> None:
    """Copy a flushed index folder, held or not, to the new folder `into` (mode 0700), unlocked.

    The caller owns the copy and removes it. Raises IndexUnavailableError when the folder is
    missing or goes away meanwhile, FileExistsError when `into` exists.
    """
    into.mkdir(mode=0o700, parents=True)
    try:
        shutil.copytree(
            path,
            into,
            ignore=shutil.ignore_patterns(LOCK),
            dirs_exist_ok=True,
            copy_function=copy_file,
        )
    except (FileNotFoundError, shutil.Error) as error:
        shutil.rmtree(into, ignore_errors=True)
        raise IndexUnavailableError(f"the index at {path} could not be copied: {error}") from error
    into.chmod(0o700)


class _Engine:
    """Turns what the engine raises (bare `Exception`, Rust panics) into IndexUnavailableError."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is Exception or (kind is not None and kind.__module__ == "pyo3_runtime"):
            raise IndexUnavailableError(
                f"the index at {self._path} does not answer: {error}; "
                "if it is damaged, build it again with `embark index run --full`"
            ) from error


def _own(path: Path) -> portalocker.Lock:
    """Raises IndexLockedError naming the process that wrote itself into the lock file."""
    flags = portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING
    lock = portalocker.Lock(path / LOCK, mode="a+", timeout=0, flags=flags)
    try:
        handle = lock.acquire()
    except portalocker.LockException as error:
        holder = (path / LOCK).read_text().strip() or "a process that is just starting"
        raise IndexLockedError(holder) from error
    handle.truncate(0)
    handle.write(f"process {os.getpid()}")
    handle.flush()
    return lock


def _load_or_create(path: Path, dimension: int, *, writable: bool) -> edge.EdgeShard:
    config = edge.EdgeConfig(
        vectors={_DENSE: edge.EdgeVectorParams(size=dimension, distance=edge.Distance.Cosine)},
        sparse_vectors={_SPARSE: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
        optimizers=edge.EdgeOptimizersConfig(indexing_threshold=_GRAPH_ABOVE_KB),
        wal_enabled=True,
    )
    if (path / _CONFIG).exists():
        return edge.EdgeShard.load(str(path), config)
    if not writable:
        raise IndexUnavailableError(f"the folder {path} holds no index; run `embark index run`")
    shard = edge.EdgeShard.create(str(path), config)
    shard.update(
        edge.UpdateOperation.create_field_index(TENANT, edge.KeywordIndexParams(is_tenant=True))
    )
    for field in LABEL_FIELDS:
        shard.update(edge.UpdateOperation.create_field_index(field, edge.PayloadSchemaType.Keyword))
    return shard


def _filter(required: Sequence[Clause]) -> edge.Filter:
    return edge.Filter(
        must=[
            edge.FieldCondition(clause.field, match=edge.MatchAny(sorted(clause.values)))
            for clause in required
        ]
    )


def _tenant_idf(tenant: str) -> edge.SearchParams:
    """Term statistics of this tenant's chunks: no other tenant's words move a score."""
    return edge.SearchParams(idf=edge.IdfParams(corpus=_filter([tenant_clause(tenant)])))


def _queries(dense: Vector, sparse: SparseVector) -> tuple[edge.Query, edge.Query]:
    return (
        edge.Query.Nearest(cast("list[float]", dense), _DENSE),
        edge.Query.Nearest(_sparse(sparse), _SPARSE),
    )


def _sparse(vector: SparseVector) -> edge.SparseVector:
    return edge.SparseVector(vector.indices.tolist(), vector.values.tolist())


def _answers(points: Sequence[edge.ScoredPoint]) -> Iterator[Answer]:
    return (Answer(point.payload or {}, point.score) for point in points)


def _point(record: edge.Record, tags: Tags) -> Point:
    vectors = cast("dict[str, object]", record.vector)
    sparse = cast("edge.SparseVector", vectors[_SPARSE])
    dense = cast("list[float]", vectors[_DENSE])
    return point_of(record.payload or {}, dense, sparse.indices, sparse.values, tags)


def _batches(items: Sequence[_T]) -> Iterator[list[_T]]:
    return (list(items[at : at + _BATCH]) for at in range(0, len(items), _BATCH))
