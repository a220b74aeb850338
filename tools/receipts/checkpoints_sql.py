"""Checkpoints in SQL, beside the journal: SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, RowMapping, Select, insert, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError

from guardrails.tenancy import EVERYBODY, within
from tools.journal import JournalUnavailableError
from tools.receipts.checkpoints import StoredCheckpoint
from tools.receipts.tables import receipt_checkpoint as table

_T = TypeVar("_T")
_UPGRADE_LOCK = 0x72637074  # one process at a time makes the table; any number serves


def upgrade(engine: Engine) -> None:
    """Bring the table to the newest revision; nothing happens when it is there."""
    config = Config()
    config.set_main_option("script_location", "tools.receipts:migrations")
    config.set_main_option("path_separator", "os")
    with within(EVERYBODY), engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _UPGRADE_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


class SqlCheckpoints:
    """Over an engine whose table `upgrade` has made; whoever opened the engine disposes of it.

    Raises JournalUnavailableError from all.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def add(self, checkpoint: StoredCheckpoint) -> bool:
        row = {
            "tenant": checkpoint.tenant,
            "size": checkpoint.size,
            "note": checkpoint.note,
            "edge": " ".join(part.hex() for part in checkpoint.edge),
            "created": checkpoint.created.isoformat(),
            "told": checkpoint.told,
        }
        try:
            await self._run(checkpoint.tenant, lambda c: c.execute(insert(table).values(row)))
        except IntegrityError:
            return False
        return True

    async def newest(self, tenant: str) -> StoredCheckpoint | None:
        found = await self._rows(tenant, _of(tenant).order_by(table.c.size.desc()).limit(1))
        return found[0] if found else None

    async def of(
        self, tenant: str, *, after: int = 0, limit: int = 1000
    ) -> tuple[StoredCheckpoint, ...]:
        later = _of(tenant).where(table.c.size > after)
        return await self._rows(tenant, later.order_by(table.c.size).limit(limit))

    async def untold(self, tenant: str) -> tuple[StoredCheckpoint, ...]:
        waiting = _of(tenant).where(table.c.told.is_(False))
        return await self._rows(tenant, waiting.order_by(table.c.size))

    async def told(self, checkpoint: StoredCheckpoint) -> None:
        one = (table.c.tenant == checkpoint.tenant, table.c.size == checkpoint.size)
        done = update(table).where(*one).values(told=True)
        await self._run(checkpoint.tenant, lambda c: c.execute(done))

    async def _rows(
        self, tenant: str, query: Select[tuple[object, ...]]
    ) -> tuple[StoredCheckpoint, ...]:
        rows = await self._run(tenant, lambda c: c.execute(query).mappings().all())
        return tuple(_stored(row) for row in rows)

    async def _run(self, tenant: str, work: Callable[[Connection], _T]) -> _T:
        def call() -> _T:
            try:
                with within(tenant), self._engine.begin() as connection:
                    return work(connection)
            except OperationalError as error:
                raise JournalUnavailableError(
                    f"the database of the checkpoints does not answer: {error.orig}"
                ) from error

        return await asyncio.to_thread(call)


def _of(tenant: str) -> Select[tuple[object, ...]]:
    return select(table).where(table.c.tenant == tenant)


def _stored(row: RowMapping) -> StoredCheckpoint:
    return StoredCheckpoint(
        tenant=row["tenant"],
        size=row["size"],
        note=row["note"],
        edge=tuple(bytes.fromhex(part) for part in row["edge"].split()),
        created=datetime.fromisoformat(row["created"]),
        told=row["told"],
    )
