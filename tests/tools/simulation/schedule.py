"""One schedule: people, processes and a host under one seed, until everything has come to an end.

What can go wrong is drawn at its beginning; most schedules have some of it, few have all. Process
stops (SIGSTOP) are shorter than what a lease leaves over: a request that a stopped process sends
hours later can be fenced by its target alone, and no journal.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Engine

from tests.tools.simulation.flow import shelf_of, versions
from tests.tools.simulation.host import Host, Weather
from tests.tools.simulation.invariants import Record, violations
from tests.tools.simulation.loop import EndlessError, new_loop
from tests.tools.simulation.people import TENANTS, Street
from tests.tools.simulation.process import (
    LEASE_S,
    WORK,
    ChainSealer,
    Process,
    Site,
    Told,
    Trouble,
)
from tools.journal import Ending, Journal, OutboxRow, State
from tools.journal_memory import MemoryJournal, at_once
from tools.journal_sql import SqlJournal
from tools.store.engine import open_engine, upgrade
from tools.store.ledger import Runner
from tools.store.memory import Shelves
from tools.types import Done
from tools.vault_memory import MemoryVault

T = TypeVar("T")
PEOPLE = "people"
LOOK_S = 6.0
EXPIRE_S = 1000.0
"""Beyond the life of any card."""
LOOKS = 60
ALL = 1_000
OPEN = (State.PROPOSED, State.PENDING)
MOVING = (State.APPROVED, State.STARTED, State.COMPENSATING, State.UNKNOWN)

OpenJournal = Callable[[Runner, Callable[[], datetime]], Journal]


class Outcome(NamedTuple):
    """`trace` is equal for equal schedules; `steps` counts the points where others could go on."""

    seed: int
    wrongs: tuple[str, ...]
    trace: str
    steps: int
    kills: int
    actions: int
    effects: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a seed draws."""

    weather: Weather
    trouble: Trouble
    refusing: float
    kill: float
    stop: float
    skew: bool
    reboot: bool
    processes: int
    wishes: int
    foreign: int

    @classmethod
    def drawn(cls, rng: Random) -> Plan:
        def share(most: float) -> float:
            return rng.uniform(0.0, most) if rng.random() < 0.5 else 0.0

        return cls(
            weather=Weather(*(share(most) for most in (0.2, 0.2, 0.1, 0.2, 0.2, 0.1, 0.1))),
            trouble=Trouble(rng.choice([0.0, 0.0, 0.02, 0.1, 0.35]), share(0.08), share(0.08)),
            refusing=share(0.3),
            kill=share(0.02),
            stop=share(0.005),
            skew=rng.random() < 0.2,
            reboot=rng.random() < 0.1,
            processes=rng.choice([1, 2, 2, 2, 3]),
            wishes=rng.choice([1, 1, 2, 2, 3]),
            foreign=rng.choice([0, 0, 1, 2]),
        )


def stormy(plan: Plan) -> Plan:
    """Slow transactions, and a host that is hard to reach: leases are lost all the time."""
    return replace(
        plan,
        weather=replace(plan.weather, unreachable=0.4),
        trouble=Trouble(slow=0.35),
        processes=2,
    )


def in_memory() -> OpenJournal:
    shelves = Shelves()

    def open_journal(line: Runner, clock: Callable[[], datetime]) -> Journal:
        return MemoryJournal(ChainSealer(), clock, shelves=shelves, runner=line)

    return open_journal


_ENGINES: list[Engine] = []


def in_sql() -> OpenJournal:
    """SQLite without a file; the tables are made once, and emptied for each schedule."""
    if not _ENGINES:
        _ENGINES.append(open_engine("sqlite://"))
        upgrade(_ENGINES[0])
    engine = _ENGINES[0]
    with engine.begin() as connection:
        for table in ("action", "approval", "compensation", "receipt", "chain_head", "outbox"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    vault = MemoryVault(bytes(32))

    def open_journal(line: Runner, clock: Callable[[], datetime]) -> Journal:
        return SqlJournal(engine, vault, ChainSealer(), clock=clock, runner=line)

    return open_journal


class Schedule:
    def __init__(
        self,
        seed: int,
        open_journal: OpenJournal,
        weather: Callable[[Plan], Plan] = lambda plan: plan,
    ) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.plan = weather(Plan.drawn(self.rng))
        self.loop = new_loop(Random(self.rng.random()))
        self.host = Host(self.loop, Random(self.rng.random()), self.plan.weather)
        self.told = Told(Random(self.rng.random()), self.plan.refusing)
        self.site = Site(
            loop=self.loop,
            rng=Random(self.rng.random()),
            trouble=self.plan.trouble,
            told=self.told,
            open_journal=open_journal,
            stock=shelf_of(self.host),
        )
        self.calm = open_journal(at_once, self.site.now)
        self.processes: list[Process] = []
        self.street = Street(
            self.loop, Random(self.rng.random()), self.processes, versions(self.host), self.site.now
        )
        self.kills = 0
        self._faults = Random(self.rng.random())

    def run(self) -> Outcome:
        wrongs: tuple[str, ...] = ()
        main = self.loop.spawn("janitor", self._all())
        try:
            self.loop.run_until(main)
            main.result()
        except EndlessError as endless:
            wrongs = (f"LIVE {endless}",)
        record = self.record()
        wrongs = (*wrongs, *self.street.crimes, *violations(record), *self.loop.problems)
        steps = self.loop.steps
        self.loop.close_all()
        return Outcome(
            seed=self.seed,
            wrongs=wrongs,
            trace=_trace(record),
            steps=steps,
            kills=self.kills,
            actions=len(record.actions),
            effects=len(record.effects),
        )

    # --- the life of a schedule -----------------------------------------------------------------

    async def _all(self) -> None:
        for place in range(self.plan.processes):
            self._start(f"slot{place}")
        self.loop.before_step = self._strike
        wishes = [self._wish(number) for number in range(self.plan.wishes)]
        wishes += [self._someone_else(number) for number in range(self.plan.foreign)]
        if self.plan.reboot:
            wishes.append(self._reboot())
        tasks = [self.loop.spawn(f"{PEOPLE}{number}", wish) for number, wish in enumerate(wishes)]
        await asyncio.wait(tasks)
        for task in tasks:
            task.result()
        await self._settled()

    async def _wish(self, number: int) -> None:
        await self.street.act(number)

    async def _someone_else(self, number: int) -> None:
        """Changes the host's items behind everybody's back."""
        rng = self.street.rng
        await asyncio.sleep(rng.uniform(0.0, 20.0))
        self.host.write((rng.choice(TENANTS), rng.choice("xy")), f"foreign{number}")

    async def _settled(self) -> None:
        """No more faults; until nothing moves and everything is told, what is held back too."""
        self.host.faulty = False
        self.site.trouble.slow = self.site.trouble.away = self.site.trouble.cut_off = 0.0
        self.told.refusing = 0.0
        self.loop.before_step = lambda _actor: None
        rested = False
        for _ in range(LOOKS):
            await asyncio.sleep(LOOK_S)
            if not any(process.alive for process in self.processes):
                continue
            if await self._moving():
                continue
            if await self._left(OPEN):
                self.loop.hop(EXPIRE_S)
                continue
            if await self.calm.outbox():
                continue
            if rested:
                return
            rested = True
            self.loop.hop(WORK.surface_s)

    async def _moving(self) -> bool:
        moving = False
        for tenant in TENANTS:
            for action in await self.calm.actions(tenant, states=MOVING, limit=ALL):
                moving = True
                if action.state is State.UNKNOWN and action.call.tool in {"mail", "put"}:
                    await self._person(tenant, action.id)
        return moving

    async def _person(self, tenant: str, action_id: str) -> None:
        """Somebody looks at the host, and says what became of it."""
        await asyncio.sleep(2.0)  # whatever was on its way has arrived
        action = await self.calm.action(tenant, action_id)
        if action.state is State.UNKNOWN:
            did = self.host.did(action.id)
            ending = Ending(State.SUCCEEDED, Done({})) if did else Ending(State.FAILED)
            await self.calm.resolve(action, ending, "somebody")

    async def _left(self, states: tuple[State, ...]) -> bool:
        found = [await self.calm.actions(tenant, states=states) for tenant in TENANTS]
        return any(found)

    # --- processes come and go ------------------------------------------------------------------

    def _start(self, slot: str) -> None:
        skew = self.site.rng.choice([-3600.0, -5.0, 5.0, 3600.0]) if self.plan.skew else 0.0
        name = f"process{len(self.processes)}"
        process = Process(self.site, name, slot, skew)
        self.processes.append(process)
        self.loop.spawn(name, process.serve())

    def _strike(self, actor: str) -> None:
        if not actor.startswith("process"):
            return
        roll = self._faults.random()
        if roll < self.plan.kill and self.kills < 6:
            self._kill(actor)
        elif roll < self.plan.kill + self.plan.stop:
            self.loop.freeze(actor, self._faults.uniform(0.1, LEASE_S / 4))

    async def _reboot(self) -> None:
        """All at once, and the clock may have stood wrong."""
        await asyncio.sleep(self._faults.uniform(1.0, 25.0))
        for process in self.processes:
            if process.alive:
                self._kill(process.name)
        self.site.offset_s += self._faults.choice([1.0, 60.0, 3600.0])

    def _kill(self, name: str) -> None:
        (process,) = [each for each in self.processes if each.name == name]
        process.alive = False
        self.kills += 1
        self.loop.kill(name)
        again = self._faults.random() < 0.7
        slot = process.slot if again else f"{process.slot}'"
        pause = self._faults.choice([0.01, 0.5, 2.0, 10.0])
        self.loop.later("init", pause, lambda: self._start(slot))
        if not again:  # somebody finds the slot empty, as `Slots` has it
            self.loop.later("init", pause + 5.0, lambda: self._adopt(process.slot))

    def _adopt(self, slot: str) -> None:
        self.loop.spawn("adopter", self.calm.lapse(slot))

    # --- what is on record ----------------------------------------------------------------------

    def record(self) -> Record:
        return _run(self._read())

    async def _read(self) -> Record:
        actions = [
            action for tenant in TENANTS for action in await self.calm.actions(tenant, limit=ALL)
        ]
        approvals = {
            action.id: await self.calm.approvals(action.who.tenant, action.id) for action in actions
        }
        receipts = {tenant: await self.calm.receipts(tenant) for tenant in TENANTS}
        untold: tuple[OutboxRow, ...] = await self.calm.outbox(ALL)
        return Record(
            actions=actions,
            approvals=approvals,
            receipts=receipts,
            told=tuple(self.told.rows.values()),
            untold=untold,
            effects=self.host.effects,
            acks=self.street.acks,
        )


def _run(work: Coroutine[Any, Any, T]) -> T:
    """A coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise RuntimeError("it waits")


def _trace(record: Record) -> str:
    """What happened, without the ids and nonces that are drawn afresh each time."""
    keys = {action.id: (place, action.state) for place, action in enumerate(record.actions)}
    rows = sorted(record.told, key=lambda row: row.id)
    told = [(row.id, row.kind, row.created.isoformat(), keys.get(row.action_id)) for row in rows]
    done = [(effect.at, effect.tool, keys.get(effect.action)) for effect in record.effects]
    return hashlib.sha256(repr((told, done)).encode()).hexdigest()
