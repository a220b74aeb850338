"""The statements that keep features up to date, in the words of each database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple, Protocol

import orjson
from sqlalchemy import Connection, Engine

_INTO: Final = "INSERT INTO feature_state (tenant, spec, subject, state, pruned_at, updated_at)"
_MERGED: Final = (
    " ON CONFLICT (tenant, spec, subject) DO UPDATE SET state = excluded.state,"
    " pruned_at = excluded.pruned_at, updated_at = excluded.updated_at"
)


class Mark(NamedTuple):
    """What the states were like when they were written last."""

    position: int
    changes: int


class StateRow(NamedTuple):
    """`state` is JSON."""

    subject: str
    state: bytes
    pruned_at: int


class Statements(Protocol):
    """Within a transaction of `relaxed`."""

    def mark(self, connection: Connection, tenant: str, spec: str) -> Mark | None:
        """Nobody else moves it until the transaction ends, which need not be on the disk then. None
        before the first `start`."""
        ...

    def start(self, connection: Connection, tenant: str, spec: str) -> None: ...

    def move(self, connection: Connection, tenant: str, spec: str, position: int) -> None: ...

    def read(
        self, connection: Connection, tenant: str, spec: str, subjects: Sequence[str]
    ) -> Iterable[StateRow]: ...

    def keep(
        self,
        connection: Connection,
        tenant: str,
        spec: str,
        rows: Sequence[StateRow],
        updated_at: int,
    ) -> None: ...


class SqliteStatements:
    """One writer anyway: BEGIN IMMEDIATE."""

    def mark(self, connection: Connection, tenant: str, spec: str) -> Mark | None:
        own = "SELECT position, changes FROM feature_position WHERE tenant = ? AND spec = ?"
        row = connection.exec_driver_sql(own, (tenant, spec)).first()
        return None if row is None else Mark(*row)

    def start(self, connection: Connection, tenant: str, spec: str) -> None:
        new = "INSERT INTO feature_position (tenant, spec, position, changes) VALUES (?, ?, 0, 0)"
        connection.exec_driver_sql(new, (tenant, spec))

    def move(self, connection: Connection, tenant: str, spec: str, position: int) -> None:
        moved = "UPDATE feature_position SET position = ? WHERE tenant = ? AND spec = ?"
        connection.exec_driver_sql(moved, (position, tenant, spec))

    def read(
        self, connection: Connection, tenant: str, spec: str, subjects: Sequence[str]
    ) -> Iterable[StateRow]:
        own = (
            "SELECT subject, state, pruned_at FROM feature_state"
            " WHERE tenant = ? AND spec = ? AND subject IN (SELECT value FROM json_each(?))"
        )
        listed = orjson.dumps(subjects).decode()
        return [StateRow(*row) for row in connection.exec_driver_sql(own, (tenant, spec, listed))]

    def keep(
        self,
        connection: Connection,
        tenant: str,
        spec: str,
        rows: Sequence[StateRow],
        updated_at: int,
    ) -> None:
        connection.exec_driver_sql(
            f"{_INTO} VALUES (?, ?, ?, ?, ?, ?){_MERGED}",
            [(tenant, spec, *row, updated_at) for row in rows],
        )


class PostgresStatements:
    """A batch is one text of JSON, which the server takes apart."""

    def mark(self, connection: Connection, tenant: str, spec: str) -> Mark | None:
        own = (
            "SELECT position, changes, set_config('synchronous_commit', 'off', true)"
            " FROM feature_position WHERE tenant = %s AND spec = %s FOR UPDATE"
        )
        row = connection.exec_driver_sql(own, (tenant, spec)).first()
        return None if row is None else Mark(row[0], row[1])

    def start(self, connection: Connection, tenant: str, spec: str) -> None:
        new = (
            "INSERT INTO feature_position (tenant, spec, position, changes)"
            " VALUES (%s, %s, 0, 0) ON CONFLICT DO NOTHING"
        )
        connection.exec_driver_sql(new, (tenant, spec))

    def move(self, connection: Connection, tenant: str, spec: str, position: int) -> None:
        moved = "UPDATE feature_position SET position = %s WHERE tenant = %s AND spec = %s"
        connection.exec_driver_sql(moved, (position, tenant, spec))

    def read(
        self, connection: Connection, tenant: str, spec: str, subjects: Sequence[str]
    ) -> Iterable[StateRow]:
        own = (
            "SELECT subject, state, pruned_at FROM feature_state"
            " WHERE tenant = %s AND spec = %s AND subject = ANY(%s)"
        )
        rows = connection.exec_driver_sql(own, (tenant, spec, list(subjects)))
        return [StateRow(row[0], bytes(row[1]), row[2]) for row in rows]

    def keep(
        self,
        connection: Connection,
        tenant: str,
        spec: str,
        rows: Sequence[StateRow],
        updated_at: int,
    ) -> None:
        """Of JSON, not JSONB: the state stays as it was written, byte for byte."""
        records = [{"s": row.subject, "j": orjson.Fragment(row.state), "p": row.pruned_at}
                   for row in rows]  # fmt: skip
        connection.exec_driver_sql(
            f"{_INTO} SELECT %s, %s, s, convert_to(j::text, 'UTF8'), p, %s"
            f" FROM json_to_recordset(%s::json) AS rows(s text, j json, p bigint){_MERGED}",
            (tenant, spec, updated_at, orjson.dumps(records).decode()),
        )


@contextmanager
def relaxed(connection: Connection) -> Iterator[None]:
    """A transaction whose commit waits for no disk: what a power cut takes away the log gives
    again, since the mark goes with it. On PostgreSQL `mark` says so for its transaction."""
    if connection.dialect.name != "sqlite":
        with connection.begin():
            yield
        return
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute("PRAGMA synchronous=NORMAL")
    try:
        with connection.begin():
            yield
    finally:
        driver.execute("PRAGMA synchronous=FULL")


def statements_of(engine: Engine) -> Statements:
    return PostgresStatements() if engine.dialect.name == "postgresql" else SqliteStatements()
