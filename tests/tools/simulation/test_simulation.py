"""Schedules of the simulator: row 15 of the safety reference, and what its figures rest on.

`EMBARK_TEST_SCHEDULES` and `EMBARK_TEST_SEED` set how many, and the first of them;
`make soak` runs a million by `python -m tests.tools.simulation`.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from random import Random

import pytest

from tests.tools.simulation.loop import EndlessError, new_loop
from tests.tools.simulation.mutants import MUTANTS, Mutant, hunted
from tests.tools.simulation.running import Summary, described, one, quiet, run
from tests.tools.simulation.schedule import Schedule, in_memory, in_sql
from tests.tools.simulation.telling import tell

SCHEDULES = int(os.environ.get("EMBARK_TEST_SCHEDULES", "20000"))
FIRST = int(os.environ.get("EMBARK_TEST_SEED", "0"))
JOBS = 2
HUNT = 1500


def _chunk(seeds: range) -> Summary:
    return run(seeds)


@pytest.mark.alone
def test_no_schedule_breaks_an_invariant(capsys: pytest.CaptureFixture[str]) -> None:
    size = max(SCHEDULES // (4 * JOBS), 1)
    last = FIRST + SCHEDULES
    chunks = [range(at, min(at + size, last)) for at in range(FIRST, last, size)]
    with ProcessPoolExecutor(JOBS, multiprocessing.get_context("spawn")) as pool:
        parts = list(pool.map(_chunk, chunks))
    with capsys.disabled():
        print(f"\nseeds {FIRST} to {last - 1}")  # noqa: T201  # every run prints its seeds
    failed = [outcome for part in parts for outcome in part.failed]
    assert not failed, "\n".join(described(outcome) for outcome in failed)
    assert sum(part.schedules for part in parts) == SCHEDULES
    assert sum(part.effects for part in parts) > SCHEDULES / 2  # else nothing was tried
    assert sum(part.kills for part in parts) > SCHEDULES / 4


@pytest.mark.parametrize("seed", [1725, 4841, 371, 513, 2411, 12, 36])
def test_a_seed_replays(seed: int) -> None:
    with quiet():
        first, again = (Schedule(seed, in_memory()).run() for _ in range(2))
    assert first == again
    assert first.wrongs == ()


def test_a_seed_replays_in_another_process() -> None:
    with quiet():
        here = Schedule(371, in_memory()).run().trace
    code = (
        "from tests.tools.simulation.schedule import Schedule, in_memory;"
        "print('trace', Schedule(371, in_memory()).run().trace)"
    )
    there = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert f"trace {here}" in there.stdout


@pytest.mark.parametrize("seed", [3, 371, 513, 1000])
def test_both_journals_live_through_the_same_schedule(seed: int) -> None:
    with quiet():
        memory = Schedule(seed, in_memory()).run()
        sql = Schedule(seed, in_sql()).run()
    assert memory == sql
    assert memory.actions > 0


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "_"))
def test_a_planted_bug_is_found(mutant: Mutant) -> None:
    assert hunted(mutant, range(HUNT)) is not None


def test_a_planted_bug_is_gone_afterwards() -> None:
    with MUTANTS[1].plant(), quiet():
        assert any(Schedule(seed, in_memory()).run().wrongs for seed in range(20))
    with quiet():
        assert not any(Schedule(seed, in_memory()).run().wrongs for seed in range(20))


def test_a_story_names_what_happened() -> None:
    story = tell(12)
    assert "effect" in story
    assert "action.started" in story


def test_one_seed_uses_one_journal() -> None:
    with quiet():
        assert one(5) == one(5)


# --- the loop ---------------------------------------------------------------------------------


def test_time_passes_only_when_nobody_can_go_on() -> None:
    loop = new_loop(Random(1))
    seen: list[tuple[str, float]] = []

    async def walk(name: str, pause: float) -> None:
        for _ in range(2):
            await asyncio.sleep(pause)
            seen.append((name, loop.time()))

    async def both() -> None:
        await asyncio.wait({loop.spawn("a", walk("a", 1.0)), loop.spawn("b", walk("b", 0.4))})

    loop.run_until(loop.spawn("main", both()))
    assert seen == [("b", 0.4), ("b", 0.8), ("a", 1.0), ("a", 2.0)]


def test_the_killed_do_nothing_any_more() -> None:
    loop = new_loop(Random(1))
    seen: list[str] = []

    async def victim() -> None:
        try:
            await asyncio.sleep(1.0)
            seen.append("went on")
        finally:
            seen.append("cleaned up")

    async def killer() -> None:
        loop.spawn("victim", victim())
        await asyncio.sleep(0.5)
        loop.kill("victim")
        await asyncio.sleep(10.0)
        seen.append("looked")

    loop.run_until(loop.spawn("main", killer()))
    assert seen == ["looked"]
    loop.close_all()


def test_a_stopped_actor_is_late() -> None:
    loop = new_loop(Random(1))

    async def work() -> float:
        await asyncio.sleep(1.0)
        return loop.time()

    async def main() -> float:
        task = loop.spawn("slow", work())
        await asyncio.sleep(0.5)
        loop.freeze("slow", 3.0)
        return await task

    done = loop.spawn("main", main())
    loop.run_until(done)
    assert done.result() == 3.5


def test_seeds_decide_who_goes_first() -> None:
    def order(seed: int) -> str:
        loop = new_loop(Random(seed))
        seen: list[str] = []

        async def step(name: str) -> None:
            await asyncio.sleep(0)
            seen.append(name)

        async def main() -> None:
            await asyncio.wait({loop.spawn(name, step(name)) for name in "abc"})

        loop.run_until(loop.spawn("main", main()))
        return "".join(seen)

    assert len({order(seed) for seed in range(50)}) == 6


def test_waiting_for_nobody_is_noticed() -> None:
    loop = new_loop(Random(1))

    async def forever() -> None:
        await loop.create_future()

    with pytest.raises(EndlessError, match="waits for somebody"):
        loop.run_until(loop.spawn("main", forever()))
    loop.close_all()
