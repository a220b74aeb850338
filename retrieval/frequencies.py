"""How many chunks of one version hold a term, read from the database's own full-text index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, text

_SQLITE_VIEW = text(
    "CREATE VIRTUAL TABLE IF NOT EXISTS temp.chunk_vocabulary "
    "USING fts5vocab('main', 'index_chunk_terms', 'row')"
)
_SQLITE = text("SELECT doc FROM temp.chunk_vocabulary WHERE term = :term")
_POSTGRESQL = text(
    "SELECT count(*) FROM index_chunk_terms t JOIN index_chunk c ON c.row = t.row "
    "WHERE to_tsvector('simple', t.terms) @@ to_tsquery('simple', quote_literal(:term)) "
    "AND c.version = :version"
)


def document_frequencies(
    connection: Connection, version: str, terms: Sequence[str]
) -> Mapping[str, int]:
    """Number of chunks for each term as `representation.terms` gives it; absent where none.

    A SQLite file holds one version; PostgreSQL counts the named one.
    """
    if connection.dialect.name == "sqlite":
        connection.execute(_SQLITE_VIEW)
        query, extra = _SQLITE, {}
    else:
        query, extra = _POSTGRESQL, {"version": version}
    counts = {t: connection.execute(query, {"term": t, **extra}).scalar() for t in set(terms)}
    return {term: int(count) for term, count in counts.items() if count}
