"""What every store of legal holds does, and a thing that ages, for sweepers to sweep."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from guardrails.retention import Hold, HoldStore

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOLD = Hold("t", "ana", NOON, "sam", "case-7")


class HoldsContract:
    """Inherited by the test module of each implementation, which provides `holds`."""

    @pytest.fixture
    def holds(self) -> HoldStore:
        raise NotImplementedError

    async def test_a_hold_stands_until_it_is_released(self, holds: HoldStore) -> None:
        assert await holds.all("t") == ()
        assert await holds.place(HOLD) == HOLD
        assert await holds.holds("t", "ana")
        assert await holds.all("t") == (HOLD,)
        assert await holds.release("t", "ana")
        assert not await holds.holds("t", "ana")
        assert not await holds.release("t", "ana")

    async def test_placing_it_again_changes_nothing(self, holds: HoldStore) -> None:
        await holds.place(HOLD)
        again = replace(HOLD, since=NOON + DAY, reason="case-8")
        assert await holds.place(again) == HOLD
        assert await holds.all("t") == (HOLD,)

    async def test_people_and_tenants_are_apart(self, holds: HoldStore) -> None:
        later = replace(HOLD, subject="bo", since=NOON + DAY)
        for hold in (later, HOLD, replace(HOLD, tenant="t2", subject="eve")):
            await holds.place(hold)
        assert await holds.all("t") == (HOLD, later)
        assert not await holds.holds("t2", "ana")
        assert not await holds.release("t2", "ana")


@dataclass
class Pile:
    """Items by age: whose, and since when."""

    name: str = "pile"
    items: list[tuple[str, datetime]] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = 500
    ) -> int:
        doomed = [item for item in self.items if item[1] < before and item[0] not in keep][:limit]
        self.items = [item for item in self.items if item not in doomed]
        self.blocks.append(len(doomed))
        return len(doomed)

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        return sum(since < before and who not in keep for who, since in self.items)
