"""The write side of the embedded index: version folders and the swap of the `current` pointer."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from retrieval.archive import ArchiveStatus, Draft, NoSuchVersionError, Removal
from retrieval.catalog import Catalog, VersionState
from retrieval.chunk_tables import ONLY, connect_file, open_file, write_file
from retrieval.edge import EdgeIndex, copy_for_reading
from retrieval.folders import MANIFEST, SHARD, STORE, Folders, sync_folder
from retrieval.index import NoIndexError
from retrieval.manifest import Manifest, file_digest
from retrieval.sparse_files import copy_file, disk_usage
from retrieval.store import ChunkWriter, SqlChunkStore
from retrieval.tags import TagsOf
from retrieval.versions import FolderShelf, check_text, read_manifest


class FolderArchive:
    """An `Archive` over version folders below `root`."""

    def __init__(self, root: Path, tags: TagsOf) -> None:
        self._folders = Folders(root)
        self._shelf = FolderShelf(root, tags)
        self._tags = tags

    @contextmanager
    def writing(self) -> Iterator[None]:
        with self._folders.writing():
            self._sweep()
            yield

    def current(self) -> str | None:
        try:
            return self._folders.current()
        except NoIndexError:
            return None

    def manifest(self, version: str) -> Manifest:
        return read_manifest(self._folders.version(version))

    @contextmanager
    def chunks(self, version: str) -> Iterator[SqlChunkStore]:
        folder = self._folders.version(version)
        check_text(folder, self.manifest(version))
        store = SqlChunkStore(open_file(folder / STORE), ONLY, owns_engine=True)
        try:
            yield store
        finally:
            store.close()

    def begin(self, version: str, dimension: int, base: str | None) -> Draft:
        home = self._folders.building / version
        home.mkdir(mode=0o700, parents=True)
        if base is not None:
            source = self._folders.version(base)
            copy_for_reading(source / SHARD, home / SHARD)
            copy_file(source / STORE, home / STORE)
        tags = self._tags(version)
        index = EdgeIndex.open(home / SHARD, dimension=dimension, tags=tags, writable=True)
        if base is not None:
            with _closing_on_error(index):
                index.retag(self._tags(base))
        engine = write_file(home / STORE)
        chunks = SqlChunkStore(engine, ONLY, owns_engine=True)
        return Draft(version, index, chunks, ChunkWriter(engine, ONLY))

    def publish(self, draft: Draft, manifest: Manifest, now: datetime) -> Manifest:
        home = self._folders.building / draft.version
        draft.index.flush()
        draft.index.close()
        draft.chunks.close()
        stored = replace(manifest, store_sha256=file_digest(home / STORE))
        (home / MANIFEST).write_bytes(stored.to_json())
        for path in (home / STORE, home / MANIFEST):
            _sync_file(path)
        sync_folder(home)
        self._catalog().add(stored, VersionState.READY, size_bytes=disk_usage(home))
        home.rename(self._folders.version(draft.version))
        sync_folder(self._folders.root)
        self._switch(draft.version, now)
        return stored

    def refuse(self, draft: Draft, manifest: Manifest) -> None:
        self.discard(draft)
        self._catalog().add(manifest, VersionState.REFUSED, size_bytes=0)

    def discard(self, draft: Draft) -> None:
        draft.index.close()
        draft.chunks.close()
        shutil.rmtree(self._folders.building / draft.version, ignore_errors=True)

    def status(self) -> ArchiveStatus:
        if not self._folders.root.is_dir():
            return ArchiveStatus(None, None, (), (), None)
        current = self.current()
        return ArchiveStatus(
            current=current,
            rollback=self._before(current),
            records=self._catalog().records(),
            holders=self._folders.holders(),
            writer=self._folders.writer(),
        )

    def rollback(self, to: str | None, now: datetime) -> str:
        target = to or self._before(self.current())
        if target is None:
            raise NoSuchVersionError("there is no earlier version to return to")
        if target not in self._folders.versions():
            raise NoSuchVersionError(
                f"there is no version {target}; `embark index status` lists those that are left"
            )
        self._switch(target, now)
        return target

    def gc(self, keep: int, now: datetime) -> Removal:
        current = self.current()
        kept = [name for name in (current, self._before(current)) if name is not None]
        others = [name for name in reversed(self._folders.versions()) if name not in kept]
        room = max(keep - len(kept), 0)
        removed: list[str] = []
        in_use: list[str] = []
        for name in others[room:]:
            gone = self._folders.remove(name)
            (removed if gone else in_use).append(name)
            if gone:
                self._catalog().removed(name, now)
        return Removal(tuple(removed), tuple(in_use))

    def purge(self, now: datetime) -> Removal:
        current = self.current()
        removed: list[str] = []
        in_use: list[str] = []
        for name in self._folders.versions():
            if name != current:
                gone = self._folders.remove(name)
                (removed if gone else in_use).append(name)
        for name in removed:
            self._catalog().removed(name, now)
        shutil.rmtree(self._folders.building, ignore_errors=True)
        self._catalog().forget_content(current)
        return Removal(tuple(removed), tuple(in_use))

    def _switch(self, version: str, now: datetime) -> None:
        """Open as a reader would; only what verifies becomes current."""
        self._shelf.open(version).release()
        self._folders.point_to(version)
        self._catalog().published(version, now)

    def _before(self, version: str | None) -> str | None:
        """What to return to; asked of the catalog, because the manifest of a version that must be
        left may be damaged."""
        return self._catalog().before(version, self._folders.versions())

    def _sweep(self) -> None:
        """Half versions, and whole ones that a crash kept from the pointer, go."""
        shutil.rmtree(self._folders.building, ignore_errors=True)
        self._folders.holders()
        ready = [r for r in self._catalog().records() if r.state is VersionState.READY]
        for record in ready:
            if record.name == self.current():
                self._catalog().published(record.name, record.created)
            elif self._folders.remove(record.name):
                self._catalog().removed(record.name, None)

    def _catalog(self) -> Catalog:
        connect = partial(connect_file, self._folders.catalog.absolute().as_uri())
        return Catalog(create_engine("sqlite://", creator=connect, poolclass=NullPool))


def _sync_file(path: Path) -> None:
    with path.open("rb") as opened:
        os.fsync(opened.fileno())


@contextmanager
def _closing_on_error(index: EdgeIndex) -> Iterator[None]:
    """The folder of a draft that did not come to be is freed for the next one."""
    with ExitStack() as undo:
        undo.callback(index.close)
        yield
        undo.pop_all()
