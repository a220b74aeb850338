"""What is not to be seen any more although the index holds it: pages, labels that grant nothing.

A revocation is a row. Every process reads the rows again every few seconds, so that it is obeyed
within a minute, and without another build of the index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple, Protocol

import structlog

from guardrails.logging import Log
from retrieval.filters import visible
from retrieval.index import IndexUnavailableError
from retrieval.library import ChunkStore, Library, Snapshot
from retrieval.types import LABEL_FIELDS, Chunk, ChunkId, Labels, Scope

PAGE = "path"
"""The field of a revocation that takes away a whole page; the others are `LABEL_FIELDS`."""
RECHECK_S = 2.0
"""How long what was read is believed: a revocation is in effect within this time."""
STALE_S = 30.0
"""How long it is believed when it cannot be read again; after that nothing is shown."""
_log = Log(structlog.get_logger(__name__))


class Revocation(NamedTuple):
    """`value` of `field` grants nothing any more: the path of a page, or the value of a label."""

    tenant: str
    field: str
    value: str
    since: datetime


class Revocations(Protocol):
    """Where they are kept. Raises IndexUnavailableError when that does not answer."""

    def revoke(self, given: Revocation) -> bool:
        """Whether it is new."""
        ...

    def restore(self, tenant: str, field: str, value: str) -> bool:
        """Whether there was one."""
        ...

    def all(self, tenant: str) -> tuple[Revocation, ...]:
        """Of one tenant, by field and value."""
        ...


@dataclass(slots=True)
class MemoryRevocations:
    """Of one process."""

    kept: dict[tuple[str, str, str], Revocation] = field(default_factory=dict)

    def revoke(self, given: Revocation) -> bool:
        return self.kept.setdefault(given[:3], given) is given

    def restore(self, tenant: str, field: str, value: str) -> bool:
        return self.kept.pop((tenant, field, value), None) is not None

    def all(self, tenant: str) -> tuple[Revocation, ...]:
        return tuple(given for key, given in sorted(self.kept.items()) if key[0] == tenant)


@dataclass(frozen=True, slots=True)
class Revoked:
    """All revocations of one tenant, as they stood at one moment."""

    pages: frozenset[str] = frozenset()
    labels: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Sequence[Revocation]) -> Revoked:
        by_field = {
            name: frozenset(row.value for row in rows if row.field == name)
            for name in (PAGE, *LABEL_FIELDS)
        }
        pages = by_field.pop(PAGE)
        return cls(pages, {name: values for name, values in by_field.items() if values})

    def applied(self, chunk: Chunk) -> Chunk | None:
        """The chunk with the labels that still grant something; None where its page is revoked."""
        if chunk.path in self.pages:
            return None
        left = {name: self._left(chunk.labels, name) for name in self.labels}
        labels = replace(chunk.labels, **left)  # type: ignore[arg-type]  # LABEL_FIELDS alone
        return replace(chunk, labels=labels) if left else chunk

    def _left(self, labels: Labels, name: str) -> tuple[str, ...]:
        carried: tuple[str, ...] = getattr(labels, name)
        return tuple(value for value in carried if value not in self.labels[name])


class _Read(NamedTuple):
    at: float
    revoked: Revoked


class Access:
    """What may be seen now. Thread-safe; reads the rows again once they are RECHECK_S old."""

    def __init__(
        self, stored: Revocations, timer: Callable[[], float], recheck_s: float = RECHECK_S
    ) -> None:
        """`timer` is monotonic, in seconds."""
        self._stored = stored
        self._timer = timer
        self._recheck_s = recheck_s
        self._read: dict[str, _Read] = {}

    def current(self, chunk: Chunk) -> Chunk | None:
        """As `Revoked.applied`, now. Raises IndexUnavailableError."""
        return self.revoked(chunk.labels.tenant).applied(chunk)

    def revoked(self, tenant: str) -> Revoked:
        """Raises IndexUnavailableError when nobody can tell what was revoked lately."""
        known, now = self._read.get(tenant), self._timer()
        if known is not None and now - known.at < self._recheck_s:
            return known.revoked
        try:
            known = _Read(now, Revoked.of(self._stored.all(tenant)))
        except IndexUnavailableError:
            if known is None or now - known.at > STALE_S:
                raise
            return known.revoked
        self._read[tenant] = known
        return known.revoked

    def sees(self, scope: Scope, chunk: Chunk) -> bool:
        """Whether it may be shown to this viewer now; not when that cannot be told."""
        try:
            left = self.current(chunk)
        except IndexUnavailableError:
            _log.write("error", "index.revocations_unknown", {"tenant": scope.tenant})
            return False
        return left is not None and any(visible([left], scope))


class WatchedLibrary:
    """A library whose snapshots give nothing that was revoked."""

    def __init__(self, library: Library, access: Access) -> None:
        self._library = library
        self._access = access

    @contextmanager
    def lease(self) -> Iterator[Snapshot]:
        with self._library.lease() as snapshot:
            yield replace(snapshot, chunks=_Watched(snapshot.chunks, self._access))

    def sees(self, scope: Scope, chunk: Chunk) -> bool:
        return self._access.sees(scope, chunk)

    def close(self) -> None:
        self._library.close()


@dataclass(frozen=True, slots=True)
class _Watched:
    """A `ChunkStore`. What is counted is counted as it was built."""

    stored: ChunkStore
    access: Access

    def get(self, tenant: str, ids: Iterable[ChunkId]) -> Mapping[ChunkId, Chunk]:
        return {chunk.id: chunk for chunk in self._left(self.stored.get(tenant, ids).values())}

    def page(self, tenant: str, doc_id: str) -> tuple[Chunk, ...]:
        return tuple(self._left(self.stored.page(tenant, doc_id)))

    def chunks(self) -> Iterator[Chunk]:
        return self._left(self.stored.chunks())

    def count(self, tenant: str | None = None) -> int:
        return self.stored.count(tenant)

    def document_frequencies(self, tenant: str, words: Sequence[str]) -> Mapping[str, int]:
        return self.stored.document_frequencies(tenant, words)

    def close(self) -> None:
        self.stored.close()

    def _left(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        current = map(self.access.current, chunks)
        return (chunk for chunk in current if chunk is not None)
