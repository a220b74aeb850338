"""Transactions: on SQLite writers of one process stand in line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text

from guardrails.store import Transactions
from tools.store.engine import open_engine

WRITERS = 12


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = open_engine(f"sqlite:///{tmp_path}/store.db")
    with opened.begin() as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER)"))
    yield opened
    opened.dispose()


def writing(number: int) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        connection.execute(text("INSERT INTO t VALUES (:n)"), {"n": number})
        time.sleep(0.005)

    return work


def written(connection: Connection) -> list[int]:
    return list(connection.execute(text("SELECT n FROM t ORDER BY rowid")).scalars())


async def test_who_came_first_writes_first(engine: Engine) -> None:
    stores = [Transactions(engine) for _ in range(3)]
    await asyncio.gather(*(stores[n % 3].write("t", writing(n)) for n in range(WRITERS)))
    assert await stores[0].read("t", written) == list(range(WRITERS))


async def test_writers_in_line_hold_up_no_reader(engine: Engine) -> None:
    store = Transactions(engine)
    writers = [asyncio.create_task(store.write("t", writing(n))) for n in range(WRITERS)]
    await asyncio.sleep(0)
    assert len(await store.read("t", written)) < WRITERS
    await asyncio.gather(*writers)
