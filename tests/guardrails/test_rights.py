"""Erasures of one process: what goes is counted, also while the ledger is visited; a hold comes
first."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from typing_extensions import override

from guardrails.retention import MemoryHolds, UnderHoldError
from guardrails.rights import Remembered, Rights, RightsParts
from tests.contracts.retention import HOLD
from tests.tools.acting.floor import Clock
from tools.erasing import Keys
from tools.erasures import SqlErasures, prepare
from tools.receipts.keys import KeyRing
from tools.receipts.sealing import JwsSealer
from tools.store.engine import open_engine
from tools.tables import metadata
from tools.vault_sql import SqlVault


class SlowKeys(Keys):
    """Says when it is asked to destroy a key, and waits until it may."""

    asked: asyncio.Event
    may: asyncio.Event

    @override
    async def erase(self, tenant: str, subject: str) -> int:
        self.asked.set()
        await self.may.wait()
        return await super().erase(tenant, subject)


class House:
    """One place in memory with an item of each person, over a real ledger."""

    def __init__(self, folder: Path) -> None:
        clock = Clock()
        self.engine = open_engine("sqlite://")
        metadata.create_all(self.engine)
        prepare(self.engine)
        vault = SqlVault(self.engine, bytes(32))
        self.keys = SlowKeys(self.engine, vault)
        self.keys.asked, self.keys.may = asyncio.Event(), asyncio.Event()
        self.keys.may.set()
        self.items = {"ana": 1, "bo": 1}
        self.holds = MemoryHolds()
        ring = KeyRing.open(folder / "keys", clock())
        ledger = SqlErasures(self.engine, vault, JwsSealer(ring, clock), clock)
        memory = (Remembered("memory", self._forget, self._count),)
        held = self.holds.holds
        self.rights = Rights(RightsParts(self.keys, (), ledger, clock, memory, held=held))

    async def _forget(self, _tenant: str, subject: str) -> int:
        return self.items.pop(subject, 0)

    async def _count(self, _tenant: str, subject: str) -> int:
        return self.items.get(subject, 0)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.engine.dispose()


async def test_a_visit_takes_nothing_from_an_erasure_under_way(house: House) -> None:
    """It stands in the ledger as unfinished, and nothing was counted yet."""
    house.keys.may.clear()
    erasing = asyncio.create_task(house.rights.erase("t", "ana", "sam"))
    await house.keys.asked.wait()
    visiting = asyncio.create_task(house.rights.visit("t"))
    await asyncio.sleep(0.05)
    house.keys.may.set()
    erasure = await erasing
    await visiting
    assert erasure.counts["memory"] == 1
    assert house.items == {"bo": 1}


async def test_who_is_held_is_not_begun(house: House) -> None:
    """Nor is anybody who was to be erased together with them."""
    await house.holds.place(HOLD)
    for subjects in (("ana",), ("bo", "ana")):
        with pytest.raises(UnderHoldError):
            await house.rights.erase_all("t", subjects, "sam")
    assert await house.rights.erasures("t") == ()
    assert house.items == {"ana": 1, "bo": 1}
    await house.holds.release("t", "ana")
    assert len(await house.rights.erase_all("t", ("bo", "ana"), "sam")) == 2
    assert house.items == {}
