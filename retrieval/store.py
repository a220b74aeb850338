"""Chunk text, headings and labels of one index version, in SQL.

Embedded, each version has its own immutable SQLite file; with a server, versions share the tables
of the main database. `search_text` answers while the vector store is down.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from typing import TypeVar

import orjson
from sqlalchemy import (
    Connection,
    Engine,
    RootTransaction,
    RowMapping,
    delete,
    func,
    insert,
    literal,
    select,
    text,
)
from sqlalchemy.exc import DatabaseError

from guardrails import Redacted, stored
from guardrails.tenancy import EVERYBODY, within
from retrieval.chunk_tables import chunk_table
from retrieval.filters import clauses, fields_of, satisfiable
from retrieval.frequencies import document_frequencies
from retrieval.index import IndexUnavailableError
from retrieval.representation import TITLE_WEIGHT, terms
from retrieval.types import LABEL_FIELDS, Chunk, ChunkId, Hit, Labels, Scope

T = TypeVar("T")

_c = chunk_table.c
_SEARCH = {
    "sqlite": text(
        "SELECT c.*, -bm25(index_chunk_terms) AS score FROM index_chunk_terms t "
        "JOIN index_chunk c ON c.row = t.rowid "
        "WHERE index_chunk_terms MATCH :words AND c.version = :version AND c.tenant = :tenant "
        "ORDER BY score DESC, c.row"
    ),
    "postgresql": text(
        "SELECT c.*, ts_rank(to_tsvector('simple', t.terms), q) AS score "
        "FROM index_chunk_terms t JOIN index_chunk c ON c.row = t.row, "
        "to_tsquery('simple', :words) q "
        "WHERE to_tsvector('simple', t.terms) @@ q "
        "AND c.version = :version AND c.tenant = :tenant ORDER BY score DESC, c.row"
    ),
}
_OR = {"sqlite": " OR ", "postgresql": " | "}
_QUERY_TERMS = 64  # distinct; a longer question adds cost, not evidence
_BATCH = 500  # bound variables a statement; old SQLite builds allow 999


class SqlChunkStore:
    """A `ChunkStore` over one version. Raises IndexUnavailableError when the database fails."""

    def __init__(self, engine: Engine, version: str, *, owns_engine: bool = False) -> None:
        """`owns_engine`: `close` disposes of the engine too."""
        self._engine = engine
        self._version = version
        self._owns_engine = owns_engine

    def get(self, tenant: str, ids: Iterable[ChunkId]) -> Mapping[ChunkId, Chunk]:
        found: dict[ChunkId, Chunk] = {}
        mine = select(chunk_table).where(_c.version == self._version, _c.tenant == tenant)
        with self._reading(tenant) as connection:
            for batch in _batched(ids):
                query = mine.where(_c.id.in_(batch))
                for row in connection.execute(query).mappings():
                    chunk = _chunk_of(row)
                    found[chunk.id] = chunk
        return found

    def page(self, tenant: str, doc_id: str) -> tuple[Chunk, ...]:
        query = (
            select(chunk_table)
            .where(_c.version == self._version, _c.tenant == tenant, _c.doc_id == doc_id)
            .order_by(_c.ordinal)
        )
        with self._reading(tenant) as connection:
            return tuple(map(_chunk_of, connection.execute(query).mappings()))

    def chunks(self) -> Iterator[Chunk]:
        query = (
            select(chunk_table)
            .where(_c.version == self._version)
            .order_by(_c.tenant, _c.doc_id, _c.ordinal)
        )
        with self._reading(EVERYBODY) as connection:
            streamed = connection.execute(query, execution_options={"yield_per": _BATCH})
            for row in streamed.mappings():
                yield _chunk_of(row)

    def count(self, tenant: str | None = None) -> int:
        query = select(func.count()).where(_c.version == self._version)
        if tenant is not None:
            query = query.where(_c.tenant == tenant)
        with self._reading(EVERYBODY if tenant is None else tenant) as connection:
            return int(connection.execute(query).scalar_one())

    def document_frequencies(self, tenant: str, words: Sequence[str]) -> Mapping[str, int]:
        with self._reading(tenant) as connection:
            return document_frequencies(connection, self._version, tenant, words)

    def hashes(self) -> Mapping[ChunkId, str]:
        """Content hash of every chunk."""
        query = select(_c.id, _c.content_hash).where(_c.version == self._version)
        with self._reading(EVERYBODY) as connection:
            return {ChunkId(id_): digest for id_, digest in connection.execute(query)}

    def with_hashes(self, digests: Iterable[str]) -> Mapping[str, ChunkId]:
        """For each content hash that occurs, one chunk that has it."""
        found: dict[str, ChunkId] = {}
        with self._reading(EVERYBODY) as connection:
            for batch in _batched(digests):
                query = select(_c.content_hash, _c.id).where(
                    _c.version == self._version, _c.content_hash.in_(batch)
                )
                found.update((d, ChunkId(id_)) for d, id_ in connection.execute(query))
        return found

    def search_text(self, question: Redacted, scope: Scope, limit: int) -> tuple[Hit, ...]:
        """Chunks that share stemmed words with the question, best first, seen through `scope`.

        The reduced search of an hour without the vector store: BM25 over the SQLite full-text
        index, `ts_rank` in PostgreSQL; scores of the two do not compare. Title and headings count
        double. Raises MissingTenantError, UnknownFieldError, IndexUnavailableError.
        """
        required = clauses(scope)
        words = list(dict.fromkeys(terms(question)))[:_QUERY_TERMS]
        if not words or not satisfiable(required):
            return ()
        dialect = self._engine.dialect.name
        bound = {
            "words": _OR[dialect].join(f'"{w}"' if dialect == "sqlite" else w for w in words),
            "version": self._version,
            "tenant": scope.tenant,
        }
        with self._reading(scope.tenant) as connection:
            rows = connection.execute(_SEARCH[dialect], bound).mappings()
            visible = (
                Hit(ChunkId(row["id"]), float(row["score"]))
                for row in rows
                if all(clause.admits(fields_of(_chunk_of(row))) for clause in required)
            )
            return tuple(islice(visible, limit))

    def close(self) -> None:
        if self._owns_engine:
            self._engine.dispose()

    @contextmanager
    def _reading(self, tenant: str) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection, _begun(connection, tenant):
                yield connection
        except DatabaseError as error:
            raise IndexUnavailableError(
                f"the chunk text cannot be read ({error.orig}); if its file is damaged, build the "
                "index again with `embark index run --full`"
            ) from error


class ChunkWriter:
    """Writes the chunks of one version that is not published yet. One thread.

    Raises IndexUnavailableError when the database fails.
    """

    def __init__(self, engine: Engine, version: str) -> None:
        self._engine = engine
        self._version = version

    def copy(self, base: str) -> None:
        """Copy the chunks of version `base`, which stays."""
        kept = [c for c in chunk_table.columns if c.name not in {"row", "version"}]
        with self._writing() as connection:
            connection.execute(
                insert(chunk_table).from_select(
                    ["version", *(c.name for c in kept)],
                    select(literal(self._version), *kept).where(_c.version == base),
                )
            )
            key = _terms_key(connection)
            connection.execute(
                text(
                    f"INSERT INTO index_chunk_terms ({key}, terms) SELECT new.row, t.terms "
                    "FROM index_chunk new "
                    "JOIN index_chunk old ON old.version = :base AND old.id = new.id "
                    f"JOIN index_chunk_terms t ON t.{key} = old.row WHERE new.version = :version"
                ),
                {"base": base, "version": self._version},
            )

    def put(self, chunks: Sequence[Chunk]) -> None:
        """Add or replace chunks, and their terms."""
        self.remove([chunk.id for chunk in chunks])
        with self._writing() as connection:
            for batch in _batched(chunks):
                connection.execute(
                    insert(chunk_table), [_row_of(chunk, self._version) for chunk in batch]
                )
                self._index_terms(connection, batch)

    def remove(self, ids: Iterable[ChunkId]) -> None:
        """Unknown ids are ignored."""
        with self._writing() as connection:
            for batch in _batched(ids):
                mine = select(_c.row).where(_c.version == self._version, _c.id.in_(batch))
                _forget(connection, list(connection.execute(mine).scalars()))

    def drop(self) -> None:
        """Remove the whole version."""
        with self._writing() as connection:
            mine = select(_c.row).where(_c.version == self._version)
            _forget(connection, list(connection.execute(mine).scalars()))

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection, _begun(connection, EVERYBODY):
                yield connection
        except DatabaseError as error:
            raise IndexUnavailableError(
                f"the chunk text cannot be written ({error.orig}); check space and rights of the "
                "data folder, or the database"
            ) from error

    def _index_terms(self, connection: Connection, chunks: Sequence[Chunk]) -> None:
        by_id = {chunk.id: chunk for chunk in chunks}
        rows = connection.execute(
            select(_c.row, _c.id).where(_c.version == self._version, _c.id.in_(by_id))
        )
        key = _terms_key(connection)
        connection.execute(
            text(f"INSERT INTO index_chunk_terms ({key}, terms) VALUES (:row, :terms)"),
            [{"row": row, "terms": _terms_of(by_id[ChunkId(id_)])} for row, id_ in rows],
        )


def _begun(connection: Connection, tenant: str) -> RootTransaction:
    """A transaction of this tenant; what the caller does meanwhile, such as iterate, is not."""
    with within(tenant):
        return connection.begin()


def _terms_key(connection: Connection) -> str:
    return "rowid" if connection.dialect.name == "sqlite" else "row"


def _forget(connection: Connection, rows: Sequence[int]) -> None:
    key = _terms_key(connection)
    if rows:
        connection.execute(
            text(f"DELETE FROM index_chunk_terms WHERE {key} = :row"),
            [{"row": row} for row in rows],
        )
    for batch in _batched(rows):
        connection.execute(delete(chunk_table).where(_c.row.in_(batch)))


def _terms_of(chunk: Chunk) -> str:
    head = terms(" ".join((chunk.title, *chunk.heading_path)))
    return " ".join((*head * int(TITLE_WEIGHT), *terms(chunk.text)))


def _row_of(chunk: Chunk, version: str) -> dict[str, object]:
    return {
        "version": version,
        "id": chunk.id,
        "tenant": chunk.labels.tenant,
        "doc_id": chunk.doc_id,
        "path": chunk.path,
        "source": chunk.source,
        "title": chunk.title,
        "heading_path": orjson.dumps(chunk.heading_path).decode(),
        "anchor": chunk.anchor,
        "ordinal": chunk.ordinal,
        "text": chunk.text,
        "labels": orjson.dumps(chunk.labels).decode(),
        "doc_version": chunk.doc_version,
        "content_hash": chunk.content_hash,
        "url": chunk.url,
    }


def _chunk_of(row: RowMapping) -> Chunk:
    return Chunk(
        id=ChunkId(row["id"]),
        doc_id=row["doc_id"],
        path=row["path"],
        source=row["source"],
        title=row["title"],
        heading_path=tuple(orjson.loads(row["heading_path"])),
        anchor=row["anchor"],
        ordinal=row["ordinal"],
        text=stored(row["text"]),
        labels=_labels_of(row["labels"]),
        doc_version=row["doc_version"],
        content_hash=row["content_hash"],
        url=row["url"],
    )


@lru_cache(maxsize=4096)
def _labels_of(packed: str) -> Labels:
    """Pages of a corpus share few sets of labels: decoding each once halves the cost of a read."""
    held = orjson.loads(packed)
    return Labels(
        tenant=held["tenant"],
        owner=held["owner"],
        updated=held["updated"],
        **{name: tuple(held[name]) for name in LABEL_FIELDS},
    )


def _batched(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, _BATCH)):
        yield batch
