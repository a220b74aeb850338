"""The writer: never in the way of an answer, honest about what it could not keep."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Engine, create_engine, event, text
from typing_extensions import override

from guardrails.decisions import Added, Pace, RecordWriter, Row, Tally, Wanted
from guardrails.decisions.memory import MemoryDecisions
from guardrails.decisions.sql import SqlDecisions, upgrade
from guardrails.logging import Log, open_log
from guardrails.store import StoreUnavailableError
from tests.contracts.decisions import ANSWER, HELPFUL, id_of, made
from tests.guardrails.databases import sqlite
from tests.postgres import CONNECT, POSTGRES, own_schema
from tools.store.engine import open_engine

SOON = Pace(batch=10, linger_s=0.001, retry_s=0.01, retry_max_s=0.02, close_s=5)
WAIT_S = 30  # beyond this a test has hung


class Gated(MemoryDecisions):
    """Adds nothing until `open` is set; counts its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.batches: list[int] = []

    @override
    async def add(self, tenant: str, rows: Sequence[Row]) -> Added:
        await self.open.wait()
        self.batches.append(len(rows))
        return await super().add(tenant, rows)


class Kept:
    """A log that can be read."""

    def __init__(self) -> None:
        self._stream = BytesIO()
        self.log: Log = open_log(self._stream)

    def events(self) -> list[object]:
        return [line["event"] for line in self.lines()]

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]


async def test_what_is_put_is_written_in_batches_and_in_order() -> None:
    record = Gated()
    async with RecordWriter(record, Kept().log, Random(1), SOON) as writer:
        assert [writer.put(made(number)) for number in range(25)] == [True] * 25
        record.open.set()
        await writer.settle()
    assert record.batches == [10, 10, 5]
    assert writer.tally == Tally(accepted=25, stored=25)
    assert len((await record.query("t")).rows) == 25


async def test_tenants_of_one_batch_are_written_apart() -> None:
    record = Gated()
    record.open.set()
    async with RecordWriter(record, Kept().log, Random(1), SOON) as writer:
        for number in range(9):
            writer.put(replace(made(number), tenant=f"t{number % 3}"))
    assert record.batches == [3, 3, 3]
    for tenant in range(3):
        assert len((await record.query(f"t{tenant}")).rows) == 3


async def test_leaving_writes_what_waits() -> None:
    record = MemoryDecisions()
    async with RecordWriter(record, Kept().log, Random(1), Pace(linger_s=60)) as writer:
        writer.put(ANSWER)
        writer.put(HELPFUL)
    found = await record.get("t", ANSWER.id)
    assert found is not None
    assert found.updates == (HELPFUL,)
    assert not writer.put(made(1))  # closed
    assert writer.tally == Tally(accepted=2, stored=2, dropped=1)


async def test_an_overflow_is_counted_and_told_once() -> None:
    record, kept = Gated(), Kept()
    pace = replace(SOON, capacity=20)
    async with RecordWriter(record, kept.log, Random(1), pace) as writer:
        put = [writer.put(made(number)) for number in range(50)]
        assert put == [True] * 20 + [False] * 30
        assert kept.events() == ["decisions.overflow"]
        record.open.set()
        await writer.settle()
        assert writer.put(made(99))
    assert kept.events() == ["decisions.overflow", "decisions.overflow_over"]
    assert kept.lines()[1]["dropped"] == 30
    assert writer.tally == Tally(accepted=21, stored=21, dropped=30)


async def test_closing_waits_no_longer_than_it_may() -> None:
    record, kept = Gated(), Kept()
    async with RecordWriter(record, kept.log, Random(1), replace(SOON, close_s=0.05)) as writer:
        writer.put(ANSWER)
    assert kept.events() == ["decisions.lost"]
    assert writer.tally == Tally(accepted=1, dropped=1)
    with pytest.raises(StoreUnavailableError, match="closed"):
        await writer.settle()
    await writer.aclose()  # again: nothing


async def test_an_update_of_nothing_is_told() -> None:
    kept = Kept()
    async with RecordWriter(MemoryDecisions(), kept.log, Random(1), SOON) as writer:
        writer.put(HELPFUL)
    assert kept.events() == ["decisions.orphans"]
    assert writer.tally == Tally(accepted=1, stored=1, orphans=1)


async def test_a_failure_that_no_retry_mends_is_raised_and_logged(tmp_path: Path) -> None:
    class Broken(MemoryDecisions):
        @override
        async def add(self, tenant: str, rows: Sequence[Row]) -> Added:
            raise LookupError(rows)

    kept = Kept()
    writer = RecordWriter(Broken(), kept.log, Random(1), SOON)
    await writer.__aenter__()
    writer.put(ANSWER)
    with pytest.raises(LookupError):
        await writer.settle()
    assert not writer.put(made(1))
    with pytest.raises(LookupError):
        await writer.aclose()
    assert kept.lines()[0]["reason"] == "LookupError"
    assert kept.events() == ["decisions.writer_failed", "decisions.overflow", "decisions.lost"]
    assert "ana" not in str(kept.lines())
    assert writer.tally == Tally(accepted=1, dropped=2)


class Watched(SqlDecisions):
    """Says when it has failed three times."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.failed_thrice = asyncio.Event()
        self._failures = 0

    @override
    async def add(self, tenant: str, rows: Sequence[Row]) -> Added:
        try:
            return await super().add(tenant, rows)
        except StoreUnavailableError:
            self._failures += 1
            if self._failures == 3:
                self.failed_thrice.set()
            raise


@contextmanager
def hasty(folder: Path) -> Iterator[Engine]:
    """A file whose lock is waited for no longer than 20 ms."""
    engine = open_engine(f"sqlite:///{folder}/store.db")
    event.listen(engine, "connect", lambda dbapi, _: dbapi.execute("PRAGMA busy_timeout=20"))
    yield engine
    engine.dispose()


async def test_rows_wait_while_sqlite_is_locked(tmp_path: Path) -> None:
    kept = Kept()
    with sqlite(tmp_path, upgrade) as blocker, hasty(tmp_path) as engine:
        record = Watched(engine)
        async with RecordWriter(record, kept.log, Random(1), SOON) as writer:
            with blocker.begin():  # holds the write lock
                for number in range(30):
                    writer.put(made(number))
                await record.failed_thrice.wait()
                assert writer.tally.stored == 0
            async with asyncio.timeout(WAIT_S):
                await writer.settle()
        assert len((await record.query("t")).rows) == 30
    assert kept.events() == ["decisions.store_away", "decisions.store_back"]
    assert writer.tally.dropped == 0


async def test_rows_wait_while_postgres_is_away() -> None:
    """The role may not sign in and its connections are cut, as when a server restarts."""
    kept = Kept()
    with own_schema() as place:
        engine = open_engine(place.url, place.schema)
        upgrade(engine)
        record = Watched(engine)
        admin = create_engine(POSTGRES, connect_args=CONNECT)
        try:
            async with RecordWriter(record, kept.log, Random(1), SOON) as writer:
                writer.put(ANSWER)
                await writer.settle()
                _cut(admin, place.schema)
                for number in range(30):
                    writer.put(made(number))
                await record.failed_thrice.wait()
                with admin.begin() as connection:
                    connection.execute(text(f"ALTER ROLE {place.schema} LOGIN"))
                async with asyncio.timeout(WAIT_S):
                    await writer.settle()
            assert len((await record.query("t", Wanted(subject="ana"))).rows) == 31
        finally:
            engine.dispose()
            admin.dispose()
    assert kept.events() == ["decisions.store_away", "decisions.store_back"]
    assert writer.tally.dropped == 0


def _cut(admin: Engine, role: str) -> None:
    with admin.begin() as connection:
        connection.execute(text(f"ALTER ROLE {role} NOLOGIN"))
        ends = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = :role"
        connection.execute(text(ends), {"role": role})


async def test_a_row_in_doubt_is_written_once() -> None:
    """The commit came through but its answer did not: the same rows are added again."""

    class Doubtful(MemoryDecisions):
        tries = 0

        @override
        async def add(self, tenant: str, rows: Sequence[Row]) -> Added:
            added = await super().add(tenant, rows)
            self.tries += 1
            if self.tries == 1:
                raise StoreUnavailableError("cut off")
            return added

    record = Doubtful()
    async with RecordWriter(record, Kept().log, Random(1), SOON) as writer:
        writer.put(ANSWER)
        writer.put(HELPFUL)
    assert record.tries == 2
    (row,) = (await record.query("t")).rows
    assert row.updates == (HELPFUL,)


async def test_putting_waits_for_nothing() -> None:
    """Over a record that never answers, 10,000 decisions are put without a turn of the loop."""
    record = Gated()
    rows = [replace(ANSWER, id=id_of(number)) for number in range(10_000)]
    async with RecordWriter(record, Kept().log, Random(1), replace(SOON, close_s=0)) as writer:
        began = time.perf_counter()
        accepted = sum(writer.put(row) for row in rows)
        took = time.perf_counter() - began
    assert accepted == 10_000
    assert took / len(rows) < 0.001  # 1 ms: a budget that a slow, shared machine keeps too
