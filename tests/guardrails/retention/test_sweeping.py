"""The sweeper under a clock in hand: what is due goes in blocks, what is held stays."""

from __future__ import annotations

from datetime import datetime

import pytest
from typing_extensions import override

from guardrails.audit import What
from guardrails.audit.memory import MemoryAudit
from guardrails.retention import BLOCK, Hold, Kept, MemoryHolds, Sweeper
from guardrails.store import StoreUnavailableError
from tests.api.privacy import FailingAudit
from tests.contracts.audit import Clock
from tests.contracts.retention import DAY, HOLD, NOON, Pile


class Away(MemoryHolds):
    @override
    async def all(self, tenant: str) -> tuple[Hold, ...]:
        raise StoreUnavailableError("away")


def pile(*items: tuple[str, datetime]) -> Pile:
    return Pile(items=list(items))


def sweeper(
    kept: list[Kept], clock: Clock, audit: MemoryAudit, holds: MemoryHolds | None = None
) -> Sweeper:
    return Sweeper("t", kept, holds or MemoryHolds(), audit, clock)


async def run(sweeper: Sweeper) -> dict[str, int]:
    return await sweeper.run("operator", "embark retention run", "req-1")


async def test_what_is_older_than_its_period_goes() -> None:
    clock, audit = Clock(NOON), MemoryAudit(Clock(NOON))
    short, long = pile(("ana", NOON), ("bo", NOON + DAY)), pile(("ana", NOON))
    long.name = "long"
    made = sweeper([Kept(short, 2), Kept(long, 30)], clock, audit)
    clock.now = NOON + 2 * DAY
    assert await made.due() == await run(made) == {"pile": 0, "long": 0}  # to the day is not over
    assert await audit.page("t") == ()
    clock.now = NOON + 2.5 * DAY
    assert await made.due() == {"pile": 1, "long": 0}
    assert short.items == [("ana", NOON), ("bo", NOON + DAY)]  # a look changes nothing
    assert await run(made) == {"pile": 1, "long": 0}
    assert short.items == [("bo", NOON + DAY)]
    clock.now = NOON + 31 * DAY
    assert await run(made) == {"pile": 1, "long": 1}
    assert [entry.note.what for entry in await audit.page("t")] == [What.RETENTION] * 2


async def test_it_goes_block_by_block() -> None:
    clock, full = Clock(NOON + 9 * DAY), pile(*((f"p{n}", NOON) for n in range(BLOCK + 7)))
    made = sweeper([Kept(full, 1)], clock, MemoryAudit(clock))
    assert await run(made) == {"pile": BLOCK + 7}
    assert full.blocks == [BLOCK, 7, 0]


async def test_who_is_held_stays_and_goes_when_released() -> None:
    clock, holds = Clock(NOON + 9 * DAY), MemoryHolds()
    audit, some = MemoryAudit(clock), pile(("ana", NOON), ("bo", NOON))
    await holds.place(HOLD)
    made = sweeper([Kept(some, 1)], clock, audit, holds)
    assert await run(made) == {"pile": 1}
    assert some.items == [("ana", NOON)]
    assert await made.due() == {"pile": 0}
    await holds.release("t", "ana")
    assert await run(made) == {"pile": 1}


async def test_a_hold_counts_from_the_moment_it_is_placed() -> None:
    """Between two blocks of one run."""
    clock, holds = Clock(NOON + 9 * DAY), MemoryHolds()
    items = [*((f"p{n}", NOON) for n in range(BLOCK)), ("ana", NOON)]

    class Meanwhile(Pile):
        @override
        async def sweep(
            self, tenant: str, before: datetime, keep: frozenset[str], limit: int = 500
        ) -> int:
            gone = await super().sweep(tenant, before, keep, limit)
            await holds.place(HOLD)
            return gone

    some = Meanwhile(items=items)
    made = sweeper([Kept(some, 1)], clock, MemoryAudit(clock), holds)
    assert await run(made) == {"pile": BLOCK}
    assert some.items == [("ana", NOON)]


async def test_nothing_goes_where_holds_cannot_be_read() -> None:
    clock, some = Clock(NOON + 9 * DAY), pile(("ana", NOON))
    made = sweeper([Kept(some, 1)], clock, MemoryAudit(clock), Away())
    with pytest.raises(StoreUnavailableError):
        await run(made)
    assert some.items == [("ana", NOON)]


async def test_nothing_goes_that_is_not_written_down() -> None:
    clock, some = Clock(NOON + 9 * DAY), pile(("ana", NOON))
    audit = FailingAudit(clock)
    audit.away = True
    with pytest.raises(StoreUnavailableError):
        await run(sweeper([Kept(some, 1)], clock, audit))
    assert some.items == [("ana", NOON)]
