"""The versioned index on a Qdrant server: a collection per version behind one alias.

Chunk text and the catalog of versions stand in the main database. Readers resolve the alias and
then stay with its collection for as long as they hold a lease. Nobody can count leases on other
machines, so gc spares every version that was current a short while ago.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException
from sqlalchemy import Connection, Engine, text

from retrieval.archive import ArchiveStatus, Draft, NoSuchVersionError, Removal
from retrieval.catalog import Catalog, VersionState
from retrieval.chunk_tables import create_schema
from retrieval.folders import Folders
from retrieval.index import IndexLockedError, IndexUnavailableError, NoIndexError
from retrieval.leases import RETRY_AFTER_S, LeasedLibrary, Opened
from retrieval.library import Snapshot
from retrieval.manifest import Manifest, version_time
from retrieval.server import ServerIndex
from retrieval.store import ChunkWriter, SqlChunkStore
from retrieval.tags import TagsOf

ALIAS = "docs"
RECHECK_S = 1.0
"""How often a reader asks where the alias points: a switch is noticed within this time."""
GRACE = timedelta(minutes=15)
"""Longer than any lease: a question is answered or given up within minutes."""
_COPY_BATCH = 256  # points; the request size of `retrieval.server`
_WRITER = 0x656D626172  # key of the advisory lock: "embar" in ASCII


class Parts(NamedTuple):
    """What a version on a server is opened with."""

    client: QdrantClient
    engine: Engine
    tags: TagsOf


class ServerLibrary(LeasedLibrary):
    """A `Library` over the collections that `embark index run` makes.

    Client and engine belong to the caller, who closes them after the library.
    """

    def __init__(
        self,
        client: QdrantClient,
        engine: Engine,
        tags: TagsOf,
        *,
        alias: str = ALIAS,
        recheck_s: float = RECHECK_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        shelf = CollectionShelf(
            Parts(client, engine, tags), alias, recheck_s=recheck_s, clock=clock
        )
        super().__init__(shelf, retry_after_s=RETRY_AFTER_S, clock=clock)


class CollectionShelf:
    """The reading side of the collections behind `alias`."""

    def __init__(
        self,
        parts: Parts,
        alias: str,
        *,
        recheck_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._client, self._engine, self._tags = parts
        self._alias = alias
        self._recheck_s = recheck_s
        self._clock = clock
        self._seen: tuple[str | None, float] = (None, float("-inf"))

    def stamp(self) -> Hashable | None:
        target, at = self._seen
        if target is None or self._clock() - at >= self._recheck_s:
            target = target_of(self._client, self._alias)
            self._seen = (target, self._clock())
        return target

    def current(self) -> str:
        target = target_of(self._client, self._alias)
        if target is None:
            raise NoIndexError("nothing is indexed yet; run `embark index run PATH`")
        return target

    def open(self, version: str) -> Opened:
        manifest = manifest_of(self._engine, version)
        tags = self._tags(version)
        index = ServerIndex.open(self._client, version, dimension=manifest.dimension, tags=tags)
        index.check_tags()
        chunks = SqlChunkStore(self._engine, version)
        for what, count in (("vectors", index.count()), ("chunks", chunks.count())):
            if count != manifest.chunks:
                raise IndexUnavailableError(
                    f"{version} holds {count} {what}, its manifest says {manifest.chunks}; "
                    "build it again with `embark index run --full`"
                )
        return Opened(Snapshot(version, index, chunks), lambda: None)


class CollectionArchive:
    """An `Archive` over collections. The writer's lock is a file below `lock_root` and, with
    PostgreSQL, an advisory lock that other machines honour too."""

    def __init__(
        self,
        client: QdrantClient,
        engine: Engine,
        tags: TagsOf,
        lock_root: Path,
        *,
        alias: str = ALIAS,
        grace: timedelta = GRACE,
    ) -> None:
        """Creates missing tables. Raises ValueError unless the database is one of ours."""
        self._client = client
        self._engine = engine
        self._tags = tags
        self._locks = Folders(lock_root)
        self._alias = alias
        self._grace = grace
        create_schema(engine)
        self._catalog = Catalog(engine)
        self._shelf = CollectionShelf(
            Parts(client, engine, tags), alias, recheck_s=0, clock=time.monotonic
        )

    @contextmanager
    def writing(self) -> Iterator[None]:
        with self._locks.writing(), _advisory_lock(self._engine):
            self._sweep()
            yield

    def current(self) -> str | None:
        return target_of(self._client, self._alias)

    def manifest(self, version: str) -> Manifest:
        return manifest_of(self._engine, version)

    @contextmanager
    def chunks(self, version: str) -> Iterator[SqlChunkStore]:
        yield SqlChunkStore(self._engine, version)

    def begin(self, version: str, dimension: int, base: str | None) -> Draft:
        created = version_time(version).isoformat()
        self._catalog.add(
            Manifest(version, "", "", dimension, created, None), VersionState.BUILDING, 0
        )
        tags = self._tags(version)
        index = ServerIndex.create(self._client, version, dimension=dimension, tags=tags)
        writer = ChunkWriter(self._engine, version)
        if base is not None:
            writer.copy(base)
            old = self._tags(base)
            source = ServerIndex.open(self._client, base, dimension=dimension, tags=old)
            self._copy_points(source, index)
        return Draft(version, index, SqlChunkStore(self._engine, version), writer)

    def publish(self, draft: Draft, manifest: Manifest, now: datetime) -> Manifest:
        draft.index.flush()
        vectors = manifest.chunks * manifest.dimension * 4  # float32; the server does not tell
        self._catalog.add(manifest, VersionState.READY, vectors, with_pages=True)
        self._switch(draft.version, now)
        return manifest

    def refuse(self, draft: Draft, manifest: Manifest) -> None:
        self.discard(draft)
        self._catalog.add(manifest, VersionState.REFUSED, 0)

    def discard(self, draft: Draft) -> None:
        self._delete(draft.version)
        self._catalog.forget(draft.version)

    def status(self) -> ArchiveStatus:
        current = self.current()
        return ArchiveStatus(
            current=current,
            rollback=self._catalog.before(current, self._versions()),
            records=self._catalog.records(),
            holders=(),
            writer=self._locks.writer(),
        )

    def rollback(self, to: str | None, now: datetime) -> str:
        target = to or self._catalog.before(self.current(), self._versions())
        if target is None:
            raise NoSuchVersionError("there is no earlier version to return to")
        if target not in self._versions():
            raise NoSuchVersionError(
                f"there is no version {target}; `embark index status` lists those that are left"
            )
        self._switch(target, now)
        return target

    def gc(self, keep: int, now: datetime) -> Removal:
        current = self.current()
        there = self._versions()
        kept = {name for name in (current, self._catalog.before(current, there)) if name}
        superseded = {record.name: record.superseded for record in self._catalog.records()}
        others = [name for name in there if name not in kept][max(keep - len(kept), 0) :]
        removed: list[str] = []
        in_use: list[str] = []
        for name in others:
            since = superseded[name]
            if since is not None and now - since < self._grace:
                in_use.append(name)
            else:
                self._delete(name)
                self._catalog.removed(name, now)
                removed.append(name)
        return Removal(tuple(removed), tuple(in_use))

    def purge(self, now: datetime) -> Removal:
        """Without the time of grace: a question under way on an older version fails."""
        current = self.current()
        older = [name for name in self._versions() if name != current]
        for name in older:
            self._delete(name)
            self._catalog.removed(name, now)
        self._catalog.forget_content(current)
        return Removal(tuple(older), ())

    def _switch(self, version: str, now: datetime) -> None:
        """Verify as a reader would, then move the alias in one operation."""
        self._shelf.open(version).release()
        moves: list[models.AliasOperations] = [
            models.CreateAliasOperation(
                create_alias=models.CreateAlias(collection_name=version, alias_name=self._alias)
            )
        ]
        if self.current() is not None:
            gone = models.DeleteAlias(alias_name=self._alias)
            moves.insert(0, models.DeleteAliasOperation(delete_alias=gone))
        with _server(self._alias):
            self._client.update_collection_aliases(moves)
        self._catalog.published(version, now)

    def _versions(self) -> list[str]:
        """Published versions that are still there, newest first."""
        records = self._catalog.records()
        return [record.name for record in records if record.state is VersionState.PUBLISHED]

    def _sweep(self) -> None:
        """What a crashed build left goes; only versions that this catalog knows are touched."""
        current = self.current()
        for record in self._catalog.records():
            if record.state not in {VersionState.BUILDING, VersionState.READY}:
                continue
            if record.name == current:
                self._catalog.published(record.name, record.created)
            else:
                self._delete(record.name)
                self._catalog.forget(record.name)

    def _delete(self, version: str) -> None:
        with _server(version):
            self._client.delete_collection(version)
        ChunkWriter(self._engine, version).drop()

    def _copy_points(self, source: ServerIndex, target: ServerIndex) -> None:
        ids = list(source.hashes())
        for start in range(0, len(ids), _COPY_BATCH):
            target.upsert(list(source.vectors(ids[start : start + _COPY_BATCH])))


def target_of(client: QdrantClient, alias: str) -> str | None:
    """The collection behind an alias. Raises IndexUnavailableError."""
    with _server(alias):
        aliases = client.get_aliases().aliases
    return next((a.collection_name for a in aliases if a.alias_name == alias), None)


def manifest_of(engine: Engine, version: str) -> Manifest:
    """Raises IndexUnavailableError when the database does not know the version."""
    manifest = Catalog(engine).manifest(version)
    if manifest is None:
        raise IndexUnavailableError(
            f"the database does not know the index version {version}: check that the server and "
            "`embark index run` use the same `database.url`"
        )
    return manifest


@contextmanager
def _server(name: str) -> Iterator[None]:
    try:
        yield
    except (ApiException, QdrantException) as error:
        raise IndexUnavailableError(
            f"the Qdrant server did not answer for {name!r}: {error}"
        ) from error


@contextmanager
def _advisory_lock(engine: Engine) -> Iterator[None]:
    """One writer over all machines that share a PostgreSQL; elsewhere the file lock is enough."""
    if engine.dialect.name != "postgresql":
        yield
        return
    with engine.connect() as opened:
        # a build takes minutes: no transaction may stay open for as long
        connection = opened.execution_options(isolation_level="AUTOCOMMIT")
        key = {"key": _WRITER}
        if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), key).scalar():
            raise IndexLockedError(_holder(connection))
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), key)


def _holder(connection: Connection) -> str:
    found = connection.execute(
        text(
            "SELECT a.pid, coalesce(host(a.client_addr), 'local') AS place FROM pg_locks l "
            "JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.granted "
            "AND ((l.classid::bigint << 32) | l.objid::bigint) = :key"
        ),
        {"key": _WRITER},
    ).first()
    return (
        "a writer on another machine"
        if found is None
        else f"a writer at {found.place} (PostgreSQL process {found.pid})"
    )
