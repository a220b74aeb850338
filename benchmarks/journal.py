"""Actions a second through the journal: propose, present, approve, claim, settle, each a commit.

    python benchmarks/journal.py --count 400
    python benchmarks/journal.py --workers 8 --postgres postgresql+psycopg://root@127.0.0.1:5432/test

The baseline, in the same run and on the same disk, is a table of one row a commit: what the
database gives at most. `memory` is the twin: the cost of the rules and of sealing alone. Receipts
are signed with a real key, content is sealed under a key per subject. PostgreSQL is used in a
schema of its own, dropped afterwards; without a server its rows are left out and said to be.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from tests.tools.journal.making import CARD, SUCCEEDED, Seal, new, other_call, yes
from tools.journal import Journal
from tools.journal_memory import MemoryJournal
from tools.journal_sql import SqlJournal
from tools.store.engine import open_engine, upgrade
from tools.store.ledger import steady_clock
from tools.types import Principal
from tools.vault_sql import SqlVault

STEPS = 5
POSTGRES = "postgresql+psycopg://root@127.0.0.1:5432/test"
MASTER = bytes(32)


async def through(journal: Journal, number: int) -> None:
    """One action of a person of their own, from its proposal to its receipt."""
    who = Principal(f"t{number % 4}", f"p{number}", "a")
    action = await journal.propose(new(who=who, call=other_call(str(number))))
    action = await journal.present(action, CARD)
    action = await journal.approve(action, yes(action, who.subject), last=True)
    claim = await journal.claim("w", 30.0, action.id)
    if claim is None:
        raise RuntimeError(f"{action.id} was not claimed")
    await journal.settle(claim, SUCCEEDED)


async def many(count: int, workers: int, one: Callable[[int], Awaitable[object]]) -> float:
    """Seconds for `count` of them, `workers` at a time."""
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            await one(number)

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(workers)))
    return time.perf_counter() - began


def baseline(engine: Engine, count: int) -> float:
    """Seconds for so many commits of one small row."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE baseline (n INTEGER PRIMARY KEY, v TEXT)"))
    began = time.perf_counter()
    for number in range(count):
        with engine.begin() as connection:
            row = {"n": number, "v": "x" * 100}
            connection.execute(text("INSERT INTO baseline VALUES (:n, :v)"), row)
    return time.perf_counter() - began


@contextmanager
def on_sqlite() -> Iterator[Engine]:
    with TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{Path(folder)}/journal.db")
        upgrade(engine)
        yield engine
        engine.dispose()


@contextmanager
def on_postgres(url: str) -> Iterator[Engine]:
    schema = f"bench_{uuid4().hex[:12]}"
    engine = open_engine(url, schema)
    upgrade(engine, schema)
    try:
        yield engine
    finally:
        engine.dispose()
        admin = create_engine(url)
        with admin.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
        admin.dispose()


def line(name: str, count: int, seconds: float, base: float | None) -> None:
    commits = count * (1 if base is None else STEPS) / seconds
    ratio = "" if base is None else f"{commits / base:8.2f}"
    actions = "" if base is None else f"{count / seconds:10.0f}"
    print(f"{name:34}{commits:10.0f}{actions:>10}{ratio:>9}")


async def database(name: str, engine: Engine, count: int, workers: int) -> None:
    rows = count * STEPS
    base = rows / baseline(engine, rows)
    line(f"{name}, one row a commit", rows, rows / base, None)
    clock = None if name == "postgres" else steady_clock(datetime.now(UTC), time.monotonic)
    journal = SqlJournal(engine, SqlVault(engine, MASTER), Seal(), clock=clock)
    for at_once in sorted({1, workers}):
        start = at_once * 1_000_000
        seconds = await many(count, at_once, lambda n, s=start: through(journal, s + n))
        line(f"{name}, journal, {at_once} at a time", count, seconds, base)
    await journal.close()


async def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=400, help="actions a row of the table")
    options.add_argument("--workers", type=int, default=8)
    options.add_argument("--postgres", default=POSTGRES)
    chosen = options.parse_args()
    print(f"{'':34}{'commits/s':>10}{'actions/s':>10}{'ratio':>9}")
    seal = Seal(Ed25519PrivateKey.generate())
    memory = MemoryJournal(seal, steady_clock(datetime.now(UTC), time.monotonic))
    seconds = await many(chosen.count, 1, lambda n: through(memory, n))
    print(f"{'memory':34}{'':10}{chosen.count / seconds:10.0f}")
    with on_sqlite() as engine:
        await database("sqlite FULL", engine, chosen.count, chosen.workers)
    try:
        with on_postgres(chosen.postgres) as engine:
            await database("postgres", engine, chosen.count, chosen.workers)
    except OperationalError as error:
        print(f"postgres: left out, no server at {chosen.postgres}: {error.orig}")


if __name__ == "__main__":
    asyncio.run(main())
