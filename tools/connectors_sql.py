"""Switches of connectors in SQL, beside the journal. It has its own metadata, made by `prepare`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    RowMapping,
    Table,
    Text,
    inspect,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError

from guardrails.tenancy import EVERYBODY, protect, within
from tools.connectors import Switch
from tools.journal import JournalUnavailableError
from tools.store.engine import READS
from tools.store.moving import timestamp

_T = TypeVar("_T")
_LOCK = 0x636F6E6E  # one process at a time makes the table; any number serves
metadata = MetaData()

connector_switch = Table(
    "connector_switch",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("connector", Text, primary_key=True),
    Column("killed", Text),
    Column("changed", Text, nullable=False),
    Column("changed_by", Text, nullable=False),
)


def prepare(engine: Engine) -> None:
    """Make the table; nothing happens when it is there."""
    with within(EVERYBODY), engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if not inspect(connection).has_table(connector_switch.name):
            metadata.create_all(connection)
            protect(connection, connector_switch.name)


class SqlSwitches:
    """Over an engine of `tools.store.engine`."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._insert = sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert
        self._clock = clock

    async def kill(self, tenant: str, connector: str, by: str) -> Switch:
        now = timestamp(self._clock())
        return await self._set(tenant, connector, now, now, by)

    async def restore(self, tenant: str, connector: str, by: str) -> Switch:
        return await self._set(tenant, connector, None, timestamp(self._clock()), by)

    async def _set(
        self, tenant: str, connector: str, killed: str | None, changed: str, by: str
    ) -> Switch:
        table = connector_switch.c
        row = {"tenant": tenant, "connector": connector}
        values = {"killed": killed, "changed": changed, "changed_by": by}
        new = self._insert(connector_switch).values(**row, **values)
        # what is killed stays so since it was, by whom it was
        unless = None if killed is None else table.killed.is_(None)
        upsert = new.on_conflict_do_update(
            index_elements=["tenant", "connector"], set_=values, where=unless
        )
        mine = (table.tenant == tenant, table.connector == connector)
        stored = select(connector_switch).where(*mine)

        def changed_to(connection: Connection) -> Switch:
            connection.execute(upsert)
            return _switch(connection.execute(stored).mappings().one())

        return await self._run(tenant, changed_to)

    async def all(self, tenant: str) -> Mapping[str, Switch]:
        stored = select(connector_switch).where(connector_switch.c.tenant == tenant)
        rows = await self._run(tenant, lambda c: c.execute(stored).mappings().all(), reads=True)
        return {row["connector"]: _switch(row) for row in rows}

    async def _run(
        self, tenant: str, work: Callable[[Connection], _T], *, reads: bool = False
    ) -> _T:
        def call() -> _T:
            engine = self._engine.execution_options(**READS) if reads else self._engine
            try:
                with within(tenant), engine.begin() as connection:
                    return work(connection)
            except OperationalError as error:
                told = "the database of the connectors' switches does not answer"
                raise JournalUnavailableError(told) from error

        return await asyncio.to_thread(call)


def _switch(row: RowMapping) -> Switch:
    killed = row["killed"]
    return Switch(
        connector=row["connector"],
        killed=None if killed is None else datetime.fromisoformat(killed),
        changed=datetime.fromisoformat(row["changed"]),
        by=row["changed_by"],
    )
