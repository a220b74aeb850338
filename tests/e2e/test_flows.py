"""Every flow on a running Harbor over HTTP: done, undone, and with every fault on every step.

Harbor counts the effects; what people see of its state is compared before and after.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.floor import Floor, open_floor
from tests.e2e.flow_cases import CASES, FAULTS, Case, differences, live
from tests.harbor.running import Harbor, running_harbor
from tools.journal import Action, State

HARBORS = 4
ONCE_PER_FLOW = {
    "create_connection", "create_upload", "create_scim_token", "create_day_one_dashboard",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one run. `wrong` says what must not be; empty when all is as it should be."""

    name: str
    state: str
    wrong: tuple[str, ...]


@pytest.fixture(scope="module")
def harbors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Harbor]]:
    with ExitStack() as running:
        folders = [tmp_path_factory.mktemp(f"harbor{n}") for n in range(HARBORS)]
        yield [running.enter_context(running_harbor(folder)) for folder in folders]


async def _over(
    harbors: list[Harbor], runs: list[tuple[str, Case, str, str]], folder: Path
) -> list[Verdict]:
    """All runs, as many at a time as there are Harbors."""
    free: asyncio.Queue[Harbor] = asyncio.Queue()
    for harbor in harbors:
        free.put_nowait(harbor)

    async def one(place: int, name: str, case: Case, operation: str, fault: str) -> Verdict:
        harbor = await free.get()
        try:
            return await _run(harbor, folder / str(place), name, case, (operation, fault))
        finally:
            free.put_nowait(harbor)

    return await asyncio.gather(*(one(n, *run) for n, run in enumerate(runs)))


async def _run(
    harbor: Harbor, folder: Path, name: str, case: Case, fault: tuple[str, str]
) -> Verdict:
    operation, kind = fault
    await asyncio.to_thread(harbor.reset)
    more = await case.prepare(harbor) if case.prepare else {}
    before = live(harbor.state())
    async with open_floor(harbor, folder) as floor:
        card = await floor.ask(case.flow, {**case.arguments, **more})
        approved = await floor.approve(card)
        if kind:
            harbor.fault(operation, kind, retry_after=0.1, delay_ms=300)
        done = await floor.settled(approved)
        harbor.no_faults()
        wrong = await _wrong(floor, case, done, before)
        wrong += await _undone(floor, done, before)
    return Verdict(f"{name} {operation} {kind}".strip(), done.state.value, tuple(wrong))


async def _wrong(floor: Floor, case: Case, done: Action, before: dict[str, Any]) -> list[str]:
    wrong = []
    if done.state not in {State.SUCCEEDED, State.FAILED}:
        wrong.append(f"ended {done.state.value}: {done.reason} {done.detail}")
    if done.state is State.FAILED and live(floor.harbor.state()) != before:
        left = differences(before, live(floor.harbor.state()))
        wrong.append(f"failed ({done.reason}) and left {left}")
    if not await floor.hands.journal.receipt_of(done.who.tenant, done.id):
        wrong.append("no receipt")
    for operation, counts in floor.harbor.effects().items():
        if operation in ONCE_PER_FLOW and len(counts) > 1:
            wrong.append(f"{operation} happened {len(counts)} times")
        if operation != "start_import":
            wrong += [f"{operation} {key}: {n} times" for key, n in counts.items() if n > 1]
    return wrong


async def _undone(floor: Floor, done: Action, before: dict[str, Any]) -> list[str]:
    if done.state is not State.SUCCEEDED or done.undo is None:
        return []
    undone = await floor.undo(done)
    after = live(floor.harbor.state())
    if undone.state is State.SUCCEEDED and after == before:
        return []
    left = differences(before, after)
    return [f"undo {undone.state.value} {undone.reason} {undone.detail} left {left}"]


@pytest.mark.parametrize("name", CASES)
async def test_a_flow_is_done_and_undone(harbors: list[Harbor], tmp_path: Path, name: str) -> None:
    (verdict,) = await _over(harbors[:1], [(name, CASES[name], "", "")], tmp_path)

    assert verdict.state == "succeeded"
    assert verdict.wrong == ()


@pytest.mark.parametrize("name", CASES)
async def test_no_fault_on_any_step_loses_or_doubles_anything(
    harbors: list[Harbor], tmp_path: Path, name: str
) -> None:
    case = CASES[name]
    runs = [(name, case, operation, fault) for operation in case.operations for fault in FAULTS]
    verdicts = await _over(harbors, runs, tmp_path)

    assert [v for v in verdicts if v.wrong] == []
    assert len(verdicts) == len(case.operations) * len(FAULTS)
