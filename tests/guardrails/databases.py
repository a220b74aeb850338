"""Databases for the stores of guardrails: a file, or a schema of PostgreSQL that is dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, text

from tests.postgres import own_schema
from tools.store.engine import open_engine

RIGHTS = "SELECT, INSERT, UPDATE, DELETE"
Upgrade = Callable[[Engine], None]


@contextmanager
def sqlite(folder: Path, upgrade: Upgrade) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{folder}/store.db")
    try:
        upgrade(engine)
        yield engine
    finally:
        engine.dispose()


@contextmanager
def postgres(upgrade: Upgrade) -> Iterator[Engine]:
    """As the owner of the tables. Skips where no server runs."""
    with own_schema() as place:
        engine = open_engine(place.url, place.schema)
        try:
            upgrade(engine)
            yield engine
        finally:
            engine.dispose()


@contextmanager
def guest(owned: Engine, tables: Sequence[str]) -> Iterator[Engine]:
    """As a role that owns nothing and is no superuser, with the rights that a server needs."""
    schema, names = owned.url.username, ", ".join(tables)
    with own_schema() as place:
        run(owned, f"GRANT USAGE ON SCHEMA {schema} TO {place.schema}")
        run(owned, f"GRANT {RIGHTS} ON {names} TO {place.schema}")
        engine = open_engine(place.url, schema)
        try:
            yield engine
        finally:
            engine.dispose()
            run(owned, f"REVOKE ALL ON {names} FROM {place.schema}")
            run(owned, f"REVOKE ALL ON SCHEMA {schema} FROM {place.schema}")


def run(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))
