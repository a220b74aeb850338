"""The processes that die: a clerk that proposes and approves, workers that do.

Run by the driver as forks of a process that has imported everything; alone by

    EMBARK_KILL_AT=settle.after:1 python -m tests.e2e.killing.worker CONFIG.json
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Literal, ParamSpec

import structlog

from tests.e2e.killing import harbor
from tests.e2e.killing.failpoints import CLERK_CALLS, WORKER_CALLS, Failpoints
from tests.e2e.killing.parts import open_journal, open_slots
from tests.e2e.killing.tools import Client, CountedTool
from tests.tools.twins import Shelf
from tools.acting import Decision, Request
from tools.breaker import BreakerPolicy
from tools.desk import ActionDesk, DeskParts
from tools.executor import Executor, ExecutorParts
from tools.journal import Action, Claim, Journal, OutboxRow, State
from tools.retrying import Backoff, Patience
from tools.types import Actor, Arguments, EffectClass, Principal, ToolCall
from tools.worker import Worker, WorkerParts, WorkerPolicy

_P = ParamSpec("_P")
Planned = Callable[[int], ToolCall]
WHO = Principal("t", "ana", "acme")
POLICY = WorkerPolicy(
    at_once=32,  # more than the clerk lets wait: what is interrupted never waits for what is new
    idle_s=0.05,
    surface_s=1.5,
    adopt_s=0.3,
    tell_s=0.1,
    expire_s=0.5,
)
PEOPLE = 8
"""Each has a few cards open at a time."""
BACKLOG = 24
"""Actions that wait or run; the clerk pauses above it."""
EFFECTS = (
    EffectClass.KEYED,
    EffectClass.NATURAL,
    EffectClass.READ_BACK,
    EffectClass.ONCE,
    EffectClass.ONCE,  # what cannot be sent again is asked for more often
)
PATIENCE = Patience(
    tries=2,
    quick=Backoff(0.01, 0.1),
    scheduled=Backoff(0.1, 0.5),
    held_s=0.2,
    quiet_s=0.6,
    lease_s=1.5,
)


@dataclass(frozen=True, slots=True)
class Config:
    """`log` is where every process appends what it did, for the driver to read."""

    role: Literal["clerk", "worker"]
    number: int
    journal: str
    target: str  # `counting PORT`, or `harbor URL TOKEN`
    folder: str
    kill_at: str = ""
    first_key: int = 0
    seed: int = 0
    lease_s: float = PATIENCE.lease_s

    @property
    def log(self) -> Path:
        return Path(self.folder) / "log.jsonl"


class Log:
    """Lines that survive their writer. Times are of the machine's monotonic clock."""

    def __init__(self, config: Config) -> None:
        self._number = config.number
        self._file = os.open(config.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, event: str, **fields: object) -> None:
        line = {"at": time.monotonic(), "process": self._number, "event": event, **fields}
        os.write(self._file, json.dumps(line).encode() + b"\n")

    def noting(
        self, event: str, call: Callable[_P, Awaitable[Action | Claim | None]]
    ) -> Callable[_P, Awaitable[Action | Claim | None]]:
        """The call, its result noted."""

        async def noted(*args: _P.args, **kwargs: _P.kwargs) -> Action | Claim | None:
            result = await call(*args, **kwargs)
            action = result.action if isinstance(result, Claim) else result
            if action is not None:
                self.write(event, action=action.id, state=action.state.value)
            return result

        return noted


def run(config: Config) -> None:
    failpoints = Failpoints(config.kill_at or os.environ.get("EMBARK_KILL_AT", ""))
    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=quiet)
    asyncio.run(_run(config, failpoints, Log(config)))


async def _run(config: Config, failpoints: Failpoints, log: Log) -> None:
    failpoints.at("start")
    journal = open_journal(config.journal, Path(config.folder), failpoints)
    shelf, planned = await _tools(config, failpoints)
    calls = CLERK_CALLS if config.role == "clerk" else WORKER_CALLS
    for thing in (journal, *shelf.tools()):
        failpoints.around(thing, calls)
    executor = Executor(
        ExecutorParts(
            journal=journal,
            catalogue=shelf,
            policy_version="p1",
            now=lambda: datetime.now(UTC),
            rng=Random(config.seed),
            patience=replace(PATIENCE, lease_s=config.lease_s),
            breaker=BreakerPolicy(failures=50, open_s=0.2),
        )
    )
    if config.role == "clerk":
        desk = ActionDesk(DeskParts(journal, shelf, executor, "p1", "clerk"))
        await _Clerk(desk, journal, log, planned).work(config.first_key)
    else:
        await _serve(config, journal, executor, log)


async def _tools(config: Config, failpoints: Failpoints) -> tuple[Shelf, Planned]:
    """The tools of the target, and the call that goes with a number."""
    kind, *where = config.target.split(" ")
    if kind == "counting":
        client = Client(int(where[0]), failpoints)
        shelf = Shelf(*(CountedTool(effect, client) for effect in EffectClass))
        return shelf, lambda number: _call(shelf, number, {"name": f"n{number}"})
    shelf = Shelf(*(await harbor.open_tools(where[0], where[1], Path(where[2]))).tools)
    return shelf, lambda number: _call(
        shelf, number, harbor.arguments_of(EFFECTS[number % len(EFFECTS)], number)
    )


def _call(shelf: Shelf, number: int, arguments: Arguments) -> ToolCall:
    name = f"do_{EFFECTS[number % len(EFFECTS)].value.lower()}"
    version = next(tool.version for tool in shelf.manifests() if tool.name == name)
    return ToolCall(name, version, arguments)


class _Clerk:
    """Asks for one thing after the other, each under its own key, and approves it. It may ask
    again for what it had asked for when it died."""

    def __init__(self, desk: ActionDesk, journal: Journal, log: Log, planned: Planned) -> None:
        self._planned = planned
        self._desk = desk
        self._journal = journal
        self._log = log

    async def work(self, number: int) -> None:
        while True:
            if number % 4 == 0:
                await self._backlog()
            await self._ask(number)
            number += 1

    async def _backlog(self) -> None:
        open_states = (State.APPROVED, State.STARTED)
        while True:
            waiting = await self._journal.actions("t", states=open_states, limit=BACKLOG)
            if len(waiting) < BACKLOG:
                return
            await asyncio.sleep(0.02)

    async def _ask(self, number: int) -> None:
        rights = frozenset({"all"})
        person = Actor(_somebody(number), rights, auth_time=await self._journal.now())
        call = self._planned(number)
        action = await self._desk.prepare(Request(call, person, key=f"key-{number}"))
        if action.state is State.PENDING:
            word = Decision(action.id, action.digest, "approve", person)
            action = await self._desk.decide("t", word)
        self._log.write("accepted", key=f"key-{number}", action=action.id, state=action.state.value)


def _somebody(number: int) -> Principal:
    return WHO._replace(subject=f"person-{number % PEOPLE}")


async def _serve(config: Config, journal: Journal, executor: Executor, log: Log) -> None:
    slots = open_slots(config.journal, Path(config.folder))
    slot = slots.take()
    log.write("serving", slot=slot)
    for name, event in (("claim", "claimed"), ("settle", "settled"), ("postpone", "postponed")):
        setattr(journal, name, log.noting(event, getattr(journal, name)))

    async def tell(row: OutboxRow) -> None:
        log.write("told", action=row.action_id, kind=row.kind)

    worker = Worker(
        WorkerParts(
            journal=journal,
            executor=executor,
            slot=slot,
            rng=Random(config.seed),
            slots=slots,
            tell=tell,
            policy=POLICY,
        )
    )
    await worker.serve(asyncio.Event())


if __name__ == "__main__":
    run(Config(**json.loads(Path(sys.argv[1]).read_text())))
