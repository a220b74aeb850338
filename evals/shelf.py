"""A folder of documentation -> a searchable snapshot, through the product's own steps."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from guardrails import Redactor
from ingest import ChunkPolicy, FolderSource, PageError, chunk_page, load
from retrieval.chunk_tables import ONLY, write_file
from retrieval.edge import EdgeIndex
from retrieval.index import Point
from retrieval.library import Snapshot
from retrieval.representation import dense_text, sparse_passage
from retrieval.store import ChunkWriter, SqlChunkStore
from retrieval.tags import KEY_BYTES, tags_under
from retrieval.types import Chunk, Encoder

TENANT = "eval"
VERSION = ONLY


def read_chunks(docs: Path, redactor: Redactor) -> list[Chunk]:
    """Chunks of every page that can be read, page by page."""
    source = FolderSource("docs", docs)
    return [
        chunk
        for page in load(source)
        if not isinstance(page, PageError)
        for chunk in chunk_page(
            page, tenant=TENANT, source=source.id, redactor=redactor, policy=ChunkPolicy()
        )
    ]


@contextmanager
def shelve(chunks: list[Chunk], encoder: Encoder) -> Iterator[Snapshot]:
    """A snapshot over the chunks in a temporary folder."""
    dense = encoder.encode_passages([dense_text(chunk) for chunk in chunks])
    points = [
        Point(c.id, c.doc_id, c.path, c.source, c.labels, c.content_hash, v, sparse_passage(c))
        for c, v in zip(chunks, dense, strict=True)
    ]
    with TemporaryDirectory() as folder:
        tags = tags_under(secrets.token_bytes(KEY_BYTES))(VERSION)
        shard = Path(folder) / "shard"
        index = EdgeIndex.open(shard, dimension=encoder.dimension, tags=tags, writable=True)
        index.upsert(points)
        engine = write_file(Path(folder) / "chunks.sqlite")
        ChunkWriter(engine, VERSION).put(chunks)
        store = SqlChunkStore(engine, VERSION, owns_engine=True)
        try:
            yield Snapshot(VERSION, index, store)
        finally:
            store.close()
            index.close()
