"""Databases for tests: a file, or a schema of PostgreSQL that is dropped afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from tools.store.engine import open_engine, upgrade

POSTGRES = os.environ.get(
    "EMBARK_TEST_POSTGRES_URL", "postgresql+psycopg://root@127.0.0.1:5432/test"
)


@contextmanager
def sqlite(folder: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{folder}/journal.db")
    upgrade(engine)
    yield engine
    engine.dispose()


@contextmanager
def postgres() -> Iterator[Engine]:
    """Skips where no server runs."""
    with postgres_schema() as schema:
        engine = open_engine(POSTGRES, schema)
        upgrade(engine, schema)
        yield engine
        engine.dispose()


@contextmanager
def postgres_schema() -> Iterator[str]:
    schema = f"embark_{uuid4().hex[:12]}"
    admin = create_engine(POSTGRES, connect_args={"connect_timeout": 2})
    try:
        with admin.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {schema}"))
    except OperationalError as error:
        admin.dispose()
        pytest.skip(f"no PostgreSQL at {POSTGRES}: {type(error.orig).__name__}")
    yield schema
    with admin.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    admin.dispose()
