"""Buckets under a virtual clock, over memory and SQL, and with their store away."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import pytest
from sqlalchemy import Engine, text

from api.guarding import PAUSE_S, TIMEOUT_S, Guard
from api.quotas import (
    JUMP_S,
    Buckets,
    GuardedBuckets,
    MemoryBuckets,
    Need,
    QuotaError,
    Quotas,
    Rate,
    Rates,
)
from api.quotas_sql import SqlBuckets
from guardrails.tenancy import EVERYBODY, within
from tests.api.acting import PEOPLE, identify
from tests.api.databases import DIALECTS, database

TENANT = "t"
PATIENT_S = 30.0  # where it is not the store's silence that is tested
START = 1_777_896_000.0
SLOW = Rate(per_s=2.0, burst=10)
RATES = Rates(
    tenant=Rate(500.0, 1000), user=Rate(5.0, 20), address=Rate(50.0, 100), anonymous=Rate(10.0, 40)
)


class Time:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(params=DIALECTS)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with database(request.param, tmp_path) as engine:
        yield engine


@pytest.fixture(params=("memory", *DIALECTS))
def buckets(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Buckets]:
    if request.param == "memory":
        yield MemoryBuckets()
        return
    with database(request.param, tmp_path) as engine:
        yield SqlBuckets(engine)


async def taken(buckets: Buckets, tries: int, now: float, *needs: Need) -> int:
    waits = [await buckets.take(TENANT, needs or [Need("b", SLOW)], now) for _ in range(tries)]
    return waits.count(0.0)


async def test_a_burst_and_then_the_rate(buckets: Buckets) -> None:
    assert await taken(buckets, 15, START) == 10
    assert await buckets.take(TENANT, [Need("b", SLOW)], START) == pytest.approx(0.5, abs=1e-4)
    assert await taken(buckets, 5, START + 0.49) == 0
    assert await taken(buckets, 5, START + 1.501) == 3
    assert await taken(buckets, 15, START + 1000) == 10


async def test_what_it_says_to_wait_is_enough_and_not_too_much(buckets: Buckets) -> None:
    now = START
    for _ in range(10 + 15):
        wait = await buckets.take(TENANT, [Need("b", SLOW)], now)
        if wait:
            assert await buckets.take(TENANT, [Need("b", SLOW)], now + wait - 0.001) > 0
            now += wait + 1e-4
            assert await buckets.take(TENANT, [Need("b", SLOW)], now) == 0
    assert now - START == pytest.approx(15 * 0.5, abs=0.1)


async def test_over_any_time_no_more_than_burst_and_rate(buckets: Buckets) -> None:
    rng, now, given = random.Random(secrets.randbelow(2**32)), START, 0
    for _ in range(300):
        now += rng.expovariate(10.0)
        given += await buckets.take(TENANT, [Need("b", SLOW)], now) == 0
        assert given <= SLOW.burst + (now - START) * SLOW.per_s + 1
    assert given >= (now - START) * SLOW.per_s * 0.8


async def test_all_are_taken_from_or_none(buckets: Buckets) -> None:
    narrow, wide = Need("narrow", Rate(1.0, 2)), Need("wide", Rate(1.0, 10))
    assert await taken(buckets, 50, START, narrow, wide) == 2
    assert await taken(buckets, 50, START, wide) == 8
    assert await taken(buckets, 5, START, Need("fresh", SLOW), wide) == 0
    assert await taken(buckets, 20, START, Need("fresh", SLOW)) == 10


async def test_tenants_do_not_share(buckets: Buckets) -> None:
    assert await taken(buckets, 20, START) == 10
    assert await buckets.take("other", [Need("b", SLOW)], START) == 0


async def test_a_clock_that_was_set_back_locks_nobody_out(buckets: Buckets) -> None:
    await taken(buckets, 20, START)
    back = START - 3600
    assert await taken(buckets, 5, back) == 1
    assert await taken(buckets, 5, back + 5) >= 5
    near = START - JUMP_S / 2  # as far as servers' clocks may be apart: no more than was allowed
    await taken(buckets, 20, START)
    assert await taken(buckets, 20, near) == 0


async def test_requests_at_the_same_time_get_no_more(buckets: Buckets) -> None:
    """Of 64 at once over one bucket exactly the burst goes through."""
    tries = [buckets.take(TENANT, [Need("b", SLOW), Need("c", SLOW)], START) for _ in range(64)]
    assert (await asyncio.gather(*tries)).count(0.0) == 10


async def test_memory_does_not_grow_with_strangers() -> None:
    buckets = MemoryBuckets(most=1000)
    for number in range(5000):
        await buckets.take(TENANT, [Need(f"address:{number}", SLOW)], START + number / 1000)
    assert len(buckets) <= 1000
    await taken(buckets, 10, START + 5)
    for number in range(5000):
        await buckets.take(TENANT, [Need(f"more:{number}", SLOW)], START + 5)
    assert await taken(buckets, 1, START + 5) == 0, "the emptiest stay known"


async def test_full_buckets_leave_the_database(engine: Engine) -> None:
    buckets = SqlBuckets(engine, sweep_every=3)
    many = [Need(f"address:{number}", SLOW) for number in range(300)]
    await buckets.take(TENANT, many, START)
    for _ in range(2):
        await buckets.take(TENANT, [Need("one", Rate(1e6, 1e6))], START + 60)
    with within(TENANT), engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM quota_bucket")).scalar_one() == 1


# --- quotas -------------------------------------------------------------------------------------


async def status(quotas: Quotas, address: str = "192.0.2.1", token: str = "") -> int:
    """Of one request, as the door and the identity see it."""
    try:
        await quotas.admit(address, named=bool(token))
        if token and await quotas.metered(identify)(token) is None:
            return 401
    except QuotaError as error:
        assert int(error.problem.headers["retry-after"]) >= 1
        return error.problem.status
    return 200


async def statuses(quotas: Quotas, count: int, address: str = "", token: str = "") -> Counter[int]:
    """From an address each unless one is named."""
    return Counter(
        [await status(quotas, address or f"198.51.100.{n % 250}", token) for n in range(count)]
    )


async def test_the_nameless_have_a_quota_of_their_own(time: Time) -> None:
    quotas = Quotas(TENANT, RATES, MemoryBuckets(), time)
    assert await statuses(quotas, 200) == {200: 40, 429: 160}
    assert await statuses(quotas, 10, token="ana") == {200: 10}


async def test_a_person_has_a_quota_at_whatever_address(time: Time) -> None:
    quotas = Quotas(TENANT, RATES, MemoryBuckets(), time)
    assert await statuses(quotas, 100, token="ana") == {200: 20, 429: 80}
    assert await statuses(quotas, 10, token="bo") == {200: 10}
    time.now += 2.0
    assert (await statuses(quotas, 100, token="ana"))[200] == 10


async def test_an_address_has_a_quota_whoever_calls_from_it(time: Time) -> None:
    quotas = Quotas(TENANT, RATES, MemoryBuckets(), time)
    assert await statuses(quotas, 150, "203.0.113.9", "no-such") == {401: 100, 429: 50}
    assert await status(quotas, "203.0.113.9", "ana") == 429
    assert await status(quotas, "203.0.113.10", "ana") == 200


async def test_an_ipv6_household_is_one_address(time: Time) -> None:
    quotas = Quotas(TENANT, RATES, MemoryBuckets(), time)
    there = [await status(quotas, f"2001:db8:1:2::{n:x}", "no-such") for n in range(150)]
    assert Counter(there) == {401: 100, 429: 50}
    assert await status(quotas, "2001:db8:1:3::1", "no-such") == 401
    assert await status(quotas, "::ffff:192.0.2.7", "no-such") == 401
    mapped = [await status(quotas, "192.0.2.7", "no-such") for _ in range(150)]
    assert Counter(mapped) == {401: 99, 429: 51}


async def test_who_is_refused_takes_nothing_from_the_tenant(time: Time) -> None:
    """One person floods from many addresses; the others of the tenant have what is left."""
    quotas = Quotas(TENANT, replace(RATES, tenant=Rate(1.0, 30)), MemoryBuckets(), time)
    assert (await statuses(quotas, 1000, token="ana"))[200] == 20
    assert await statuses(quotas, 10, token="bo") == {200: 10}
    assert await statuses(quotas, 5, token="bo") == {429: 5}


async def test_somebody_of_another_tenant_takes_nothing_here(time: Time) -> None:
    buckets = MemoryBuckets()
    assert await Quotas(TENANT, RATES, buckets, time).metered(identify)("alien") == PEOPLE["alien"]
    assert len(buckets) == 0


async def test_a_tenant_that_floods_is_held_to_its_rate_and_the_others_feel_nothing(
    time: Time,
) -> None:
    """10,000 requests a second for three seconds; beside it twenty tenants with one a second."""
    buckets = MemoryBuckets()
    flooded = Quotas("flooded", RATES, buckets, time)
    calm = [Quotas(f"calm-{n}", RATES, buckets, time) for n in range(20)]
    let_in, refused = 0, 0
    for tick in range(30_000):
        time.now = START + tick / 10_000
        let_in += await status(flooded, f"10.{tick % 200}.{tick % 199}.7") == 200
        if tick % 500 == 0:
            refused += await status(calm[tick // 500 % 20], "192.0.2.1") != 200
    assert refused == 0
    assert let_in == pytest.approx(RATES.anonymous.burst + 3 * RATES.anonymous.per_s, abs=1)


# --- the store away ------------------------------------------------------------------------------


async def test_without_its_store_a_small_bucket_takes_over(engine: Engine, time: Time) -> None:
    guarded = GuardedBuckets(SqlBuckets(engine), Guard("quotas", time, PATIENT_S))
    assert await taken(guarded, 5, START) == 5
    with within(EVERYBODY), engine.begin() as connection:
        connection.execute(text("ALTER TABLE quota_bucket RENAME TO away"))
    assert await taken(guarded, 50, START) == 2, "a quarter of ten"
    with within(EVERYBODY), engine.begin() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO quota_bucket"))
    assert await taken(guarded, 50, START) == 0, "it is left alone for a while"
    time.now += PAUSE_S
    assert await taken(guarded, 50, START) == 5, "and then knows what was taken before"


async def test_a_store_that_hangs_is_not_waited_for(engine: Engine, time: Time) -> None:
    store = SqlBuckets(engine)
    await store.take(TENANT, [Need("b", SLOW)], START)
    guarded = GuardedBuckets(store, Guard("quotas", time))
    lock = "LOCK TABLE quota_bucket" if engine.dialect.name == "postgresql" else "SELECT 1"
    with within(EVERYBODY), engine.begin() as connection:  # SQLite: the one that may write
        connection.execute(text(lock))
        begun = perf_counter()
        assert await taken(guarded, 50, START) == 2
        assert perf_counter() - begun < 2 * TIMEOUT_S + 1.0
