"""The write side of a versioned index: begin -> fill the draft -> publish | refuse; rollback; gc.

The same verbs for version folders and for the collections of a server.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from retrieval.catalog import VersionRecord
from retrieval.folders import Holder
from retrieval.index import Index, RetrievalError
from retrieval.manifest import Manifest
from retrieval.store import ChunkWriter, SqlChunkStore


class NoSuchVersionError(RetrievalError):
    """A rollback names a version that is not there, or there is none to return to."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A version under construction, invisible to readers. `chunks` reads what `writer` wrote."""

    version: str
    index: Index
    chunks: SqlChunkStore
    writer: ChunkWriter


@dataclass(frozen=True, slots=True)
class ArchiveStatus:
    """`rollback` is the version that `rollback` would return to."""

    current: str | None
    rollback: str | None
    records: Sequence[VersionRecord]
    holders: Sequence[Holder]
    writer: Holder | None


@dataclass(frozen=True, slots=True)
class Removal:
    """What gc did. `in_use` would have gone, but somebody has it open or had it just now."""

    removed: tuple[str, ...]
    in_use: tuple[str, ...]


class Archive(Protocol):
    """Everything but `status`, `current` and `manifest` needs the writer's lock."""

    def writing(self) -> AbstractContextManager[None]:
        """The writer's lock; entering sweeps what a crashed build left behind.

        Raises IndexLockedError at once, naming the holder.
        """
        ...

    def current(self) -> str | None:
        """Raises IndexUnavailableError."""
        ...

    def manifest(self, version: str) -> Manifest:
        """Raises IndexUnavailableError."""
        ...

    def chunks(self, version: str) -> AbstractContextManager[SqlChunkStore]:
        """The text of a version, verified. Raises IndexUnavailableError."""
        ...

    def begin(self, version: str, dimension: int, base: str | None) -> Draft:
        """An empty draft, or one that holds all of `base`, which must have the same fingerprint."""
        ...

    def publish(self, draft: Draft, manifest: Manifest, now: datetime) -> Manifest:
        """Make it durable, open and verify it as a reader would, then switch to it.

        Returns the manifest as stored. On any error the old version stays current.
        """
        ...

    def refuse(self, draft: Draft, manifest: Manifest) -> None:
        """Drop the draft and keep its manifest, with the gate's report, in the catalog."""
        ...

    def discard(self, draft: Draft) -> None:
        """Drop the draft without a trace."""
        ...

    def status(self) -> ArchiveStatus: ...

    def rollback(self, to: str | None, now: datetime) -> str:
        """Switch to `to`, or to the version before the current one. Raises NoSuchVersionError."""
        ...

    def gc(self, keep: int, now: datetime) -> Removal:
        """Delete all but the newest `keep` versions; never the current one, nor the one that
        `rollback` returns to, nor one that is leased."""
        ...

    def purge(self, now: datetime) -> Removal:
        """Delete all but the current version at once, also the one to roll back to, and what the
        catalog says of their content; never one that is leased."""
        ...
