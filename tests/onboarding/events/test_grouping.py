"""Appends share transactions: who waits for whom, and who fails for whom."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from guardrails.store import StoreUnavailableError
from onboarding.events import Addition, Appended
from onboarding.store.events.grouping import GroupCommit, Grouped
from tests.contracts.events import event

LONG_S = 30.0
PATIENCE_S = 5.0


@dataclass(slots=True)
class Desk:
    """Writes down what was put together; `bad` cannot be written."""

    written: list[list[str]] = field(default_factory=list)
    bad: str = ""

    async def write(self, tenant: str, additions: Sequence[Addition]) -> tuple[Appended, ...]:
        ids = [each.event.message_id for each in additions]
        if self.bad in ids:
            raise ValueError(self.bad)
        self.written.append(ids)
        await asyncio.sleep(0)
        return tuple(Appended(number) for number, _ in enumerate(ids, 1))


def additions(*ids: str) -> list[Addition]:
    return [Addition(event(id)) for id in ids]


async def test_who_comes_after_a_pause_waits_for_nobody() -> None:
    desk = Desk()
    commits = GroupCommit(desk.write, Grouped(linger_s=LONG_S))
    async with asyncio.timeout(PATIENCE_S):
        await commits.append("t", additions("m1"))
    assert desk.written == [["m1"]]


async def test_who_comes_soon_after_waits_until_there_are_enough() -> None:
    desk = Desk()
    commits = GroupCommit(desk.write, Grouped(linger_s=LONG_S, batch=3))
    async with asyncio.timeout(PATIENCE_S):
        await commits.append("t", additions("m1"))
        waiting = asyncio.create_task(commits.append("t", additions("m2")))
        await asyncio.sleep(0.01)
        assert desk.written == [["m1"]]
        done = await commits.append("t", additions("m3", "m4"))
        assert [each.number for each in (*await waiting, *done)] == [1, 2, 3]
    assert desk.written == [["m1"], ["m2", "m3", "m4"]]


async def test_nobody_waits_longer_than_the_pace() -> None:
    desk = Desk()
    commits = GroupCommit(desk.write, Grouped(linger_s=0.01))
    async with asyncio.timeout(PATIENCE_S):
        for id in ("m1", "m2", "m3"):
            await commits.append("t", additions(id))
    assert desk.written == [["m1"], ["m2"], ["m3"]]


async def test_nobody_fails_for_what_another_sent() -> None:
    desk = Desk(bad="m2")
    commits = GroupCommit(desk.write, Grouped(linger_s=0.0))
    one, other = await asyncio.gather(
        commits.append("t", additions("m1")),
        commits.append("t", additions("m2")),
        return_exceptions=True,
    )
    assert isinstance(other, ValueError)
    assert one == (Appended(1),)
    assert desk.written == [["m1"]]


async def test_too_many_are_told_to_come_again() -> None:
    commits = GroupCommit(Desk().write, Grouped(batch=2, capacity=1))
    with pytest.raises(StoreUnavailableError):
        await commits.append("t", additions("m1", "m2", "m3", "m4"))
