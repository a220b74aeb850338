"""A schema of PostgreSQL with one table of events and one of something else, for a flow to read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pydantic import JsonValue
from sqlalchemy import Connection, create_engine, make_url, text

from tests.postgres import POSTGRES

SCHEMA = f"embark_flows_{os.getpid()}"
ROWS = 30


def credentials() -> Mapping[str, JsonValue]:
    """As a user would give them to the flow."""
    url = make_url(POSTGRES)
    return {
        "host": url.host or "127.0.0.1",
        "port": url.port or 5432,
        "database": url.database or "test",
        "username": url.username or "root",
        "password": url.password or "none-is-needed",
        "schema_name": SCHEMA,
    }


@contextmanager
def event_tables() -> Iterator[None]:
    """There within the block. Raises OperationalError where no server runs."""
    engine = create_engine(POSTGRES, connect_args={"connect_timeout": 2})
    try:
        with engine.begin() as connection:
            _make(connection)
        yield
        with engine.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {SCHEMA} CASCADE"))
    finally:
        engine.dispose()


def _make(connection: Connection) -> None:
    connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    connection.execute(text(f"CREATE TABLE {SCHEMA}.people (name text)"))
    connection.execute(
        text(
            f"CREATE TABLE {SCHEMA}.clicks AS SELECT 'opened' AS event, 'u' || n % 7 AS user_id,"
            " timestamptz '2026-11-01 08:00Z' + n * interval '1 hour' AS occurred_at"
            f" FROM generate_series(1, {ROWS}) n"
        )
    )
