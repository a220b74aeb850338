"""How many events are durable a second, and how soon features have seen them.

    python benchmarks/events.py                      SQLite, and PostgreSQL where one answers
    python benchmarks/events.py --seconds 20 --http

Each figure goes through the intake: contract, consent, duplicates, one durable append
(`synchronous=FULL`, PostgreSQL's `synchronous_commit=on`). Beside it, in the same run, the
baseline: the same intake with a commit of its own for every event.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import multiprocessing
import os
import platform
import socket
import statistics
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import orjson
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from typing_extensions import override

from api import errors, events
from api.events import EventDesk, WriteKeys
from guardrails.consent import CachedConsents, Channel, Purpose, Statement
from guardrails.consent.memory import MemoryConsents
from onboarding.events import SHIPPED, Numbered, load_catalogue
from onboarding.events.intake import Intake, IntakeParts, Sender
from onboarding.features import SHIPPED as FEATURES
from onboarding.features import FeatureSet, load_features
from onboarding.features.updating import FeatureUpdater
from onboarding.store.events.engine import move_log, upgrade
from onboarding.store.events.grouping import Grouped
from onboarding.store.events.log import SqlEventLog
from onboarding.store.events.quarantine import SqlQuarantine
from onboarding.store.features import sql as features_sql
from onboarding.store.features.sql import SqlFeatures
from tools.store.engine import open_engine

HARBOR = Path("examples/harbor/onboarding")
TENANT = "bench"
KEY = b"a key of erasures for a benchmark"
WRITE_KEY = "write-key-of-the-benchmark"
USERS = 5_000
POSTGRES = os.environ.get(
    "EMBARK_TEST_POSTGRES_URL", "postgresql+psycopg://root@127.0.0.1:5432/test"
)
SCHEMA = "embark_bench_events"


class NoSeal:
    """Nothing is quarantined here."""

    async def seal(self, tenant: str, subject: str, plain: bytes) -> bytes:
        raise AssertionError((tenant, subject, plain))

    async def open(self, tenant: str, subject: str, sealed: bytes) -> bytes:
        raise AssertionError((tenant, subject, sealed))


class TimedFeatures(SqlFeatures):
    """Notes when each event was in its features, committed."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.seen: dict[str, float] = {}

    @override
    async def apply(self, tenant: str, features: FeatureSet, read: Sequence[Numbered]) -> None:
        await super().apply(tenant, features, read)
        now = time.perf_counter()
        self.seen |= {each.event.message_id: now for each in read}


def messages(rng: Random) -> Iterator[dict[str, Any]]:
    """What people of Harbor do, with ids as senders make them."""
    while True:
        user = rng.randrange(USERS)
        name, properties = rng.choice(
            [
                ("Import Finished", {"mode": "full", "rows": rng.randrange(9999)}),
                ("Import Failed", {"mode": "full", "error_code": "HBR-403"}),
                ("Dashboard Created", {"day_one": False}),
                ("card_clicked", {"action": "connect_source", "kind": "connect", "slot": 1}),
                ("form_edited", {"form": "connection", "step": "connect", "edits": 2}),
            ]
        )
        yield {
            "type": "track",
            "event": name,
            "messageId": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            "userId": f"usr_{user}",
            "timestamp": datetime.now(UTC).isoformat(),
            "properties": properties,
            "context": {"groupId": f"ws_{user % 500}", "page": {"path": "/imports"}},
        }


def now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def sqlite(folder: Path) -> Iterator[tuple[Engine, Engine]]:
    """Log and features in one file, as a server has them."""
    engine = open_engine(f"sqlite:///{folder}/onboarding.sqlite")
    upgrade(engine, now())
    features_sql.upgrade(engine)
    yield engine, engine
    engine.dispose()


@contextmanager
def postgres() -> Iterator[tuple[Engine, Engine]]:
    admin = create_engine(POSTGRES, connect_args={"connect_timeout": 2})
    with admin.begin() as connection:
        connection.execute(text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    engine = open_engine(POSTGRES, SCHEMA)
    upgrade(engine, now())
    features_sql.upgrade(engine)
    try:
        yield engine, engine
    finally:
        engine.dispose()
        with admin.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {SCHEMA} CASCADE"))
        admin.dispose()


async def intake_of(engine: Engine, pace: Grouped | None = None) -> tuple[Intake, SqlEventLog]:
    """Everybody allows support and analytics, as most do who are asked."""
    consents = MemoryConsents(KEY)
    for user, purpose in itertools.product(
        range(USERS), (Purpose.PRODUCT_ANALYTICS, Purpose.TRAINING)
    ):
        said = Statement(TENANT, f"usr_{user}", purpose, True, "c-1", Channel.HOST, now(), "b")
        await consents.record(said)
    log = SqlEventLog(engine, lambda tenant, subject: f"{tenant}/{subject}", pace)
    catalogue = load_catalogue(SHIPPED, HARBOR / "events")
    parts = IntakeParts(catalogue, log, SqlQuarantine(engine), CachedConsents(consents), NoSeal())
    return Intake(parts), log


class Rate(NamedTuple):
    """`cpu_us` is what the process worked for each: it says what an idle core would do."""

    a_second: float
    cpu_us: float


async def throughput(engine: Engine, size: int, seconds: float, at_once: int) -> Rate:
    """Acknowledged events a second, in batches of this size, so many under way."""
    intake, _ = await intake_of(engine)
    made = messages(Random(size))
    count = int(20_000 * seconds)
    batches = [list(itertools.islice(made, size)) for _ in range(count // size)]
    gc.freeze()  # what the sender holds is not the node's to look through
    waiting = iter(batches)
    done = 0
    ends = time.perf_counter() + seconds

    async def sender() -> None:
        nonlocal done
        for batch in waiting:
            results = await intake.take(Sender(TENANT), batch, now())
            assert all(each.status == "stored" for each in results), results[:3]
            done += len(results)
            if time.perf_counter() > ends:
                return

    began, worked = time.perf_counter(), time.process_time()
    await asyncio.gather(*(sender() for _ in range(at_once)))
    cpu = time.process_time() - worked
    return Rate(done / (time.perf_counter() - began), 1e6 * cpu / done)


async def baseline(engine: Engine, seconds: float) -> Rate:
    """A commit for every event."""
    intake, _ = await intake_of(engine, Grouped(linger_s=0.0, batch=1))
    made = messages(Random(1))
    done = 0
    began, worked = time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:
        await intake.take(Sender(TENANT), [next(made)], now())
        done += 1
    cpu = time.process_time() - worked
    return Rate(done / (time.perf_counter() - began), 1e6 * cpu / done)


async def freshness(engines: tuple[Engine, Engine], rate: int, seconds: float) -> list[float]:
    """Milliseconds from the arrival of an event to its features, committed; open loop."""
    intake, log = await intake_of(engines[0])
    catalogue = load_catalogue(SHIPPED, HARBOR / "events")
    features = load_features(catalogue, FEATURES, HARBOR / "features")
    store = TimedFeatures(engines[1])
    updating = FeatureUpdater(log, store, features, TENANT)
    await updating.catch_up()
    task = asyncio.create_task(updating.run())
    moving = asyncio.create_task(_moving(engines[0]))
    made = messages(Random(2))
    sent: dict[str, float] = {}
    size, tick = rate // 100, 0.01
    ticks = int(seconds / tick)
    batches = [list(itertools.islice(made, size)) for _ in range(ticks)]
    gc.collect()
    gc.freeze()  # as `embark.event_parts.set_aside` at the start of a server
    async with asyncio.TaskGroup() as tasks:
        began = time.perf_counter()
        for place, batch in enumerate(batches):
            await asyncio.sleep(max(0.0, began + place * tick - time.perf_counter()))
            at = time.perf_counter()
            sent |= {each["messageId"]: at for each in batch}
            tasks.create_task(intake.take(Sender(TENANT), batch, now()))
    while len(sent.keys() - store.seen.keys()):  # noqa: ASYNC110  # counted from outside
        await asyncio.sleep(0.01)
    for each in (task, moving):
        each.cancel()
    await asyncio.wait({task, moving})
    return [1000 * (store.seen[id] - at) for id, at in sent.items()]


async def _moving(engine: Engine) -> None:
    """As a server does beside its writers."""
    while True:
        await asyncio.to_thread(move_log, engine)
        await asyncio.sleep(1.0)


def served(port: int, folder: str) -> None:
    """A node of its own, over SQLite."""

    async def run() -> None:
        with sqlite(Path(folder)) as (engine, _):
            intake, _log = await intake_of(engine)
            desk = EventDesk(TENANT, intake, WriteKeys([WRITE_KEY]), now)
            app = FastAPI()
            app.include_router(events.router(desk))
            errors.install(app)
            config = uvicorn.Config(app, port=port, log_level="error", access_log=False)
            await uvicorn.Server(config).serve()

    asyncio.run(run())


async def over_http(port: int, size: int, seconds: float, at_once: int) -> float:
    """The sender costs a core of its own; bodies are made before."""
    made = messages(Random(size))
    count = int(40_000 * seconds / 4) // size
    bodies = iter(
        [orjson.dumps({"batch": list(itertools.islice(made, size))}) for _ in range(count)]
    )
    done = 0
    ends = time.perf_counter() + seconds

    async def sender() -> None:
        nonlocal done
        async with connected(port) as (reader, writer):
            for body in bodies:
                head = (
                    f"POST /v1/batch HTTP/1.1\r\nhost: e\r\nauthorization: Bearer {WRITE_KEY}\r\n"
                    f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
                )
                writer.write(head.encode() + body)
                answer = await reader.readuntil(b"\r\n\r\n")
                assert answer.startswith(b"HTTP/1.1 200"), answer
                length = int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                got = await reader.readexactly(length)
                assert got.count(b'"stored"') == size
                done += size
                if time.perf_counter() > ends:
                    return

    began = time.perf_counter()
    await asyncio.gather(*(sender() for _ in range(at_once)))
    return done / (time.perf_counter() - began)


@asynccontextmanager
async def connected(
    port: int,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


def http_figure(size: int, seconds: float, at_once: int) -> float:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        node = multiprocessing.get_context("spawn").Process(target=served, args=(port, folder))
        node.start()
        try:
            _wait(port)
            return asyncio.run(over_http(port, size, seconds, at_once))
        finally:
            node.terminate()
            node.join()


def _wait(port: int) -> None:
    for _ in range(2400):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("the node did not start")


def told(rate: Rate) -> str:
    return f"{rate.a_second:,.0f} events/s, {rate.cpu_us:.0f} us of CPU each"


def row(what: str, figure: str) -> None:
    print(f"{what:<58} {figure:>42}", flush=True)


def measure(name: str, place: Any, given: argparse.Namespace) -> None:
    with place as engines:
        plain = asyncio.run(baseline(engines[0], given.seconds / 2))
        row(f"{name}: one commit an event (baseline)", told(plain))
        for size in given.sizes:
            rate = asyncio.run(throughput(engines[0], size, given.seconds, given.at_once))
            row(f"{name}: batches of {size}", told(rate))
        late = sorted(asyncio.run(freshness(engines, given.rate, given.seconds)))
        p50, p99 = late[len(late) // 2], late[int(len(late) * 0.99)]
        row(f"{name}: event -> features at {given.rate}/s, p50, p99, most",
            f"{p50:.0f}, {p99:.0f}, {late[-1]:.0f} ms")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="of each figure")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 500])
    parser.add_argument("--at-once", type=int, default=8, help="batches under way")
    parser.add_argument("--rate", type=int, default=2000, help="events a second for freshness")
    parser.add_argument("--http", action="store_true", help="a node in its own process, too")
    parser.add_argument("--no-postgres", action="store_true")
    given = parser.parse_args()
    load = statistics.fmean(os.getloadavg())
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f}, "
          f"Python {platform.python_version()}")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        measure("SQLite FULL", sqlite(Path(folder)), given)
    if given.http:
        for size in given.sizes:
            rate = http_figure(size, given.seconds, given.at_once)
            row(f"SQLite FULL over HTTP: batches of {size}", f"{rate:,.0f} events/s")
    if given.no_postgres:
        return
    try:
        measure("PostgreSQL", postgres(), given)
    except OperationalError as error:
        print(f"no PostgreSQL: {type(error.orig).__name__}")


if __name__ == "__main__":
    main()
