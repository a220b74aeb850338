"""The embedded library: version folders, a `current` pointer, and a hot switch between requests.

The first process to open a version owns its shard. Every other process, a second API worker or a
command beside a running server, reads a private copy of the shard, removed when it is closed or
by whoever next looks after its process has died. Chunk text is read in place by all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from contextlib import ExitStack
from pathlib import Path

import structlog

from retrieval.chunk_tables import ONLY, open_file
from retrieval.edge import EdgeIndex, copy_for_reading
from retrieval.folders import MANIFEST, SHARD, STORE, Claim, Folders
from retrieval.index import Index, IndexLockedError, IndexUnavailableError
from retrieval.leases import RETRY_AFTER_S, LeasedLibrary, Opened
from retrieval.library import Snapshot
from retrieval.manifest import Manifest, file_digest
from retrieval.store import SqlChunkStore
from retrieval.tags import Tags, TagsOf

_log = structlog.get_logger(__name__)


class EmbeddedLibrary(LeasedLibrary):
    """A `Library` over the folder that `embark index run` writes. Notices a switch by one stat."""

    def __init__(
        self,
        root: Path,
        tags: TagsOf,
        *,
        retry_after_s: float = RETRY_AFTER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(FolderShelf(root, tags), retry_after_s=retry_after_s, clock=clock)


class FolderShelf:
    """The reading side of the version folders below `root`."""

    def __init__(self, root: Path, tags: TagsOf) -> None:
        self._folders = Folders(root)
        self._tags = tags

    def stamp(self) -> Hashable | None:
        return self._folders.stamp()

    def current(self) -> str:
        return self._folders.current()

    def open(self, version: str) -> Opened:
        with ExitStack() as undo:
            claim = self._claim(version)
            undo.callback(claim.release)
            folder = self._folders.version(version)
            manifest = read_manifest(folder)
            store = SqlChunkStore(open_file(folder / STORE), ONLY, owns_engine=True)
            undo.callback(store.close)
            tags = self._tags(version)
            index = _own_or_copy(folder / SHARD, claim.private, manifest.dimension, tags)
            undo.callback(index.close)
            index.check_tags()
            _verify(folder, manifest, index, store)
            return Opened(Snapshot(version, index, store), undo.pop_all().close)

    def _claim(self, version: str) -> Claim:
        try:
            return self._folders.claim(version)
        except OSError as error:
            raise IndexUnavailableError(
                f"{version} cannot be marked as in use: {error}; the data folder must be "
                "writable and have space left"
            ) from error


def read_manifest(folder: Path) -> Manifest:
    """Raises IndexUnavailableError when it is missing, damaged or of another version."""
    path = folder / MANIFEST
    try:
        manifest = Manifest.from_json(path.read_bytes(), str(path))
    except OSError as error:
        raise IndexUnavailableError(
            f"the index version {folder.name} is not whole ({error}); return to the version "
            "before it with `embark index rollback`"
        ) from error
    if manifest.version != folder.name:
        raise IndexUnavailableError(f"{path} belongs to {manifest.version}")
    return manifest


def _own_or_copy(shard: Path, private: Path, dimension: int, tags: Tags) -> EdgeIndex:
    try:
        return EdgeIndex.open(shard, dimension=dimension, tags=tags, writable=False)
    except IndexLockedError as owned:
        _log.info("index.private_copy", owner=owned.holder)
    copy_for_reading(shard, private)
    return EdgeIndex.open(private, dimension=dimension, tags=tags, writable=False)


def _verify(folder: Path, manifest: Manifest, index: Index, store: SqlChunkStore) -> None:
    """Every byte of the text, and the counts of both stores, as on the day of the build."""
    check_text(folder, manifest)
    found = {"vectors": index.count(), "chunks": store.count()}
    for what, count in found.items():
        if count != manifest.chunks:
            raise IndexUnavailableError(
                f"{folder.name} holds {count} {what}, its manifest says {manifest.chunks}; "
                "build it again with `embark index run --full`"
            )


def check_text(folder: Path, manifest: Manifest) -> None:
    """Raises IndexUnavailableError unless the text is byte for byte what was built."""
    try:
        digest = file_digest(folder / STORE)
    except OSError as error:
        raise IndexUnavailableError(f"the text of {folder.name} cannot be read: {error}") from error
    if digest != manifest.store_sha256:
        raise IndexUnavailableError(
            f"the text in {folder.name} was changed after it was built; "
            "build it again with `embark index run --full`"
        )
