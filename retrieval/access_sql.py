"""Revocations in the main database, where every process finds them. The table is made by the first
that is written; where there is none, nothing was revoked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    MetaData,
    Table,
    Text,
    delete,
    inspect,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from guardrails.tenancy import EVERYBODY, protect, within
from retrieval.access import Revocation
from retrieval.index import IndexUnavailableError

_LOCK = 0x7265766F  # one process at a time makes the table; any number serves
metadata = MetaData()
index_revocation = Table(
    "index_revocation",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("field", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("since", Text, nullable=False),  # ISO 8601, UTC
)
_c = index_revocation.c


def prepare(engine: Engine) -> None:
    """Make the table; nothing happens when it is there."""
    with within(EVERYBODY), engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if not _is_there(connection):
            metadata.create_all(connection)
            protect(connection, index_revocation.name)


class SqlRevocations:
    """A `Revocations`. `engine` is called when something is first read or written; on PostgreSQL
    it gives one that is under `guardrails.tenancy.confine`."""

    def __init__(
        self, engine: Callable[[], Engine], made: Callable[[], bool] = lambda: True
    ) -> None:
        """`made`: whether there is a database; reading makes none."""
        self._engine = engine
        self._made = made
        self._there = False

    def revoke(self, given: Revocation) -> bool:
        row = given._asdict() | {"since": given.since.isoformat()}
        with _answering():
            prepare(self._engine())
            with within(given.tenant), self._engine().begin() as connection:
                dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
                new = dialect.insert(index_revocation).values(row).on_conflict_do_nothing()
                return connection.execute(new.returning(_c.value)).first() is not None

    def restore(self, tenant: str, field: str, value: str) -> bool:
        gone = delete(index_revocation).where(_of(tenant), _c.field == field, _c.value == value)
        with _answering():
            prepare(self._engine())
            with within(tenant), self._engine().begin() as connection:
                return connection.execute(gone).rowcount > 0

    def all(self, tenant: str) -> tuple[Revocation, ...]:
        if not self._made():
            return ()
        mine = select(index_revocation).where(_of(tenant)).order_by(_c.field, _c.value)
        with _answering(), within(tenant), self._engine().connect() as connection:
            self._there = self._there or _is_there(connection)
            rows = connection.execute(mine).all() if self._there else ()
        return tuple(
            Revocation(row.tenant, row.field, row.value, datetime.fromisoformat(row.since))
            for row in rows
        )


def _of(tenant: str) -> ColumnElement[bool]:
    return _c.tenant == tenant


def _is_there(connection: Connection) -> bool:
    return inspect(connection).has_table(index_revocation.name)


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise IndexUnavailableError(
            f"what was revoked cannot be read or written: {type(error.orig).__name__}; check the "
            "database (`database.url`)"
        ) from error
