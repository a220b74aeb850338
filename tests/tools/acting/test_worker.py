"""The background loop: nothing approved is left lying, nothing unknown is kept secret."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random

import pytest
from typing_extensions import override

from tests.tools.acting.floor import SWIFT, Floor, HashSealer, of_class
from tools.journal import Action, Claim, Ending, JournalUnavailableError, OutboxRow, State
from tools.journal_memory import MemoryJournal
from tools.retrying import Backoff
from tools.types import EffectClass
from tools.worker import Chore, Worker, WorkerParts, WorkerPolicy

K, N, R, O = EffectClass.KEYED, EffectClass.NATURAL, EffectClass.READ_BACK, EffectClass.ONCE  # noqa: E741
UNKNOWN = Ending(State.UNKNOWN, reason="timeout")
POLICY = WorkerPolicy(
    idle_s=0.005,
    adopt_s=0.01,
    reconcile_s=0.01,
    surface_s=0.0,
    expire_s=0.01,
    tell_s=0.01,
    grace_s=1.0,
    again=Backoff(0.01, 0.02),
)


class Told:
    """Whoever is told of changes; deaf for the first few."""

    def __init__(self, deaf: int = 0) -> None:
        self.rows: list[OutboxRow] = []
        self._deaf = deaf

    async def __call__(self, row: OutboxRow) -> float | None:
        if self._deaf:
            self._deaf -= 1
            return 0.0
        self.rows.append(row)
        return None

    def kinds(self, action: Action) -> list[str]:
        return [row.kind for row in self.rows if row.action_id == action.id]


@asynccontextmanager
async def serving(floor: Floor, **parts: object) -> AsyncIterator[Worker]:
    """A worker that serves inside the block, and has stopped after it."""
    given = WorkerParts(floor.books, floor.executor, "slot-0", Random(1), policy=POLICY)
    worker = Worker(replace(given, **parts))  # type: ignore[arg-type]
    stop = asyncio.Event()
    serve = asyncio.create_task(worker.serve(stop))
    try:
        yield worker
    finally:
        stop.set()
        await serve


async def until(holds: Callable[[], object], within_s: float = 5.0) -> None:
    async with asyncio.timeout(within_s):
        while True:
            if holds():
                return
            await asyncio.sleep(0.005)


async def ended(
    floor: Floor, action: Action, within_s: float = 5.0, beside: State | None = None
) -> Action:
    """The action once it ended, in a state other than `beside`."""
    async with asyncio.timeout(within_s):
        while True:
            now = await floor.state(action)
            if now.ended and now.state is not beside:
                return now
            await asyncio.sleep(0.005)


async def test_approved_actions_are_done_each_once() -> None:
    floor = Floor()
    actions = []
    for number in range(20):
        actions.append(await floor.approved({"name": f"n{number}"}, key=f"k{number}"))
    async with serving(floor), serving(floor, slot="slot-1"):
        for action in actions:
            assert (await ended(floor, action)).state is State.SUCCEEDED
    assert floor.shop.effects == {action.id: 1 for action in actions}


@pytest.mark.parametrize("effect", [K, N, R, O])
@pytest.mark.parametrize("happened", [True, False])
async def test_a_start_takes_over_what_the_last_holder_of_its_slot_left(
    effect: EffectClass, happened: bool
) -> None:
    floor = Floor(of_class(effect))
    action = await floor.approved()
    await floor.claimed(action, "slot-0", lease_s=3600)
    if happened:
        floor.shop.keys.add(action.id)
        floor.shop.write(action.id, "n", "new")
    told = Told()
    async with serving(floor, tell=told):
        action = await ended(floor, action)
        await until(lambda: f"action.{action.state}" in told.kinds(action))
    assert action.state is (State.UNKNOWN if effect is O else State.SUCCEEDED)
    expected = int(happened) if effect is O else 1
    assert floor.shop.effects[action.id] == expected


async def test_what_a_live_worker_holds_is_left_alone() -> None:
    floor = Floor()
    action = await floor.approved()
    await floor.claimed(action, "slot-1", lease_s=3600)
    async with serving(floor):
        await asyncio.sleep(0.1)
    assert (await floor.state(action)).state is State.STARTED
    assert not floor.shop.ledger


class OneOrphan:
    """Slots of which one is held by nobody."""

    def take(self) -> str:
        return "slot-0"

    def orphaned(self) -> Generator[str, None, None]:
        yield "slot-1"

    def close(self) -> None:
        """Nothing is held."""


async def test_leases_of_a_worker_without_a_successor_are_taken_over() -> None:
    floor = Floor()
    action = await floor.approved()
    await floor.claimed(action, "slot-1", lease_s=3600)
    async with serving(floor, slots=OneOrphan()):
        assert (await ended(floor, action)).state is State.SUCCEEDED
    assert floor.shop.effects == {action.id: 1}


@pytest.mark.parametrize("happened", [True, False])
async def test_an_unknown_action_is_read_back(happened: bool) -> None:
    floor = Floor(of_class(K, timeout_s=0.05), ["hang"] * 3)
    action = await floor.approved()
    floor.tool.faults.extend(["hang"])
    claim = await floor.claimed(action)
    unknown = await floor.books.settle(claim, UNKNOWN)
    if happened:
        floor.shop.write(action.id, "n", "new")
    told = Told()
    async with serving(floor, tell=told):
        now = await ended(floor, unknown, beside=State.UNKNOWN)
        await until(lambda: len(told.kinds(now)) > 4)
    assert now.state is (State.SUCCEEDED if happened else State.FAILED)
    assert now.decided_by == "read_back"
    assert len(await floor.books.receipts("t")) == 1


async def test_what_cannot_be_read_back_is_told_to_a_person_once() -> None:
    floor = Floor(of_class(O), ["lost"])
    action = await floor.approved()
    told = Told(deaf=3)
    async with serving(floor, tell=told):
        await until(lambda: "action.unknown" in told.kinds(action))
        await asyncio.sleep(0.1)
    assert told.kinds(action).count("action.unknown") == 1
    assert (await floor.state(action)).state is State.UNKNOWN
    assert floor.shop.effects[action.id] == 1


async def test_an_unknown_one_is_held_back_while_it_is_read_back() -> None:
    floor = Floor(of_class(O), ["lost"])
    told, patient = Told(), replace(POLICY, surface_s=60.0)
    action = await floor.approved()
    async with serving(floor, tell=told, policy=patient):
        await until(lambda: "action.started" in told.kinds(action))
        await asyncio.sleep(0.05)
        assert "action.unknown" not in told.kinds(action)
        floor.clock.pass_s(60)
        await until(lambda: "action.unknown" in told.kinds(action))


async def test_cards_expire_by_the_journals_clock() -> None:
    floor = Floor()
    action = await floor.pending()
    async with serving(floor):
        await asyncio.sleep(0.05)
        assert (await floor.state(action)).state is State.PENDING
        floor.clock.pass_s(901)
        assert (await ended(floor, action)).reason == "expired"


async def test_other_chores_are_done_too() -> None:
    ran: list[int] = []

    async def checkpoint() -> None:
        ran.append(1)

    async with serving(Floor(), chores=(Chore("checkpoint", 0.01, checkpoint),)):
        await until(lambda: len(ran) > 2)


async def test_a_chore_that_is_broken_is_not_hidden() -> None:
    async def broken() -> None:
        raise ZeroDivisionError

    floor = Floor()
    with pytest.raises(ZeroDivisionError):
        async with serving(floor, chores=(Chore("broken", 0.01, broken),)):
            await asyncio.sleep(0.05)


class Flaky(MemoryJournal):
    """A journal that is away now and then."""

    away = 0

    @override
    async def claim(
        self, worker: str, lease_s: float, action_id: str | None = None
    ) -> Claim | None:
        if self.away:
            self.away -= 1
            raise JournalUnavailableError("no answer")
        return await super().claim(worker, lease_s, action_id)


async def test_it_outlives_an_outage_of_the_journal() -> None:
    floor = Floor()
    journal = Flaky(HashSealer(), floor.clock)
    floor.books = journal
    floor.executor, floor.desk = floor.another_executor(), floor.another_desk()
    journal.away = 5
    async with serving(floor):
        await until(lambda: journal.away == 0)
        action = await floor.approved()
        assert (await ended(floor, action)).state is State.SUCCEEDED


async def test_it_stops_within_its_grace_and_leaves_the_rest_to_the_lease() -> None:
    floor = Floor(of_class(K, timeout_s=60.0), ["hang"])
    action = await floor.approved()
    async with serving(floor, policy=replace(POLICY, grace_s=0.05)):
        await until(lambda: floor.tool.attempts)
    assert (await floor.state(action)).state is State.STARTED
    async with serving(floor):
        assert (await ended(floor, action)).state is State.SUCCEEDED
    assert floor.shop.effects == {action.id: 1}


async def test_as_many_at_once_as_the_policy_has_it() -> None:
    floor = Floor(of_class(K, timeout_s=0.05), ["hang"] * 6, patience=replace(SWIFT, tries=1))
    for number in range(6):
        await floor.approved({"name": f"n{number}"}, key=f"k{number}")
    async with serving(floor, policy=replace(POLICY, at_once=2)):
        await until(lambda: floor.tool.attempts)
        assert len(floor.tool.attempts) <= 2
        await until(lambda: len(floor.tool.attempts) == 6)


async def test_woken_it_does_not_wait_for_its_next_look() -> None:
    floor = Floor()
    async with serving(floor, policy=replace(POLICY, idle_s=60.0)) as worker:
        await asyncio.sleep(0.02)
        action = await floor.approved()
        worker.wake()
        assert (await ended(floor, action, 2.0)).state is State.SUCCEEDED
