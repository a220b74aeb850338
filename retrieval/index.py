"""The seam to the vector store, and its errors.

RetrievalError
├── MissingTenantError   a search or write without a tenant
├── UnknownFieldError    a filter on a field that chunks do not have
├── IndexLockedError     another process owns the folder (names the holder)
├── NoIndexError         nothing has been indexed yet
├── OutsideScopeError    the store gave what it was not asked for; nothing of it was used
└── IndexUnavailableError   the store does not answer or is damaged
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from retrieval.types import ChunkId, Hit, Labels, Scope, SparseVector, Vector


class RetrievalError(Exception):
    """Base of everything that goes wrong between a question and its evidence."""


class MissingTenantError(RetrievalError):
    """A read or write named no tenant; nothing was returned or written."""


class UnknownFieldError(RetrievalError):
    """A filter names a field that chunks do not carry."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"unknown filter field {name!r}; known: {', '.join(known)}")
        self.name = name


class IndexLockedError(RetrievalError):
    """Another process holds the index folder open for writing."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"the index is held by {holder}")
        self.holder = holder


class NoIndexError(RetrievalError):
    """No version has been published yet."""


class OutsideScopeError(RetrievalError):
    """The store answered with hits that the viewer may not see, or whose tag does not fit."""

    def __init__(self, hits: int) -> None:
        super().__init__(
            f"the index answered with {hits} hits outside of what was asked for; nothing was used. "
            "The log names them (index.hit_outside_scope); build the index again with "
            "`embark index run --full`, and find out who writes to it"
        )
        self.hits = hits


class IndexUnavailableError(RetrievalError):
    """The store does not answer, or its files are damaged."""


@dataclass(frozen=True, slots=True)
class Point:
    """What the vector store keeps of a chunk: vectors, ids and labels, never its text."""

    id: ChunkId
    doc_id: str
    path: str
    source: str
    labels: Labels
    content_hash: str
    dense: Vector
    sparse: SparseVector


@dataclass(frozen=True, slots=True)
class Rankings:
    """What each retriever found, best first."""

    dense: tuple[Hit, ...]
    sparse: tuple[Hit, ...]


class Index(Protocol):
    """Vectors of one immutable index version. Search is thread-safe; writes come from one thread.

    Every read goes through one tenant and label filter (see `Scope`), and every hit is checked
    again after the store has answered: `retrieval/gateway.py`.
    """

    def upsert(self, points: Sequence[Point]) -> None:
        """Add or replace points. Raises MissingTenantError when a point has no tenant."""
        ...

    def delete(self, ids: Sequence[ChunkId]) -> None:
        """Remove points; unknown ids are ignored."""
        ...

    def search(self, dense: Vector, sparse: SparseVector, scope: Scope, limit: int) -> Rankings:
        """Both retrievers in one round trip, at most `limit` hits each.

        Raises MissingTenantError, UnknownFieldError, OutsideScopeError, IndexUnavailableError.
        """
        ...

    def fused(
        self, dense: Vector, sparse: SparseVector, scope: Scope, limit: int
    ) -> tuple[Hit, ...]:
        """Reciprocal rank fusion of the two, computed inside the store. Same errors as search."""
        ...

    def hashes(self) -> Mapping[ChunkId, str]:
        """Content hash of every stored point."""
        ...

    def vectors(self, ids: Sequence[ChunkId]) -> Iterator[Point]:
        """Stored points, vectors included, for reuse in the next version.

        Raises OutsideScopeError for one whose tag does not fit.
        """
        ...

    def count(self) -> int: ...

    def flush(self) -> None:
        """Everything written so far survives a crash once this returns."""
        ...

    def close(self) -> None: ...
