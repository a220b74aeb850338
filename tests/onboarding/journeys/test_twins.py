"""Whatever is done to progress in whatever order, memory and SQL end alike and no step is lost."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from onboarding.journeys import Done, Enrolment, Moved
from onboarding.store.journeys import Marks, ProgressStore
from onboarding.store.journeys.progress_memory import MemoryProgress
from onboarding.store.journeys.progress_sql import SqlProgress, upgrade
from onboarding.types import Mode, Person, StepScope, StepState
from tests.contracts.journeys import NOON
from tests.guardrails.databases import sqlite

EXAMPLES = int(os.environ.get("EMBARK_TEST_PROGRESS", "25"))
USERS, JOURNEYS, STEPS = ("ana", "tom", "anon"), ("first", "push"), "abc"
_numbers = count()


@dataclass
class World:
    """Both stores, and which steps were done by whom, as a plain set."""

    stores: tuple[ProgressStore, ...]
    tenant: str
    at: int = 0
    done: set[tuple[str, str]] = field(default_factory=set)  # user, action

    def person(self, user: str) -> Person:
        return Person(self.tenant, user, None if user == "anon" else "acme")

    def now(self) -> timedelta:
        self.at += 1
        return timedelta(minutes=self.at)

    async def both(self, ask: Callable[[ProgressStore], object]) -> None:
        for store in self.stores:
            await ask(store)  # type: ignore[misc]


@dataclass(frozen=True)
class Deed:
    """One thing that happens; `number` chooses among what there is."""

    kind: str
    user: str
    journey: str
    step: str
    number: int

    async def do(self, world: World) -> None:
        at = NOON + world.now()
        if self.kind == "merge" and self.user != "ana":
            await world.both(lambda s: s.merge(world.tenant, self.user, "ana"))
            moved = {("ana", action) for user, action in world.done if user == self.user}
            world.done = {pair for pair in world.done if pair[0] != self.user} | moved
        elif self.kind == "choose":
            mode = [Mode.SIMPLE, Mode.ADVANCED][self.number % 2]
            await world.both(lambda s: s.choose(world.tenant, self.user, mode, at))
        elif self.kind != "merge":
            wanted = Enrolment(world.person(self.user), self.journey, 1 + self.number % 2, at)
            begun = await world.stores[0].enrol(wanted)
            await world.both(lambda s: s.enrol(wanted))
            await self._on(world, begun)

    async def _on(self, world: World, way: Enrolment) -> None:
        at = NOON + world.now()
        match self.kind:
            case "done" | "left_out":
                state = StepState.DONE if self.kind == "done" else StepState.SKIPPED
                scope = [StepScope.USER, StepScope.ACCOUNT][self.number % 2]
                record = Done(self.step, f"do_{self.step}", state, at, scope, self.user, ("m",))
                await world.both(lambda s: s.complete(way, [record]))
                if self.kind == "done":
                    world.done.add((self.user, record.action))
            case "finish" | "leave":
                marks = Marks(finished_at=at) if self.kind == "finish" else Marks(left_at=at)
                await world.both(lambda s: s.mark(way, marks))
            case "move":
                moved = Moved(way, replace(way, version=way.version + 1), {"a": "b", "b": "a"})
                await world.both(lambda s: s.move(moved))
            case _:
                pass


DEEDS = st.lists(
    st.builds(
        Deed,
        kind=st.sampled_from(
            ["done", "done", "left_out", "finish", "leave", "move", "merge", "choose", "begin"]
        ),
        user=st.sampled_from(USERS),
        journey=st.sampled_from(JOURNEYS),
        step=st.sampled_from(STEPS),
        number=st.integers(0, 3),
    ),
    max_size=25,
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder: Path = tmp_path_factory.mktemp("twins")
    with sqlite(folder, upgrade) as opened:
        yield opened


@given(deeds=DEEDS)
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_twins_agree_and_nothing_done_is_lost(engine: Engine, deeds: list[Deed]) -> None:
    tenant = f"t{next(_numbers)}"
    world = World((MemoryProgress(), SqlProgress(engine)), tenant)
    for deed in deeds:
        await deed.do(world)
    memory, sql = world.stores
    for user in USERS:
        ways = await memory.of(tenant, user)
        assert await sql.of(tenant, user) == ways
        kept: set[str] = set()
        for way in ways:
            steps = await memory.done(way)
            assert await sql.done(way) == steps
            kept |= {each.action for each in steps if each.state is StepState.DONE}
        assert {action for who, action in world.done if who == user} <= kept
        assert await sql.export(tenant, user) == await memory.export(tenant, user)
        assert await sql.mode(tenant, user) == await memory.mode(tenant, user)
        assert await sql.count(tenant, user) == await memory.count(tenant, user)
    assert dict(await sql.running(tenant)) == dict(await memory.running(tenant))
    for journey in JOURNEYS:
        assert await sql.ways(tenant, journey) == await memory.ways(tenant, journey)
