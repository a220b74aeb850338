"""A schema of PostgreSQL for one test, of a role that row security binds; both are dropped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

POSTGRES = os.environ.get(
    "EMBARK_TEST_POSTGRES_URL", "postgresql+psycopg://root@127.0.0.1:5432/test"
)
CONNECT = {"connect_timeout": 2}


class Place(NamedTuple):
    """`url` signs in as the role; `schema` has the role's name."""

    url: str
    schema: str

    @property
    def url_there(self) -> str:
        """Of connections that look into the schema alone."""
        return f"{self.url}?options=-csearch_path%3D{self.schema}"


def reachable() -> None:
    """Skips where no server runs; with CI set it fails."""
    engine = create_engine(POSTGRES, connect_args=CONNECT)
    try:
        engine.connect().close()
    except OperationalError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no PostgreSQL at {POSTGRES}: {type(error.orig).__name__}")
    finally:
        engine.dispose()


@contextmanager
def own_schema() -> Iterator[Place]:
    """Skips as `reachable`."""
    reachable()
    name = f"embark_{uuid4().hex[:12]}"
    admin = create_engine(POSTGRES, connect_args=CONNECT)
    with admin.begin() as connection:
        connection.execute(text(f"CREATE ROLE {name} LOGIN"))
        connection.execute(text(f"CREATE SCHEMA {name} AUTHORIZATION {name}"))
    url = make_url(POSTGRES).set(username=name).render_as_string(hide_password=False)
    try:
        yield Place(url, name)
    finally:
        with admin.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
            connection.execute(text(f"DROP ROLE {name}"))
        admin.dispose()
