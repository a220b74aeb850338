"""Databases of sessions and quotas for tests: a file, or a schema of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from api import quotas_sql, sessions_sql
from tests.postgres import own_schema
from tools.store.engine import open_engine

DIALECTS = ("sqlite", "postgresql")


@contextmanager
def database(dialect: str, folder: Path) -> Iterator[Engine]:
    """With its tables. PostgreSQL as a role that row security binds; skips where none runs."""
    if dialect == "sqlite":
        yield from _prepared(open_engine(f"sqlite:///{folder}/embark.sqlite"))
        return
    with own_schema() as (url, schema):
        yield from _prepared(open_engine(url, schema))


def _prepared(engine: Engine) -> Iterator[Engine]:
    for part in (sessions_sql, quotas_sql):
        part.prepare(engine)
        part.prepare(engine)
    yield engine
    engine.dispose()
