"""What every store of features does: once for each event, for the person alone, until it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from typing_extensions import override

from onboarding.events import EventLog, Membership, Numbered
from onboarding.events.log import Addition
from onboarding.events.memory import MemoryEventLog
from onboarding.features.aging import AgingFeatures
from onboarding.features.memory import MemoryFeatures
from onboarding.features.personal import PersonalFeatures
from onboarding.features.store import Features, FeatureStore
from onboarding.features.updating import FeatureUpdater
from onboarding.store.events.engine import upgrade as upgrade_events
from onboarding.store.events.grouping import Grouped
from onboarding.store.events.log import SqlEventLog
from onboarding.store.features import sql
from onboarding.store.features.sql import SqlFeatures
from onboarding.types import Event, EventKind, Person
from tests.contracts.events import BOTH, NOON, identify, mac
from tests.guardrails.databases import postgres, sqlite
from tests.onboarding.features.streams import features

ANA = Person("t", "ana", "acme")


def made(id: str, **changes: Any) -> Event:
    return replace(
        Event(
            "t", id, EventKind.TRACK, "Dashboard Created", "1-0-0", "ana", None, "acme",
            NOON, NOON, {}, BOTH,
        ),
        **changes,
    )  # fmt: skip


def upgrade(engine: Engine, now: datetime) -> None:
    upgrade_events(engine, now)
    sql.upgrade(engine)


class FeatureStoreContract:
    """Inherited by the test class of each implementation, which provides `log` and `store`."""

    @pytest.fixture
    def log(self) -> EventLog:
        raise NotImplementedError

    @pytest.fixture
    def store(self) -> FeatureStore:
        raise NotImplementedError

    @pytest.fixture
    def updater(self, log: EventLog, store: FeatureStore) -> FeatureUpdater:
        return FeatureUpdater(log, store, features(), "t")

    async def _uses(self, log: EventLog, store: FeatureStore, who: Person = ANA) -> float:
        online = Features(log, store, features())
        snapshot = await online.snapshot(who, NOON + timedelta(minutes=1))
        assert snapshot.spec == features().spec
        return float(snapshot.values["n_core_1d"])

    async def test_each_event_counts_once(
        self, log: EventLog, store: FeatureStore, updater: FeatureUpdater
    ) -> None:
        await log.append("t", [Addition(made("m1")), Addition(made("m2", user="bo"))])
        assert await updater.catch_up() == 2
        read = await log.read("t", "again", as_sent=True)
        await store.apply("t", features(), read)
        await FeatureUpdater(log, store, features(), "t").catch_up()
        assert await self._uses(log, store) == 1
        assert await store.position("t", features().spec) == 2
        assert await store.position("t2", features().spec) == 0

    async def test_a_batch_that_overlaps_counts_what_is_new(
        self, log: EventLog, store: FeatureStore
    ) -> None:
        events = [Numbered(n, made(f"m{n}")) for n in range(1, 6)]
        await store.apply("t", features(), events[:3])
        await store.apply("t", features(), events[1:])
        assert await self._uses(log, store) == 5

    async def test_two_processes_take_turns(self, log: EventLog, store: FeatureStore) -> None:
        other = self.again(store)
        for number in range(1, 7):
            event = Numbered(number, made(f"m{number}"))
            await (store if number % 2 else other).apply("t", features(), [event])
        assert await self._uses(log, store) == await self._uses(log, other) == 6

    def again(self, store: FeatureStore) -> FeatureStore:
        """As another process has it."""
        return store

    async def test_a_merge_and_its_undoing_need_no_work(
        self, log: EventLog, store: FeatureStore, updater: FeatureUpdater
    ) -> None:
        visit = made("m1", user=None, anonymous="v1", account=None)
        await log.append("t", [Addition(visit), Addition(made("m2"))])
        await updater.catch_up()
        assert await self._uses(log, store) == 1
        await identify(log, "m3", "ana")
        assert await self._uses(log, store) == 2
        await log.unmerge("t", "v1")
        assert await self._uses(log, store) == 1

    async def test_what_may_not_be_analysed_leaves_nothing(
        self, log: EventLog, store: FeatureStore, updater: FeatureUpdater
    ) -> None:
        only = frozenset(p for p in BOTH if p == "support")
        await log.append("t", [Addition(made("m1", purposes=only))])
        await updater.catch_up()
        assert await self._uses(log, store) == 0

    async def test_a_person_is_shown_and_forgotten(
        self, log: EventLog, store: FeatureStore, updater: FeatureUpdater
    ) -> None:
        member = Membership("ana", "acme", NOON)
        await log.append("t", [Addition(made("m1"), None, member), Addition(made("m2", user="bo"))])
        await updater.catch_up()
        personal = PersonalFeatures(log, store, features().spec)
        lines = [json.loads(line) async for line in personal.export("t", "ana")]
        assert [line["under"] for line in lines] == ["u:ana"]
        assert await personal.residue("t", "ana") == 1
        assert await personal.erase("t", "ana") == 1
        assert await personal.residue("t", "ana") == await personal.erase("t", "ana") == 0
        assert await self._uses(log, store) == 0
        team = Features(log, store, features())
        others = await team.snapshot(Person("t", "bo", "acme"), NOON + timedelta(minutes=1))
        assert others.values["members_28"] == 1, "bo is left"
        assert others.values["by_others_28"] == 1, "numbers without a person stay"
        await log.append("t", [Addition(made("m3"))])
        await updater.catch_up()
        assert await self._uses(log, store) == 1, "as a stranger"


class TestMemory(FeatureStoreContract):
    @pytest.fixture
    @override
    def log(self) -> EventLog:
        return MemoryEventLog(mac)

    @pytest.fixture
    @override
    def store(self) -> FeatureStore:
        return MemoryFeatures()


class OnEngine(FeatureStoreContract):
    @pytest.fixture
    def engine(self, tmp_path: Path) -> Iterator[Engine]:
        raise NotImplementedError

    @pytest.fixture
    @override
    def log(self, engine: Engine) -> EventLog:
        return SqlEventLog(engine, mac, Grouped(linger_s=0.0))

    @pytest.fixture
    @override
    def store(self, engine: Engine) -> FeatureStore:
        self._engine = engine
        return SqlFeatures(engine)

    @override
    def again(self, store: FeatureStore) -> FeatureStore:
        return SqlFeatures(self._engine)

    async def test_memories_end(self, engine: Engine, log: EventLog) -> None:
        store = SqlFeatures(engine)
        old = made("m1", received_at=NOON - timedelta(days=500))
        held = made("m2", user="held", account=None, received_at=NOON - timedelta(days=500))
        for number, event in enumerate((old, held, made("m3", user="bo", account=None)), 1):
            await store.apply("t", features(), [Numbered(number, event)])
        aging, keep = AgingFeatures(store), frozenset({"held"})
        before = NOON - timedelta(days=400)
        assert await aging.due("t", before, keep) == 2  # ana, and the account
        assert await aging.sweep("t", before, keep, 1) == 1
        assert await aging.sweep("t", before, keep) == 1
        assert await aging.sweep("t", before, keep) == 0
        assert await self._uses(log, store, Person("t", "bo")) == 1

    async def test_what_was_not_written_is_not_remembered(
        self, engine: Engine, log: EventLog
    ) -> None:
        store = SqlFeatures(engine)
        await store.apply("t", features(), [Numbered(1, made("m1"))])
        broken = made("m2", occurred_at="no time")
        with pytest.raises(TypeError):
            await store.apply("t", features(), [Numbered(2, made("m3")), Numbered(3, broken)])
        await store.apply("t", features(), [Numbered(2, made("m3"))])
        assert await self._uses(log, store) == 2


class TestSqlite(OnEngine):
    @pytest.fixture
    @override
    def engine(self, tmp_path: Path) -> Iterator[Engine]:
        with sqlite(tmp_path, partial(upgrade, now=NOON)) as opened:
            yield opened


class TestPostgres(OnEngine):
    @pytest.fixture
    @override
    def engine(self, tmp_path: Path) -> Iterator[Engine]:
        with postgres(partial(upgrade, now=NOON)) as opened:
            yield opened
