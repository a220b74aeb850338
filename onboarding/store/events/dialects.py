"""The statements of an append that are hot, in the words of each database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

import orjson
from sqlalchemy import Connection, Engine

from onboarding.store.events.rows import COLUMNS

_INTO: Final = f"INSERT INTO product_event ({', '.join(COLUMNS)})"
_TYPES: Final = (
    "bigint", *["text"] * 8, "bigint", "bigint", "integer", "jsonb",
)  # fmt: skip
_KEYS: Final = tuple("abcdefghijklm")
_RECORD: Final = ", ".join(f"{key} {kind}" for key, kind in zip(_KEYS, _TYPES, strict=True))
_NOTHING: Final = frozenset[str]()


class Statements(Protocol):
    """Within a transaction of one tenant that `take` began."""

    def take(self, connection: Connection, tenant: str) -> None:
        """Until the transaction ends nobody else appends for this tenant: numbers are committed in
        their order, or a reader would pass over one that comes later."""
        ...

    def forgot(self, connection: Connection, tenant: str) -> bool:
        """Whether anybody was erased."""
        ...

    def note(
        self, connection: Connection, tenant: str, ids: Sequence[str], at: int
    ) -> frozenset[str]:
        """Notes message ids, each once; those that were there before."""
        ...

    def numbers(self, connection: Connection, count: int) -> Iterable[int]:
        """In order, larger than any before."""
        ...

    def insert(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Rows of `rows.row_of`."""
        ...


class SqliteStatements:
    """One writer anyway: BEGIN IMMEDIATE."""

    def take(self, connection: Connection, tenant: str) -> None:
        """Nothing to do."""

    def forgot(self, connection: Connection, tenant: str) -> bool:
        there = "SELECT 1 FROM event_tombstone WHERE tenant = ? LIMIT 1"
        return connection.exec_driver_sql(there, (tenant,)).first() is not None

    def note(
        self, connection: Connection, tenant: str, ids: Sequence[str], at: int
    ) -> frozenset[str]:
        """Where all are new one statement will do; else it is undone, and those that are there are
        looked for."""
        listed = orjson.dumps(ids).decode()
        new = (
            "INSERT OR IGNORE INTO event_message (tenant, message_id, received_at)"
            " SELECT ?, value, ? FROM json_each(?)"
        )
        connection.exec_driver_sql("SAVEPOINT noting")
        known = _NOTHING
        if connection.exec_driver_sql(new, (tenant, at, listed)).rowcount < len(ids):
            connection.exec_driver_sql("ROLLBACK TO noting")
            there = (
                "SELECT message_id FROM event_message"
                " WHERE tenant = ? AND message_id IN (SELECT value FROM json_each(?))"
            )
            rows = connection.exec_driver_sql(there, (tenant, listed))
            known = frozenset(row[0] for row in rows)
            connection.exec_driver_sql(new, (tenant, at, listed))
        connection.exec_driver_sql("RELEASE noting")
        return known

    def numbers(self, connection: Connection, count: int) -> Iterable[int]:
        last = connection.exec_driver_sql(
            "SELECT seq FROM sqlite_sequence WHERE name = 'product_event'"
        ).scalar()
        start = 1 if last is None else int(last) + 1
        return range(start, start + count)

    def insert(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        places = ", ".join("?" * len(COLUMNS))
        connection.exec_driver_sql(f"{_INTO} VALUES ({places})", list(rows))


class PostgresStatements:
    """A batch is one text of JSON, which the server takes apart: arrays cost this process more."""

    def take(self, connection: Connection, tenant: str) -> None:
        lock = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
        connection.exec_driver_sql(lock, (f"events:{tenant}",))

    def forgot(self, connection: Connection, tenant: str) -> bool:
        there = "SELECT 1 FROM event_tombstone WHERE tenant = %s LIMIT 1"
        return connection.exec_driver_sql(there, (tenant,)).first() is not None

    def note(
        self, connection: Connection, tenant: str, ids: Sequence[str], at: int
    ) -> frozenset[str]:
        new = (
            "INSERT INTO event_message (tenant, message_id, received_at)"
            " SELECT %s, id, %s FROM json_array_elements_text(%s::json) AS id"
            " ON CONFLICT DO NOTHING RETURNING message_id"
        )
        rows = connection.exec_driver_sql(new, (tenant, at, orjson.dumps(ids).decode()))
        return frozenset(ids).difference(rows.scalars())

    def numbers(self, connection: Connection, count: int) -> Iterable[int]:
        taken = "SELECT nextval('product_event_number') FROM generate_series(1, %s)"
        return sorted(connection.exec_driver_sql(taken, (count,)).scalars())

    def insert(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        records = [
            dict(zip(_KEYS, (*row[:-1], orjson.Fragment(row[-1])), strict=True)) for row in rows
        ]
        connection.exec_driver_sql(
            f"{_INTO} SELECT * FROM json_to_recordset(%s::json) AS rows({_RECORD})",
            (orjson.dumps(records).decode(),),
        )


def statements_of(engine: Engine) -> Statements:
    return PostgresStatements() if engine.dialect.name == "postgresql" else SqliteStatements()
