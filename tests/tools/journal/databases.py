"""Databases for tests: a file, or a schema of PostgreSQL that is dropped afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from tests.postgres import own_schema
from tools.store.engine import open_engine, upgrade


@contextmanager
def sqlite(folder: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{folder}/journal.db")
    upgrade(engine)
    yield engine
    engine.dispose()


@contextmanager
def postgres() -> Iterator[Engine]:
    """As a role that row security binds. Skips where no server runs."""
    with own_schema() as (url, schema):
        engine = open_engine(url, schema)
        upgrade(engine, schema)
        yield engine
        engine.dispose()
