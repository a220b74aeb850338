"""Chunks, points and whole versions, made by hand for tests of the index lifecycle."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine, create_engine

from guardrails import stored
from guardrails.tenancy import confine
from retrieval.archive import Archive
from retrieval.index import Point
from retrieval.manifest import Manifest, PageRecord, version_name
from retrieval.memory import HashEncoder
from retrieval.representation import dense_text, sparse_passage
from retrieval.types import Chunk, ChunkId, Labels
from tests.postgres import own_schema

FINGERPRINT = "0123456789ab"
ENCODER = HashEncoder(64)
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """A temporary folder, in memory where the system has such a place.

    A version is synced to disk a dozen times; on a busy disk that is most of a test's time.
    """
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


@contextmanager
def postgresql() -> Iterator[Engine]:
    """An empty schema in the PostgreSQL of this machine, as a role that row security binds."""
    with own_schema() as place:
        engine = create_engine(place.url_there)
        confine(engine)
        yield engine
        engine.dispose()


def chunk_of(doc_id: str, text: str, *, ordinal: int = 0, labels: Labels | None = None) -> Chunk:
    return Chunk(
        id=ChunkId(f"{doc_id}#{ordinal}"),
        doc_id=doc_id,
        path=f"{doc_id}.md",
        source="docs",
        title=doc_id.replace("-", " ").title(),
        heading_path=("Overview",),
        anchor="overview",
        ordinal=ordinal,
        text=stored(text),
        labels=labels or Labels("acme"),
        doc_version="2026-01-01",
        content_hash=f"hash of {text}",
    )


def point_of(chunk: Chunk) -> Point:
    return Point(
        id=chunk.id,
        doc_id=chunk.doc_id,
        path=chunk.path,
        source=chunk.source,
        labels=chunk.labels,
        content_hash=chunk.content_hash,
        dense=ENCODER.encode_passages([dense_text(chunk)])[0],
        sparse=sparse_passage(chunk),
    )


def manifest_of(chunks: Sequence[Chunk], previous: str | None, now: datetime) -> Manifest:
    return Manifest(
        version=version_name(FINGERPRINT, now),
        fingerprint=FINGERPRINT,
        encoder=ENCODER.fingerprint,
        dimension=ENCODER.dimension,
        created=now.isoformat(),
        previous=previous,
        pages=tuple(
            PageRecord("docs", c.path, c.doc_id, c.labels.tenant, c.content_hash, "rules", 1)
            for c in chunks
        ),
        chunks=len(chunks),
    )


def publish(archive: Archive, chunks: Sequence[Chunk], *, minute: int = 0) -> str:
    """A version of exactly these chunks becomes current; `minute` tells versions apart."""
    now = START + timedelta(minutes=minute)
    with archive.writing():
        manifest = manifest_of(chunks, archive.current(), now)
        draft = archive.begin(manifest.version, manifest.dimension, None)
        draft.writer.put(chunks)
        draft.index.upsert([point_of(chunk) for chunk in chunks])
        archive.publish(draft, manifest, now)
    return manifest.version
