"""Work that fails begins again, later each time, and says where it failed."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from guardrails.background import Pace, beside, lasting

QUICK = Pace(first_s=0.01, most_s=0.04, well_s=60.0)


class Worn:
    """Fails some times, then goes on for ever."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.begun: list[float] = []
        self.well = asyncio.Event()

    async def __call__(self) -> None:
        self.begun.append(asyncio.get_running_loop().time())
        if len(self.begun) <= self.failures:
            raise KeyError("jane@example.com")
        self.well.set()
        await asyncio.Event().wait()


async def test_what_failed_begins_again() -> None:
    worn = Worn(3)
    with capture_logs() as said:
        async with beside({"reader": worn}, QUICK):
            async with asyncio.timeout(5):
                await worn.well.wait()
    assert len(worn.begun) == 4
    told = [line for line in said if line["event"] == "background.failed"]
    assert [line["work"] for line in told] == ["reader"] * 3
    assert isinstance(told[0]["exc_info"], KeyError)


async def test_it_waits_longer_each_time_up_to_a_bound() -> None:
    worn = Worn(5)
    async with beside({"reader": worn}, QUICK):
        async with asyncio.timeout(5):
            await worn.well.wait()
    gaps = [after - before for before, after in zip(worn.begun, worn.begun[1:], strict=False)]
    least = [0.01, 0.02, 0.04, 0.04, 0.04]
    assert all(gap >= wanted for gap, wanted in zip(gaps, least, strict=True)), gaps


async def test_one_that_fails_does_not_stop_the_others() -> None:
    broken, sound = Worn(1_000), Worn(0)
    async with beside({"broken": broken, "sound": sound}, QUICK):
        await asyncio.sleep(0.2)
    assert len(broken.begun) > 2
    assert len(sound.begun) == 1


async def test_after_the_block_nothing_runs() -> None:
    worn = Worn(1_000)
    async with beside({"reader": worn}, QUICK):
        await asyncio.sleep(0.03)
    begun = len(worn.begun)
    await asyncio.sleep(0.1)
    assert begun > 0
    assert len(worn.begun) == begun


@pytest.mark.parametrize("failures", [1, 1_000])
async def test_a_stop_ends_the_waiting(failures: int) -> None:
    stop, slow = asyncio.Event(), Pace(first_s=60.0)
    worn = Worn(failures)
    task = asyncio.create_task(lasting("worker", worn, slow, stop))
    await asyncio.sleep(0.02)
    stop.set()
    async with asyncio.timeout(1):
        await task
    assert len(worn.begun) == 1


async def test_what_returns_is_done() -> None:
    begun = []

    async def once() -> None:
        begun.append(1)

    await lasting("once", once, QUICK)
    assert begun == [1]
