"""SQL tables of chunk text, and the engines that read and write them.

Beside the chunks stand their stemmed terms, in a full-text index of the database's own.
"""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    text,
)
from sqlalchemy.pool import NullPool, QueuePool

from guardrails.tenancy import is_protected, protect

SCHEMA = "2"
"""Of these tables and of the vector payload: part of the index fingerprint."""
ONLY = "only"
"""What the version column says inside a file that holds a single version."""

metadata = MetaData()
chunk_table = Table(
    "index_chunk",
    metadata,
    Column("row", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("version", String(120), nullable=False),
    Column("id", Text, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("doc_id", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("heading_path", Text, nullable=False),  # JSON array
    Column("anchor", Text),
    Column("ordinal", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("labels", Text, nullable=False),  # JSON object
    Column("doc_version", Text, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("url", Text),
    UniqueConstraint("version", "id", name="index_chunk_id"),
    Index("index_chunk_page", "version", "tenant", "doc_id", "ordinal"),
    Index("index_chunk_hash", "version", "content_hash"),
)
_FULL_TEXT = {
    "sqlite": (
        "CREATE VIRTUAL TABLE IF NOT EXISTS index_chunk_terms "
        "USING fts5(terms, tokenize='unicode61 remove_diacritics 0')",
    ),
    "postgresql": (
        "CREATE TABLE IF NOT EXISTS index_chunk_terms "
        "(row BIGINT PRIMARY KEY, terms TEXT NOT NULL)",
        "CREATE INDEX IF NOT EXISTS index_chunk_terms_words ON index_chunk_terms "
        "USING gin (to_tsvector('simple', terms))",
    ),
}


def create_schema(engine: Engine) -> None:
    """Create the tables where they are missing. Raises ValueError for an unknown dialect."""
    statements = _FULL_TEXT.get(engine.dialect.name)
    if statements is None:
        raise ValueError(
            f"chunk text cannot be kept in {engine.dialect.name!r}: use sqlite or postgresql"
        )
    metadata.create_all(engine)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
        if not is_protected(connection, chunk_table.name):
            protect(connection, chunk_table.name)


def open_file(path: Path) -> Engine:
    """A finished SQLite file, read-only and immutable: no lock is taken and none is honoured."""
    return create_engine(
        "sqlite://",
        creator=partial(connect_file, f"{path.absolute().as_uri()}?mode=ro&immutable=1"),
        poolclass=QueuePool,
        pool_size=4,
        max_overflow=60,
    )


def write_file(path: Path) -> Engine:
    """A SQLite file under construction, with the schema in it.

    A crash loses the whole unpublished file, so the journal is kept in memory;
    whoever publishes the file syncs it first. Removed text is overwritten, not just unlinked.
    """
    engine = create_engine(
        "sqlite://", creator=partial(connect_file, path.absolute().as_uri()), poolclass=NullPool
    )
    event.listen(engine, "connect", _unjournaled)
    create_schema(engine)
    return engine


def connect_file(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, check_same_thread=False)


def _unjournaled(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA journal_mode = MEMORY")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA secure_delete = ON")
