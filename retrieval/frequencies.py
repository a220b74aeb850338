"""How many chunks of one version hold a term, read from the database's own full-text index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, text

from retrieval.chunk_tables import ONLY

_SQLITE_VIEW = text(
    "CREATE VIRTUAL TABLE IF NOT EXISTS temp.chunk_vocabulary "
    "USING fts5vocab('main', 'index_chunk_terms', 'row')"
)
_SQLITE = text("SELECT doc FROM temp.chunk_vocabulary WHERE term = :term")
_SQLITE_SHARED = text(
    "SELECT count(*) FROM index_chunk_terms t JOIN index_chunk c ON c.row = t.rowid "
    "WHERE index_chunk_terms MATCH '\"' || :term || '\"' AND c.version = :version "
    "AND c.tenant = :tenant"
)
_POSTGRESQL = text(
    "SELECT count(*) FROM index_chunk_terms t JOIN index_chunk c ON c.row = t.row "
    "WHERE to_tsvector('simple', t.terms) @@ to_tsquery('simple', quote_literal(:term)) "
    "AND c.version = :version AND c.tenant = :tenant"
)
_OTHERS = text("SELECT EXISTS (SELECT 1 FROM index_chunk c WHERE c.tenant <> :tenant)")


def document_frequencies(
    connection: Connection, version: str, tenant: str, terms: Sequence[str]
) -> Mapping[str, int]:
    """Number of the tenant's chunks for each term as `representation.terms` gives it; absent where
    there is none.

    A version's own SQLite file that holds no other tenant is asked for its vocabulary; elsewhere
    the tenant's chunks of the named version are counted.
    """
    query, extra = _POSTGRESQL, {"version": version, "tenant": tenant}
    if connection.dialect.name == "sqlite" and version == ONLY and _alone(connection, tenant):
        connection.execute(_SQLITE_VIEW)
        query, extra = _SQLITE, {}
    elif connection.dialect.name == "sqlite":
        query = _SQLITE_SHARED
    counts = {t: connection.execute(query, {"term": t, **extra}).scalar() for t in set(terms)}
    return {term: int(count) for term, count in counts.items() if count}


def _alone(connection: Connection, tenant: str) -> bool:
    return not connection.execute(_OTHERS, {"tenant": tenant}).scalar_one()
