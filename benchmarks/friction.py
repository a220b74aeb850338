"""How soon help is there when everybody fails in one instant.

    python benchmarks/friction.py                    SQLite, and PostgreSQL where one answers
    python benchmarks/friction.py --people 5000

Everybody's import fails at once. Their events are appended, the reader of frictions decides on
them, the worker asks for consent, passes the governor, writes inbox and decision record, and tells
open pages. Beside it, in the same run, the baseline: the same worker with a transaction to claim
and one to settle for every message.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import structlog
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from typing_extensions import override

from embark.nudges import recording
from embark.onboarding_parts import stores_of
from guardrails.consent import CachedConsents, Permission, Purpose, Tagged
from guardrails.consent import sql as consent_sql
from guardrails.consent.sql import SqlConsents
from guardrails.decisions import RecordWriter
from guardrails.decisions import sql as decisions_sql
from guardrails.decisions.consented import ConsentedDecisions
from guardrails.decisions.sql import SqlDecisions
from guardrails.logging import Log
from onboarding.engine.building import Outside, build
from onboarding.engine.files import Files, load_files
from onboarding.engine.following import Follower
from onboarding.events import Addition
from onboarding.interventions import Channel, Delivery, Intervention, Links
from onboarding.interventions.channel import Effect, Parcel, Result
from onboarding.interventions.nulls import is_null
from onboarding.store.events.engine import upgrade as upgrade_events
from onboarding.store.events.log import SqlEventLog
from onboarding.store.features import sql as features_sql
from onboarding.store.interventions import FrictionDesk, Rules, Worker, WorkerParts
from onboarding.store.interventions import sql as interventions_sql
from onboarding.store.interventions.contacts import MemoryContacts
from onboarding.store.interventions.helping import Seen
from onboarding.store.interventions.in_app import InApp, Push, Pushed
from onboarding.store.interventions.sql import SqlDeliveries
from onboarding.store.interventions.watches import SqlWatches
from onboarding.store.journeys import progress_sql
from onboarding.store.profile import sql as profile_sql
from onboarding.store.ranking import sql as ranking_sql
from onboarding.store.ranking.registry import ModelFolder
from onboarding.types import Event, EventKind, Person
from tools.store.engine import open_engine

HARBOR = Path("examples/harbor/onboarding")
TENANT = "bench"
KEY = b"a key of links and erasures for a benchmark"
POSTGRES = os.environ.get(
    "EMBARK_TEST_POSTGRES_URL", "postgresql+psycopg://root@127.0.0.1:5432/test"
)
SCHEMA = "embark_bench_friction"
PATIENCE_S = 120.0
Place = Callable[[Path], AbstractContextManager[tuple[Engine, Engine]]]


class OneByOne:
    """The baseline: an outside receiver, which is given one message at a time."""

    channel: Final = Channel.IN_APP
    effect: Final = Effect.KEYED

    def __init__(self, push: Push) -> None:
        self._app = InApp(push)

    async def send(self, parcel: Parcel) -> Result:
        return await self._app.send(parcel)

    async def found(self, delivery: Delivery) -> None:
        """Never asked."""


class Took(NamedTuple):
    """Seconds from the instant, of each person."""

    decided: list[float]
    shown: list[float]


def now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def sqlite(folder: Path) -> Iterator[tuple[Engine, Engine]]:
    """Of onboarding, and of the books."""
    engines = tuple(open_engine(f"sqlite:///{folder}/{n}.sqlite") for n in ("onboarding", "books"))
    yield engines[0], engines[1]
    for engine in engines:
        engine.dispose()


@contextmanager
def postgres(_folder: Path) -> Iterator[tuple[Engine, Engine]]:
    admin = create_engine(POSTGRES, connect_args={"connect_timeout": 2})
    with admin.begin() as connection:
        connection.execute(text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    engines = open_engine(POSTGRES, SCHEMA), open_engine(POSTGRES, SCHEMA)
    try:
        yield engines
    finally:
        for engine in engines:
            engine.dispose()
        with admin.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {SCHEMA} CASCADE"))
        admin.dispose()


def prepare(onboarding: Engine, books: Engine) -> None:
    upgrade_events(onboarding, now())
    parts = (features_sql, profile_sql, progress_sql, ranking_sql, interventions_sql)
    for part in parts:
        part.upgrade(onboarding)
    for each in (decisions_sql, consent_sql):
        each.upgrade(books)


def failures(people: int) -> list[Addition]:
    """An event each, as it lies in the log."""
    fields = {
        name: Tagged(value, frozenset(Purpose))
        for name, value in (("mode", "full"), ("error_code", "HBR-101"), ("connector", "Stripe"))
    }
    at = now()
    return [
        Addition(
            Event(
                tenant=TENANT,
                message_id=f"m{n}",
                kind=EventKind.TRACK,
                name="Import Failed",
                version="1",
                user=f"p{n}",
                anonymous=None,
                account=f"a{n % 50}",
                occurred_at=at,
                received_at=at,
                fields=fields,
            )
        )
        for n in range(people)
    ]


class TimedDesk(FrictionDesk):
    """Notes when each fix was planned durably."""

    def __init__(self, engine: Engine, files: Files) -> None:
        super().__init__(files.detectors, files.signals, SqlWatches(engine))
        self.at: list[float] = []
        self.users: set[str] = set()  # whom something is to reach

    @override
    async def take(self, seen: Seen, now: datetime) -> tuple[Intervention, ...]:
        made = await super().take(seen, now)
        self.at += [time.perf_counter()] * len(made)
        self.users |= {each.message.person.user for each in made if not is_null(each.message)}
        return made


async def measured(
    engines: tuple[Engine, Engine], people: int, app: type[InApp | OneByOne]
) -> Took:
    """Reader, worker and pages run as they do beside a server."""
    onboarding, books = engines
    files, log = load_files(HARBOR), SqlEventLog(onboarding, lambda *names: "/".join(names))
    consents = CachedConsents(SqlConsents(books, KEY))
    shown: dict[str, float] = {}

    async def push(person: Person, _shown: Pushed) -> None:
        shown[person.user] = time.perf_counter()

    adapters = {Channel.IN_APP: app(push)}
    effects = {channel: each.effect for channel, each in adapters.items()}
    deliveries = SqlDeliveries(onboarding, Rules(effects=effects))
    engine = build(stores_of(onboarding, log, deliveries), files, _outside(consents))
    desk, stop = TimedDesk(onboarding, files), asyncio.Event()
    allowed = ConsentedDecisions(SqlDecisions(books), Permission(consents))
    async with RecordWriter(allowed, Log(structlog.get_logger()), Random(1)) as writer:
        worker = Worker(
            WorkerParts(
                tenant=TENANT,
                store=deliveries,
                channels=adapters,
                contacts=MemoryContacts(),
                standings=engine.standings,
                templates=files.templates,
                links=Links("https://app.example/v1", KEY),
                key=KEY,
                rng=Random(1),
                told=recording(writer.put),
            )
        )
        follower = Follower(log, TENANT, "friction", lambda events: _see(desk, events))
        reading = asyncio.create_task(follower.run())
        serving = asyncio.create_task(worker.serve(stop, now))
        await asyncio.sleep(1.0)  # both wait for something to do
        began = time.perf_counter()
        await log.append(TENANT, failures(people))
        ends = began + PATIENCE_S
        while len(desk.at) < people or shown.keys() < desk.users:
            assert time.perf_counter() < ends, f"{len(desk.at)} decided, {len(shown)} shown"
            await asyncio.sleep(0.02)
        stop.set()
        reading.cancel()
        await asyncio.wait({reading, serving})
    return Took(
        sorted(each - began for each in desk.at), sorted(at - began for at in shown.values())
    )


async def _see(desk: TimedDesk, events: Sequence[Event]) -> None:
    await desk.see(events, now())


def _outside(consents: CachedConsents) -> Outside:
    return Outside(TENANT, now, consents, ModelFolder(Path("/nowhere")))


def p99(took: Sequence[float]) -> float:
    return took[min(len(took) - 1, int(len(took) * 0.99))]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--people", type=int, default=1000)
    asked.add_argument("--rounds", type=int, default=3)
    people, rounds = asked.parse_args().people, asked.parse_args().rounds
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    print(f"{people} people, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, p99 in seconds")
    print(f"{'database':<12} {'worker':<14} {'decided':>8} {'shown':>8} {'last':>8}")
    for name, place in (("SQLite", sqlite), ("PostgreSQL", postgres)):
        for _ in range(rounds):
            for label, app in (("in blocks", InApp), ("one by one", OneByOne)):
                try:
                    took = once(place, people, app)
                except OperationalError as failure:
                    print(f"{name:<12} not reachable: {type(failure.orig).__name__}")
                    return
                print(
                    f"{name:<12} {label:<14} {p99(took.decided):>8.2f} {p99(took.shown):>8.2f} "
                    f"{took.shown[-1]:>8.2f}",
                    flush=True,
                )


def once(place: Place, people: int, app: type[InApp | OneByOne]) -> Took:
    """On a database of its own."""
    with tempfile.TemporaryDirectory() as folder, place(Path(folder)) as engines:
        prepare(*engines)
        return asyncio.run(measured(engines, people, app))


if __name__ == "__main__":
    main()
