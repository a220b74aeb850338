"""Runs of flows on a pool of Harbors: one at a time on each, none longer than its limit.

A run that does not end is a failure that says what it was waiting for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tests.e2e.floor import Floor, open_floor
from tests.e2e.flow_cases import Case, differences, live
from tests.harbor.running import Harbor
from tools.journal import Action, State

LIMIT_S = 45.0
"""A healthy run takes two seconds, one with a fault at most ten on a crowded machine."""
ONCE_PER_FLOW = {
    "create_connection", "create_upload", "create_scim_token", "create_day_one_dashboard",
}  # fmt: skip


class Run(NamedTuple):
    """A case, and the fault that its operation meets once: on the way there, or while undone."""

    name: str
    case: Case
    operation: str = ""
    fault: str = ""
    undoing: bool = False

    @property
    def title(self) -> str:
        way = "undo" if self.undoing else ""
        return " ".join(part for part in (self.name, way, self.operation, self.fault) if part)


class Verdict(NamedTuple):
    """What came of one run. `wrong` says what must not be; empty when all is as it should be."""

    name: str
    state: str
    wrong: tuple[str, ...]
    seconds: float = 0.0


@dataclass(slots=True)
class Stand:
    """One Harbor and whatever acts on it, opened anew after a run that hung."""

    harbor: Harbor
    folder: Path
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)
    floor: Floor | None = None
    opened: int = 0
    doing: str = ""

    async def ready(self) -> Floor:
        await asyncio.to_thread(self.harbor.reset)
        if self.floor is None:
            self.opened += 1
            folder = self.folder / str(self.opened)
            self.floor = await self.closing.enter_async_context(open_floor(self.harbor, folder))
        return self.floor

    async def close(self) -> None:
        self.floor = None
        await self.closing.aclose()


@asynccontextmanager
async def pool(harbors: Sequence[Harbor], folder: Path) -> AsyncIterator[asyncio.Queue[Stand]]:
    free: asyncio.Queue[Stand] = asyncio.Queue()
    stands = [Stand(harbor, folder / str(place)) for place, harbor in enumerate(harbors)]
    for stand in stands:
        free.put_nowait(stand)
    try:
        yield free
    finally:
        async with asyncio.timeout(LIMIT_S):
            for stand in stands:
                await stand.close()


async def over(harbors: Sequence[Harbor], runs: Sequence[Run], folder: Path) -> list[Verdict]:
    """All runs, as many at a time as there are Harbors."""
    async with pool(harbors, folder) as free:

        async def one(run: Run) -> Verdict:
            stand = await free.get()
            try:
                return await _limited(stand, run)
            finally:
                free.put_nowait(stand)

        return list(await asyncio.gather(*map(one, runs)))


async def _limited(stand: Stand, run: Run) -> Verdict:
    begun = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(LIMIT_S):
            verdict = await _run(stand, run)
    except TimeoutError:
        stand.floor = None
        return Verdict(run.title, "hung", (f"not over after {LIMIT_S:g} s: {stand.doing}",))
    return verdict._replace(seconds=asyncio.get_running_loop().time() - begun)


async def _run(stand: Stand, run: Run) -> Verdict:
    stand.doing = "getting ready"
    floor, harbor, case = await stand.ready(), stand.harbor, run.case
    more = await case.prepare(harbor) if case.prepare else {}
    before = live(harbor.state())
    stand.doing = "asking"
    approved = await floor.approve(await floor.ask(case.flow, {**case.arguments, **more}))
    if not run.undoing:
        _switch(harbor, run)
    stand.doing = f"performing {approved.id}"
    done = await floor.settled(approved)
    harbor.no_faults()
    wrong = await _wrong(floor, done, before)
    stand.doing = f"undoing {done.id}"
    wrong += await _undone(floor, run, done, before)
    return Verdict(run.title, done.state.value, tuple(wrong))


def _switch(harbor: Harbor, run: Run) -> None:
    if run.fault:
        harbor.fault(run.operation, run.fault, retry_after=0.1, delay_ms=300)


async def _wrong(floor: Floor, done: Action, before: dict[str, Any]) -> list[str]:
    wrong = []
    if done.state not in {State.SUCCEEDED, State.FAILED}:
        wrong.append(f"ended {done.state.value}: {done.reason} {done.detail}")
    if done.state is State.FAILED and live(floor.harbor.state()) != before:
        left = differences(before, live(floor.harbor.state()))
        wrong.append(f"failed ({done.reason}) and left {left}")
    if not await floor.hands.journal.receipt_of(done.who.tenant, done.id):
        wrong.append("no receipt")
    return wrong + doubled(floor.harbor)


def doubled(harbor: Harbor) -> list[str]:
    """Effects that Harbor counted more than once."""
    found = []
    for operation, counts in harbor.effects().items():
        if operation in ONCE_PER_FLOW and len(counts) > 1:
            found.append(f"{operation} happened {len(counts)} times")
        if operation != "start_import":
            found += [f"{operation} {key}: {n} times" for key, n in counts.items() if n > 1]
    return found


async def _undone(floor: Floor, run: Run, done: Action, before: dict[str, Any]) -> list[str]:
    if done.state is not State.SUCCEEDED or done.undo is None:
        return []
    card = await floor.undo_card(done)
    approved = await floor.approve(card)
    if run.undoing:
        _switch(floor.harbor, run)
    undone = await floor.settled(approved)
    floor.harbor.no_faults()
    left = differences(before, live(floor.harbor.state()))
    if run.undoing and run.fault == "403":
        return _told_what_is_left(undone, left)
    if undone.state is State.SUCCEEDED and not left:
        return []
    return [f"undo {undone.state.value} {undone.reason} {undone.detail} left {left}"]


def _told_what_is_left(undone: Action, left: list[str]) -> list[str]:
    """Who may not take a step back hears which one it is; nothing is silently half undone."""
    still = dict(undone.result).get("still_there")
    if undone.state is State.FAILED and still and left:
        return []
    return [f"undo without the right: {undone.state.value} {undone.reason}, told {still}, {left}"]
