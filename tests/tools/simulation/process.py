"""One process of Embark in the simulator: the real desk, executor, worker and flows, over a journal
that is slow, away, or gone between a commit and its answer."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TypeVar

from pydantic import JsonValue

from tests.tools.simulation.loop import SimLoop
from tests.tools.twins import Shelf
from tools.breaker import BreakerPolicy
from tools.canonical import b64url, canonical
from tools.desk import ActionDesk, DeskParts
from tools.executor import Executor, ExecutorParts
from tools.flows.drive import FlowParts
from tools.journal import Action, Journal, JournalError, JournalUnavailableError, OutboxRow
from tools.retrying import Backoff, Patience
from tools.store.ledger import Runner
from tools.worker import Worker, WorkerParts, WorkerPolicy

T = TypeVar("T")
START = datetime(2026, 5, 4, 12, tzinfo=UTC)
POLICY_VERSION = "p1"
LEASE_S = 6.0
PATIENCE = Patience(
    tries=2,
    quick=Backoff(0.1, 0.4),
    scheduled=Backoff(3.0, 9.0),
    held_s=1.0,
    quiet_s=1.0,
    lease_s=LEASE_S,
)
WORK = WorkerPolicy(
    at_once=3,
    adopt_s=1e6,
    idle_s=12.0,
    reconcile_s=18.0,
    surface_s=5.0,
    expire_s=400.0,
    tell_s=20.0,
    grace_s=1.0,
    again=Backoff(0.5, 4.0),
)
"""Coarser than in production: what happens between two looks is what the seeds vary."""


class ChainSealer:
    """Seals with a plain hash: what a signature proves is the receipts' own test."""

    def seal(self, payload: Mapping[str, JsonValue]) -> str:
        plain = canonical(payload)
        return f"{b64url(plain)}.{hashlib.sha256(plain).hexdigest()}"


@dataclass
class Trouble:
    """How often a call of the journal is slow, fails, or is cut off from its answer."""

    slow: float = 0.0
    away: float = 0.0
    cut_off: float = 0.0


DATABASE = "database"


@dataclass
class Line:
    """A process's line to the database, a runner of journals.

    A transaction that was sent is done, whether or not its sender still lives or waits for it.
    """

    loop: SimLoop
    rng: Random
    trouble: Trouble

    async def __call__(self, work: Callable[[], T]) -> T:
        if self._strikes(self.trouble.away):
            await asyncio.sleep(0)
            raise JournalUnavailableError("away")
        answer: asyncio.Future[T] = self.loop.create_future()
        self._sent(lambda: self._done(work, answer))
        result = await answer
        if self._strikes(self.trouble.cut_off):
            raise JournalUnavailableError("cut off")
        return result

    def _done(self, work: Callable[[], T], answer: asyncio.Future[T]) -> None:
        try:
            result = work()
        except JournalError as refusal:
            failure = refusal
            self._sent(lambda: None if answer.done() else answer.set_exception(failure))
        else:
            self._sent(lambda: None if answer.done() else answer.set_result(result))

    def _sent(self, arrives: Callable[[], object]) -> None:
        slow = self._strikes(self.trouble.slow)
        delay = self.rng.choice([0.02, 0.5, 2.0, 7.0, 15.0, 15.0]) if slow else 0.0
        self.loop.later(DATABASE, delay, arrives)

    def _strikes(self, share: float) -> bool:
        return bool(share) and self.rng.random() < share


@dataclass
class Told:
    """What arrived at whoever is told; some news have to be told twice."""

    rng: Random
    refusing: float = 0.0
    rows: dict[int, OutboxRow] = field(default_factory=dict)

    async def __call__(self, row: OutboxRow) -> float | None:
        await asyncio.sleep(0)
        self.rows[row.id] = row
        return 5.0 if self.refusing and self.rng.random() < self.refusing else None


@dataclass
class Site:
    """What all processes share: the loop, the tools' host, and how a journal is opened."""

    loop: SimLoop
    rng: Random
    trouble: Trouble
    told: Told
    open_journal: Callable[[Runner, Callable[[], datetime]], Journal]
    stock: Callable[[FlowParts], Shelf]
    offset_s: float = 0.0

    def now(self) -> datetime:
        """The journal's clock, one for all processes: database time, or one anchored at the boot.
        It never goes back; a reboot may find that it has to go forward."""
        return START + timedelta(seconds=self.loop.time() + self.offset_s)


class Process:
    """`slot` names its leases; `skew_s` is how wrong its wall clock is."""

    def __init__(self, site: Site, name: str, slot: str, skew_s: float) -> None:
        self.name = name
        self.slot = slot
        self.alive = True
        loop, rng = site.loop, Random(site.rng.random())
        wrong = timedelta(seconds=skew_s)
        self.journal = site.open_journal(Line(loop, rng, site.trouble), site.now)
        self.shelf = site.stock(
            FlowParts(self.journal, lambda: self.shelf, self._perform, site.now, step_wait_s=5.0)
        )
        executor = Executor(
            ExecutorParts(
                journal=self.journal,
                catalogue=self.shelf,
                policy_version=POLICY_VERSION,
                now=lambda: site.now() + wrong,
                rng=rng,
                patience=PATIENCE,
                breaker=BreakerPolicy(failures=4, open_s=5.0),
            )
        )
        self.desk = ActionDesk(DeskParts(self.journal, self.shelf, executor, POLICY_VERSION, slot))
        self._worker = Worker(
            WorkerParts(
                journal=self.journal,
                executor=executor,
                slot=slot,
                rng=rng,
                tell=site.told,
                policy=WORK,
            )
        )

    async def _perform(self, tenant: str, action_id: str, wait_s: float) -> Action:
        return await self.desk.perform(tenant, action_id, wait_s)

    async def serve(self) -> None:
        await self._worker.serve(asyncio.Event())

    def wake(self) -> None:
        self._worker.wake()
