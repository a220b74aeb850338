"""Events -> fixes that are planned: in memory, SQLite and PostgreSQL, with many people at once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import pytest
from sqlalchemy import Engine
from typing_extensions import override

from guardrails.tenancy import EVERYBODY, within
from onboarding.interventions import Reason, State
from onboarding.interventions.detecting import FILE, Detectors
from onboarding.interventions.fixes import (
    FORGOTTEN,
    Fix,
    Ladder,
    Tried,
    choose,
    packet_of,
)
from onboarding.interventions.signals import Signal, SignalKind
from onboarding.interventions.types import Channel
from onboarding.rules import read_data
from onboarding.store.interventions.helping import FrictionDesk
from onboarding.store.interventions.memory import MemoryDeliveries
from onboarding.store.interventions.sql import SqlDeliveries, upgrade
from onboarding.store.interventions.store import DeliveryStore, Wanted
from onboarding.store.interventions.tables import TABLES
from onboarding.store.interventions.watches import MemoryWatches, SqlWatches, WatchStore
from onboarding.types import Friction, Person
from tests.guardrails.databases import postgres, sqlite
from tests.onboarding.interventions.making import ANA, BO, DAY, HOUR, MINUTE, NOON
from tests.onboarding.interventions.test_detectors import LOOKS, SIGNALS, event

DETECTORS = Detectors.read(read_data(FILE))
PEOPLE = int(os.environ.get("EMBARK_TEST_FRICTION_PEOPLE", "1000"))


class Stores(NamedTuple):
    deliveries: DeliveryStore
    watches: WatchStore


def desk_of(watches: WatchStore) -> FrictionDesk:
    return FrictionDesk(DETECTORS, SIGNALS, watches, lambda _person: LOOKS)


def failed(n: int = 0, about: str = "stripe", at: datetime = NOON) -> Signal:
    return Signal(f"f{n}", SignalKind.IMPORT_FAILED, at, about, known=(("source", "Stripe"),))


class DeskContract:
    """Inherited for each pair of stores."""

    @pytest.fixture
    def stores(self) -> Stores:
        raise NotImplementedError

    async def test_a_friction_is_a_message_at_once(self, stores: Stores) -> None:
        (made,) = await desk_of(stores.watches).take([(ANA, failed())], NOON)
        assert (made.fix, made.action, made.packet) == ("csv_fallback", "import_csv", None)
        (planned,) = await stores.deliveries.due("t", NOON, 10)
        assert planned.message == made.message
        assert planned.message.template == "csv-fallback"
        assert dict(planned.message.values) == {"source": "Stripe"}

    async def test_events_of_the_host_come_in(self, stores: Stores) -> None:
        desk = desk_of(stores.watches)
        made = await desk.see([event("Import Failed", mode="full", error_code="HBR-101")], NOON)
        assert [each.friction.detector for each in made] == ["import_failed"]
        assert await desk.see([event("Dashboard Created")], NOON) == ()

    async def test_two_fixes_that_failed_bring_a_person(self, stores: Stores) -> None:
        desk, fixes = desk_of(stores.watches), []
        for n in range(4):
            now = NOON + n * 10 * MINUTE
            made = await desk.take([(ANA, failed(n, at=now))], now)
            fixes += [(each.fix, each.number, each.packet is not None) for each in made]
        assert fixes == [
            ("csv_fallback", 1, False),
            ("scheduled_retry", 2, False),
            ("person", 3, True),
        ]
        planned = await stores.deliveries.due("t", NOON + HOUR, 10)
        assert len({each.message.step for each in planned}) == 3

    async def test_the_time_of_a_retry_is_shown(self, stores: Stores) -> None:
        limited = Signal("l", SignalKind.LIMITED, NOON, "pg", known=(("retry_after", "120"),))
        (made,) = await desk_of(stores.watches).take([(ANA, limited)], NOON)
        assert made.retry_at == NOON + 2 * MINUTE
        assert made.message.values["at"] == (NOON + 2 * MINUTE).isoformat()

    async def test_what_worked_is_offered_again(self, stores: Stores) -> None:
        desk = desk_of(stores.watches)
        await desk.take([(ANA, failed(0))], NOON)
        assert await desk.worked(ANA, "import_failed", "stripe", NOON, worked=True)
        assert not await desk.worked(ANA, "import_failed", "stripe", NOON, worked=False)
        assert not await desk.worked(ANA, "import_failed", "other", NOON, worked=True)
        (again,) = await desk.take([(ANA, failed(1, at=NOON + DAY))], NOON + DAY)
        assert (again.fix, again.number) == ("csv_fallback", 2)

    async def test_a_restart_goes_on(self, stores: Stores) -> None:
        edited = Signal("e", SignalKind.FORM_EDITED, NOON, "invite")
        assert await desk_of(stores.watches).take([(ANA, edited)], NOON) == ()
        again = desk_of(stores.watches)
        assert await again.visit("t", NOON + 4 * MINUTE) == ()
        assert await again.visit("t2", NOON + 5 * MINUTE) == ()
        (made,) = await again.visit("t", NOON + 5 * MINUTE)
        assert made.friction.detector == "form_abandoned"
        assert made.friction.person == ANA
        assert await again.visit("t", NOON + 9 * MINUTE) == ()

    async def test_the_same_events_again_make_nothing_new(self, stores: Stores) -> None:
        desk = desk_of(stores.watches)
        assert len(await desk.take([(ANA, failed())], NOON)) == 1
        assert await desk.take([(ANA, failed())], NOON) == ()
        assert len(await stores.deliveries.due("t", NOON, 10)) == 1

    async def test_people_and_tenants_are_apart(self, stores: Stores) -> None:
        desk, other = desk_of(stores.watches), Person("t2", "ana")
        first = Signal("e1", SignalKind.ERROR, NOON, "p", "E")
        second = Signal("e2", SignalKind.ERROR, NOON, "p", "E")
        assert await desk.take([(ANA, first), (BO, second)], NOON) == ()
        assert await desk.take([(other, second)], NOON) == ()
        assert len(await desk.take([(ANA, second)], NOON)) == 1

    async def test_workers_at_once_find_it_once(self, stores: Stores) -> None:
        desks = [desk_of(stores.watches) for _ in range(8)]
        found = await asyncio.gather(*(desk.take([(ANA, failed())], NOON) for desk in desks))
        assert sum(len(each) for each in found) == 1

    async def test_nothing_is_left_of_who_is_erased(self, stores: Stores) -> None:
        await desk_of(stores.watches).take([(ANA, failed())], NOON)
        names = [name for name, _ in await stores.deliveries.rows("t", "ana")]
        assert sorted(names) == ["delivery", "fix", "watch"]
        assert await stores.deliveries.erase("t", "ana") == 3
        assert await stores.deliveries.rows("t", "ana") == ()
        assert len(await desk_of(stores.watches).take([(ANA, failed())], NOON)) == 1

    async def test_old_watches_go(self, stores: Stores) -> None:
        desk, watches = desk_of(stores.watches), stores.watches
        await desk.take([(ANA, failed())], NOON)
        await desk.take([(BO, failed(1))], NOON + DAY)
        assert await watches.aged("t", NOON + DAY, frozenset()) == 1
        assert await watches.aged("t", NOON + DAY, frozenset({"ana"})) == 0
        assert await watches.age("t", NOON + 9 * DAY, frozenset({"bo"}), 10) == 1
        assert [n for n, _ in await stores.deliveries.rows("t", "ana")] == ["delivery"]
        assert await watches.age("t2", NOON + 9 * DAY, frozenset(), 10) == 0
        assert await watches.age("t", NOON + 9 * DAY, frozenset(), 10) == 1


class TestMemory(DeskContract):
    @pytest.fixture
    @override
    def stores(self) -> Stores:
        deliveries = MemoryDeliveries()
        return Stores(deliveries, MemoryWatches(deliveries))


class TestSqlite(DeskContract):
    @pytest.fixture
    @override
    def stores(self, tmp_path: Path) -> Iterator[Stores]:
        with sqlite(tmp_path, upgrade) as engine:
            yield Stores(SqlDeliveries(engine), SqlWatches(engine))


@pytest.fixture(scope="module")
def owned() -> Iterator[Engine]:
    with postgres(upgrade) as engine:
        yield engine


class TestPostgres(DeskContract):
    @pytest.fixture
    @override
    def stores(self, owned: Engine) -> Stores:
        with within(EVERYBODY), owned.begin() as connection:
            for name in TABLES:
                connection.exec_driver_sql(f'DELETE FROM "{name}"')
        return Stores(SqlDeliveries(owned), SqlWatches(owned))


# the choice of a fix

FRICTION = Friction("import_failed", ANA, NOON, 3, "a", "stripe")
FIXES = {name: Fix(template=name) for name in ("a", "b", "c", "person")}
LADDER = Ladder(("a", "b", "c"), FIXES, Channel.IN_APP, "help")


def chosen(*tried: Tried, ladder: Ladder = LADDER) -> str | None:
    made = choose(FRICTION, ladder, tried, {}, NOON)
    return made.fix if made else None


def test_fixes_are_tried_in_order_and_then_a_person() -> None:
    hour = NOON - HOUR
    assert chosen() == "a"
    assert chosen(Tried("a", hour)) == "b"
    assert chosen(Tried("a", hour, worked=False), Tried("b", hour, worked=False)) == "person"
    assert chosen(Tried("a", hour, worked=True)) == "a"
    assert chosen(Tried("a", hour), ladder=Ladder(("a",), FIXES, Channel.IN_APP, "x")) == "person"
    assert chosen(Tried("person", hour)) is None
    assert chosen(Tried("person", hour, worked=False)) == "a"


def test_what_failed_long_ago_may_help_today() -> None:
    old = NOON - FORGOTTEN - timedelta(seconds=1)
    assert chosen(Tried("a", old, worked=False), Tried("b", old, worked=False)) == "a"


def test_a_packet_is_of_one_friction() -> None:
    assert packet_of(FRICTION) == packet_of(FRICTION)
    other = Friction("import_failed", BO, NOON, 3, "a", "stripe")
    assert packet_of(other) != packet_of(FRICTION)
    made = choose(FRICTION, LADDER, [Tried("a", NOON), Tried("b", NOON)], {}, NOON)
    assert made is not None
    assert made.packet == packet_of(FRICTION)
    assert made.message.null_share == 0.0


# how long it takes


@pytest.mark.alone
async def test_from_event_to_decided_intervention_is_below_three_seconds(tmp_path: Path) -> None:
    """Everybody's import fails in the same moment; blocks of 200 as the event log hands them out,
    decided on and planned durably."""
    people = [Person("t", f"p{n}", f"a{n % 50}") for n in range(PEOPLE)]
    took: list[float] = []
    with sqlite(tmp_path, upgrade) as engine:
        desk = desk_of(SqlWatches(engine))
        began = monotonic()

        async def block(first: int) -> None:
            seen = [(person, failed(n)) for n, person in enumerate(people[first : first + 200])]
            made = await desk.take(seen, NOON)
            took.extend([monotonic() - began] * len(made))

        await asyncio.gather(*(block(first) for first in range(0, PEOPLE, 200)))
        planned = await SqlDeliveries(engine).deliveries("t", Wanted(limit=PEOPLE + 1))
    assert len(planned) == len(took) == PEOPLE
    assert sorted(took)[int(len(took) * 0.99)] < 3.0


async def test_a_fix_that_was_never_shown_says_so() -> None:
    """The governor has the last word: what is withheld is no send."""
    deliveries = MemoryDeliveries()
    desk = desk_of(MemoryWatches(deliveries))
    await desk.take([(ANA, failed())], NOON)
    await deliveries.leave(ANA, "friction.import_failed", Reason.STEP_DONE, NOON)
    (row,) = await deliveries.deliveries("t", Wanted())
    assert (row.state, row.reason) == (State.SUPPRESSED, Reason.STEP_DONE)
