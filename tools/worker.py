"""The background loop: claim -> run -> settle, whatever else the journal needs doing, and a start
that takes over from the dead.

Beside claims: leases of dead workers end, unknown actions are read back, cards expire, changes are
told. Every loop outlives an outage of the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import structlog

from tools.executor import Executor
from tools.journal import (
    Action,
    Claim,
    FencedOutError,
    IllegalMoveError,
    Journal,
    JournalError,
    JournalUnavailableError,
    OutboxRow,
    State,
)
from tools.retrying import Backoff
from tools.slots import Slots

_log = structlog.get_logger(__name__)
READ_BACK = "read_back"
_UNKNOWN = f"action.{State.UNKNOWN.value}"


@dataclass(frozen=True, slots=True)
class Chore:
    """Something done every now and then, such as a checkpoint of the receipts."""

    name: str
    every_s: float
    run: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class WorkerPolicy:
    """`surface_s`: for how long read-backs may go on before a person is told of an unknown action;
    with the time between two looks it stays below the five seconds of the safety reference."""

    at_once: int = 8
    idle_s: float = 0.1
    adopt_s: float = 0.5
    reconcile_s: float = 0.5
    surface_s: float = 3.0
    expire_s: float = 5.0
    tell_s: float = 0.2
    grace_s: float = 10.0
    again: Backoff = field(default_factory=lambda: Backoff(0.5, 60.0))


async def tell_nobody(_row: OutboxRow) -> float | None:
    return None


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """`slot` is this process's name, taken from `slots`. `tell` passes on a row of the outbox and
    says after how many seconds it wants to be asked again; None when it has arrived."""

    journal: Journal
    executor: Executor
    slot: str
    rng: Random
    slots: Slots | None = None
    tell: Callable[[OutboxRow], Awaitable[float | None]] = tell_nobody
    chores: Sequence[Chore] = ()
    policy: WorkerPolicy = field(default_factory=WorkerPolicy)


class Worker:
    """Serves one process. `wake` when something was approved here: it need not wait for a look."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts
        self._journal = parts.journal
        self._policy = parts.policy
        self._woken = asyncio.Event()
        self._jobs: set[asyncio.Task[None]] = set()
        self._read_backs: dict[str, _ReadBack] = {}

    def wake(self) -> None:
        self._woken.set()

    async def serve(self, stop: asyncio.Event) -> None:
        """Until `stop`; then what runs may end within the grace, and is left to its lease after."""
        await self._persist("take_over", self._take_over)
        loops = [asyncio.create_task(self._claims())]
        loops += [asyncio.create_task(self._every(chore)) for chore in self._chores()]
        try:
            await asyncio.wait(
                {asyncio.create_task(stop.wait()), *loops}, return_when=asyncio.FIRST_COMPLETED
            )
            for loop in loops:
                if loop.done():
                    loop.result()  # a loop ends by an error only
        finally:
            await _cancelled(loops)
            await self._drain()

    def _chores(self) -> tuple[Chore, ...]:
        policy = self._policy
        return (
            Chore("adopt", policy.adopt_s, self._adopt),
            Chore("reconcile", policy.reconcile_s, self._reconcile),
            Chore("expire", policy.expire_s, self._expire),
            Chore("tell", policy.tell_s, self._tell),
            *self._parts.chores,
        )

    async def _every(self, chore: Chore) -> None:
        """Not at once: what the dead left is claimed first."""
        while True:
            await asyncio.sleep(chore.every_s * self._parts.rng.uniform(0.8, 1.2))
            await self._persist(chore.name, chore.run)

    async def _persist(self, name: str, what: Callable[[], Awaitable[None]]) -> None:
        """Tried until the journal answers."""
        tries = 0
        while True:
            try:
                await what()
            except JournalUnavailableError:
                tries += 1
                _log.warning("journal_unavailable", chore=name, tries=tries)
                await asyncio.sleep(self._policy.again.at_least_half(tries, self._parts.rng))
            else:
                return

    # --- claims ---------------------------------------------------------------------------------

    async def _claims(self) -> None:
        while True:
            await self._persist("claim", self._claim_all)
            self._woken.clear()
            try:
                async with asyncio.timeout(self._policy.idle_s * self._parts.rng.uniform(0.8, 1.2)):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def _claim_all(self) -> None:
        """Everything that is due, as many at a time as the policy has it."""
        loop, executor = asyncio.get_running_loop(), self._parts.executor
        while True:
            while len(self._jobs) >= self._policy.at_once:
                await asyncio.wait(self._jobs, return_when=asyncio.FIRST_COMPLETED)
            since = loop.time()
            claim = await self._journal.claim(self._parts.slot, executor.lease_s)
            if claim is None:
                return
            job = asyncio.create_task(self._job(claim, since))
            self._jobs.add(job)
            job.add_done_callback(self._jobs.discard)

    async def _job(self, claim: Claim, since: float) -> None:
        action = claim.action
        try:
            await self._parts.executor.run(claim, since)
        except FencedOutError:
            _log.info("lease_lost", action=action.id)
        except JournalError as failure:  # its lease runs out, and it is claimed again
            _log.warning("action_interrupted", action=action.id, error=type(failure).__name__)

    async def _drain(self) -> None:
        if self._jobs:
            await asyncio.wait(self._jobs, timeout=self._policy.grace_s)
        await _cancelled([*self._jobs, *(each.task for each in self._read_backs.values())])

    # --- taking over ----------------------------------------------------------------------------

    async def _take_over(self) -> None:
        ended = await self._journal.lapse(self._parts.slot)
        if ended:
            _log.info("taken_over", slot=self._parts.slot, actions=ended)
        await self._adopt()

    async def _adopt(self) -> None:
        """Leases of workers that died without a successor."""
        slots = self._parts.slots
        if slots is None:
            return
        orphaned = slots.orphaned()
        try:
            while name := await asyncio.to_thread(next, orphaned, ""):
                if await self._journal.lapse(name):
                    self.wake()
        finally:
            await asyncio.to_thread(orphaned.close)

    # --- what is not known ----------------------------------------------------------------------

    async def _reconcile(self) -> None:
        now = asyncio.get_running_loop().time()
        unknown = {action.id: action for action in await self._journal.unresolved()}
        for gone in self._read_backs.keys() - unknown.keys():
            del self._read_backs[gone]
        for action in unknown.values():
            known = self._read_backs.get(action.id)
            if known is not None and (not known.task.done() or now < known.next_at):
                continue
            tries = known.tries + 1 if known is not None else 1
            pause = self._policy.again.at_least_half(tries, self._parts.rng)
            task = asyncio.create_task(self._read_back(action))
            self._read_backs[action.id] = _ReadBack(task, tries, now + pause)

    async def _read_back(self, action: Action) -> None:
        try:
            ending = await self._parts.executor.read_back(action)
            if ending is not None:
                await self._journal.resolve(action, ending, READ_BACK)
        except IllegalMoveError:
            _log.info("resolved_elsewhere", action=action.id)
        except JournalError as failure:  # read back again at the next look
            _log.warning("not_resolved", action=action.id, error=type(failure).__name__)

    # --- time and news --------------------------------------------------------------------------

    async def _expire(self) -> None:
        await self._journal.expire()

    async def _tell(self) -> None:
        """Changes are told once they arrived, what waits for a person first; an unknown one is held
        back while it is read back. Who dies in between tells some of them again."""
        rows = await self._journal.outbox()
        told: list[OutboxRow] = []
        for row in sorted(rows, key=lambda row: row.kind != _UNKNOWN):
            hold_s = await self._held_back(row)
            if hold_s > 0:
                await self._journal.later([row], hold_s)
            elif (again_s := await self._parts.tell(row)) is None:
                told.append(row)
            else:
                await self._journal.later([row], again_s)
        if told:
            await self._journal.sent(told)

    async def _held_back(self, row: OutboxRow) -> float:
        if row.kind != _UNKNOWN:
            return 0.0
        age_s = (await self._journal.now() - row.created).total_seconds()
        return max(self._policy.surface_s - age_s, 0.0)


@dataclass(frozen=True, slots=True)
class _ReadBack:
    task: asyncio.Task[None]
    tries: int
    next_at: float


async def _cancelled(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
