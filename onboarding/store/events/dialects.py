"""The statements of an append that are hot, in the words of each database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

import orjson
from sqlalchemy import Connection, Engine, text

from onboarding.store.events.rows import COLUMNS

_INTO: Final = f"INSERT INTO product_event ({', '.join(COLUMNS)})"
_TYPES: Final = (
    "bigint", *["text"] * 8, "bigint", "bigint", "integer", "text",
)  # fmt: skip


class Statements(Protocol):
    """Within a transaction of one tenant that `take` began."""

    fields: str
    """The column of fields as text."""

    def take(self, connection: Connection, tenant: str) -> None:
        """Until the transaction ends nobody else appends for this tenant: numbers are committed in
        their order, or a reader would pass over one that comes later."""
        ...

    def fresh(self, connection: Connection, tenant: str, ids: Sequence[str], at: int) -> set[str]:
        """Notes message ids; those that were not there."""
        ...

    def numbers(self, connection: Connection, count: int) -> Iterator[int]:
        """Larger than any before."""
        ...

    def insert(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Rows of `rows.row_of`."""
        ...


class SqliteStatements:
    """One writer anyway: BEGIN IMMEDIATE."""

    fields = "fields"

    def take(self, connection: Connection, tenant: str) -> None:
        """Nothing to do."""

    def fresh(self, connection: Connection, tenant: str, ids: Sequence[str], at: int) -> set[str]:
        new = connection.exec_driver_sql(
            "INSERT OR IGNORE INTO event_message (tenant, message_id, received_at)"
            " SELECT ?, value, ? FROM json_each(?) RETURNING message_id",
            (tenant, at, orjson.dumps(list(ids)).decode()),
        )
        return {row[0] for row in new}

    def numbers(self, connection: Connection, count: int) -> Iterator[int]:
        last = connection.exec_driver_sql(
            "SELECT seq FROM sqlite_sequence WHERE name = 'product_event'"
        ).scalar()
        start = 1 if last is None else int(last) + 1
        return iter(range(start, start + count))

    def insert(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        places = ", ".join("?" * len(COLUMNS))
        connection.exec_driver_sql(f"{_INTO} VALUES ({places})", list(rows))


class PostgresStatements:
    """Arrays instead of rows: one statement, planned once."""

    fields = "fields::text"

    def take(self, connection: Connection, tenant: str) -> None:
        lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:log, 0))")
        connection.execute(lock, {"log": f"events:{tenant}"})

    def fresh(self, connection: Connection, tenant: str, ids: Sequence[str], at: int) -> set[str]:
        new = connection.exec_driver_sql(
            "INSERT INTO event_message (tenant, message_id, received_at)"
            " SELECT %s, id, %s FROM unnest(%s::text[]) AS id"
            " ON CONFLICT DO NOTHING RETURNING message_id",
            (tenant, at, list(ids)),
        )
        return {row[0] for row in new}

    def numbers(self, connection: Connection, count: int) -> Iterator[int]:
        taken = text("SELECT nextval('product_event_number') FROM generate_series(1, :count)")
        return iter(sorted(connection.execute(taken, {"count": count}).scalars()))

    def insert(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        arrays = ", ".join(f"%s::{kind}[]" for kind in _TYPES)
        names = ", ".join(f"c{place}" for place in range(len(_TYPES) - 1))
        connection.exec_driver_sql(
            f"{_INTO} SELECT {names}, fields::jsonb FROM unnest({arrays}) AS rows({names}, fields)",
            tuple(list(column) for column in zip(*rows, strict=True)),
        )


def statements_of(engine: Engine) -> Statements:
    return PostgresStatements() if engine.dialect.name == "postgresql" else SqliteStatements()
