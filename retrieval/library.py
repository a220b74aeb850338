"""The read side of a versioned index: the current snapshot, leased so that a switch cuts nobody."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from retrieval.index import Index
from retrieval.types import Chunk, ChunkId, Scope


class ChunkStore(Protocol):
    """Text, heading path and anchor of every chunk of one index version, in SQL. Thread-safe."""

    def get(self, tenant: str, ids: Iterable[ChunkId]) -> Mapping[ChunkId, Chunk]:
        """The tenant's chunks that exist, by id; others are absent."""
        ...

    def page(self, tenant: str, doc_id: str) -> tuple[Chunk, ...]:
        """All chunks of one page in order; empty when there is none."""
        ...

    def chunks(self) -> Iterator[Chunk]:
        """Every chunk of all tenants, page by page: for upkeep alone."""
        ...

    def count(self, tenant: str | None = None) -> int:
        """Number of the tenant's chunks; None, of all: for upkeep alone."""
        ...

    def document_frequencies(self, tenant: str, words: Sequence[str]) -> Mapping[str, int]:
        """Number of the tenant's chunks that hold each stemmed term; absent where none does."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One immutable index version, open for reading."""

    version: str  # `docs__<fingerprint>_<utc>`
    index: Index
    chunks: ChunkStore


class Library(Protocol):
    """Hands out the current version. A lease keeps its snapshot open across a switch."""

    def lease(self) -> AbstractContextManager[Snapshot]:
        """The version that is current now. Raises NoIndexError, IndexUnavailableError."""
        ...

    def sees(self, scope: Scope, chunk: Chunk) -> bool:
        """Whether a chunk that was found may be shown to this viewer now. Never raises."""
        ...

    def close(self) -> None: ...
