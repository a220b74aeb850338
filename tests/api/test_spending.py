"""What model calls cost in a day stays within the caps, whoever calls and whatever fails."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from api.guarding import PAUSE_S, Guard
from api.quotas import hashed
from api.quotas_sql import SqlPurse
from api.spending import Caps, Hold, MemoryPurse, Purse, Spending
from guardrails.tenancy import EVERYBODY, within
from tests.api.databases import DIALECTS, database
from tests.api.minting import NOW
from tests.tools.acting.floor import Clock

TENANT, DAY = "t", "2026-05-04"
PATIENT_S = 30.0
CAPS = Caps(tenant=10_000, user=4_000, anonymous=1_000)


class Timer:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=DIALECTS)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with database(request.param, tmp_path) as engine:
        yield engine


@pytest.fixture(params=("memory", *DIALECTS))
def purse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Purse]:
    if request.param == "memory":
        yield MemoryPurse()
        return
    with database(request.param, tmp_path) as engine:
        yield SqlPurse(engine)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def spending(purse: Purse, clock: Clock) -> Spending:
    return over(purse, clock)


def over(purse: Purse, clock: Clock, timer: Timer | None = None) -> Spending:
    return Spending(CAPS, purse, clock, Guard("spending", timer or Timer(), PATIENT_S))


def user(subject: str) -> str:
    return f"user:{hashed(subject)}"


async def test_what_is_held_is_spent_until_it_is_settled(spending: Spending, purse: Purse) -> None:
    hold = await spending.hold(TENANT, "ana", 3000)
    assert hold is not None
    assert await spending.hold(TENANT, "ana", 1001) is None
    await spending.settle(hold, 500)
    assert await purse.spent(TENANT, DAY, user("ana")) == 500
    assert await purse.spent(TENANT, DAY, "tenant") == 500
    assert await spending.hold(TENANT, "ana", 3500) is not None
    assert await spending.hold(TENANT, "ana", 1) is None


async def test_the_tenants_cap_binds_whoever_spends(spending: Spending, purse: Purse) -> None:
    for subject in ("a", "b"):
        assert await spending.hold(TENANT, subject, 4000) is not None
    assert await spending.hold(TENANT, "c", 2001) is None
    assert await purse.spent(TENANT, DAY, user("c")) == 0, "nothing is held where not all is"
    assert await spending.hold(TENANT, "c", 2000) is not None
    assert await spending.hold("other", "c", 4000) is not None


async def test_the_nameless_spend_from_a_cap_of_their_own(spending: Spending) -> None:
    assert await spending.hold(TENANT, None, 1001) is None
    assert await spending.hold(TENANT, None, 1000) is not None
    assert await spending.hold(TENANT, None, 1) is None
    assert await spending.hold(TENANT, "ana", 4000) is not None


async def test_every_day_begins_anew_and_is_a_day_of_utc(
    spending: Spending, purse: Purse, clock: Clock
) -> None:
    assert await spending.hold(TENANT, "ana", 4000) is not None
    clock.at = NOW.replace(hour=23, minute=59, second=59)
    assert await spending.hold(TENANT, "ana", 1) is None
    clock.pass_s(1)
    late = await spending.hold(TENANT, "ana", 4000)
    assert late is not None
    assert late.day == "2026-05-05"
    clock.at += timedelta(days=1)
    assert await spending.hold(TENANT, "ana", 1) is not None
    await spending.settle(late, 0)
    assert await purse.spent(TENANT, "2026-05-06", user("ana")) == 1


async def test_calls_at_the_same_time_do_not_overspend_together(purse: Purse, clock: Clock) -> None:
    """64 at once at eight servers; each may cost 1,000, ten are paid for."""
    servers = [over(purse, clock) for _ in range(8)]
    tries = [servers[n % 8].hold(TENANT, f"u{n % 16}", 1000) for n in range(64)]
    assert sum(hold is not None for hold in await asyncio.gather(*tries)) == 10
    assert await purse.spent(TENANT, DAY, "tenant") == 10_000


async def test_over_a_day_of_calls_the_budget_is_used_up_and_not_overdrawn(
    spending: Spending, purse: Purse
) -> None:
    rng = random.Random(secrets.randbelow(2**32))
    open_holds: list[tuple[Hold, int]] = []
    really = 0
    for number in range(200):
        most = rng.randint(40, 800)
        hold = await spending.hold(TENANT, f"u{number % 40}", most)
        if hold is not None:
            open_holds.append((hold, rng.randint(1, most)))
        if open_holds and (hold is None or rng.random() < 0.7):
            settled, cost = open_holds.pop(rng.randrange(len(open_holds)))
            await spending.settle(settled, cost)
            really += cost
    for settled, cost in open_holds:
        await spending.settle(settled, cost)
        really += cost
    assert 8_500 <= really <= 10_000
    assert await purse.spent(TENANT, DAY, "tenant") == really


async def test_without_its_store_a_hundredth_is_left(engine: Engine, clock: Clock) -> None:
    """All that is spent stays within 101 % of the budget."""
    timer = Timer()
    spending = over(SqlPurse(engine), clock, timer)
    held = [await spending.hold(TENANT, s, n) for s, n in (("a", 4000), ("b", 4000), ("c", 2000))]
    with within(EVERYBODY), engine.begin() as connection:
        connection.execute(text("ALTER TABLE spent_today RENAME TO away"))
    small = [await spending.hold(TENANT, f"s{n % 3}", 10) for n in range(100)]
    assert sum(hold.cost for hold in small if hold is not None) == 100
    last = held[-1]
    assert last is not None
    await spending.settle(last, 0)
    with within(EVERYBODY), engine.begin() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO spent_today"))
    timer.now += PAUSE_S
    assert await spending.hold(TENANT, "c", 1) is None, "what could not be settled stays spent"
