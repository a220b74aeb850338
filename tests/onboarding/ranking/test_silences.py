"""Looks at silent people: each claimed once in an interval, so many a minute, by any number of
processes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onboarding.store.ranking.silences import (
    FORGOTTEN,
    LATER,
    SOON,
    MemorySilences,
    Pace,
    PersonalSilences,
    SilenceStore,
    SqlSilences,
)
from onboarding.store.ranking.sql import upgrade
from onboarding.store.ranking.tables import metadata
from onboarding.types import Person
from tests.guardrails.databases import guest, postgres, sqlite
from tests.onboarding.ranking.making import NOON

ANA, BO = Person("t", "ana", "acme"), Person("t", "bo")
MINUTE = timedelta(minutes=1)
FAST = Pace(at_once=10, a_minute=100)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SilenceStore]:
    if request.param == "memory":
        yield MemorySilences()
    elif request.param == "sqlite":
        with sqlite(tmp_path, upgrade) as engine:
            yield SqlSilences(engine)
    else:
        with postgres(upgrade) as owned, guest(owned, tuple(metadata.tables)) as engine:
            yield SqlSilences(engine)


async def users(store: SilenceStore, now: datetime, pace: Pace = FAST) -> list[str]:
    return [each.person.user for each in await store.claim("t", now, pace)]


async def test_whoever_is_silent_is_looked_at_by_the_hour_and_then_by_the_day(
    store: SilenceStore,
) -> None:
    await store.heard("t", {ANA: NOON})
    seen = []
    for hour in range(24 * 6):
        seen += [hour] * len(await users(store, NOON + timedelta(hours=hour)))
    assert seen == [*range(1, 25), 48, 72, 96, 120]


async def test_who_is_heard_of_is_not_silent(store: SilenceStore) -> None:
    await store.heard("t", {ANA: NOON, BO: NOON})
    await store.heard("t", {ANA: NOON + timedelta(minutes=50)})
    assert await users(store, NOON + SOON) == ["bo"]
    await store.heard("t", {ANA: NOON})  # came late
    assert await users(store, NOON + timedelta(minutes=110)) == ["ana"]


async def test_the_account_is_the_one_they_were_heard_of_in_last(store: SilenceStore) -> None:
    await store.heard("t", {ANA: NOON})
    await store.heard("t", {Person("t", "ana", "brix"): NOON + MINUTE})
    (found,) = await store.claim("t", NOON + 2 * SOON, FAST)
    assert found.person.account == "brix"


async def test_the_longest_due_come_first_and_so_many_a_minute(store: SilenceStore) -> None:
    people = {Person("t", f"u{n}"): NOON - n * MINUTE for n in range(9)}
    await store.heard("t", people)
    now, slow = NOON + SOON, Pace(at_once=4, a_minute=6)
    assert await users(store, now, slow) == ["u8", "u7", "u6", "u5"]
    assert await users(store, now, slow) == ["u4", "u3"]
    assert await users(store, now + MINUTE / 2, slow) == []
    assert await users(store, now + MINUTE, slow) == ["u2", "u1", "u0"]


async def test_after_ninety_days_nobody_looks_any_more(store: SilenceStore) -> None:
    await store.heard("t", {ANA: NOON})
    assert await users(store, NOON + FORGOTTEN) == ["ana"]
    assert await store.of("t", "ana") is None
    assert await users(store, NOON + 2 * FORGOTTEN) == []


async def test_processes_share_the_looks(store: SilenceStore) -> None:
    people = {Person("t", f"u{n:02}"): NOON for n in range(30)}
    await store.heard("t", people)
    claims = await asyncio.gather(
        *(store.claim("t", NOON + SOON, Pace(at_once=5, a_minute=20)) for _ in range(8))
    )
    found = [each.person.user for claim in claims for each in claim]
    assert sorted(found) == sorted(p.user for p in people)[:20]


async def test_an_erased_person_is_not_looked_at(store: SilenceStore) -> None:
    await store.heard("t", {ANA: NOON, BO: NOON})
    personal = PersonalSilences(store)
    (line,) = [each async for each in personal.export("t", "ana")]
    assert "acme" in line
    assert await personal.erase("t", "ana") == 1
    assert await personal.residue("t", "ana") == 0
    assert await users(store, NOON + SOON) == ["bo"]


async def test_tenants_do_not_meet(store: SilenceStore) -> None:
    await store.heard("t", {ANA: NOON})
    assert await store.claim("other", NOON + SOON, FAST) == ()
    assert await store.of("other", "ana") is None


@given(seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_no_two_looks_of_one_person_within_an_interval(seed: int) -> None:
    """Whatever is heard in between, late or in time; and never more than so many a minute."""
    looks = asyncio.run(_lived(Random(seed)))
    assert looks
    for mine in looks.values():
        for (before, since), (after, _) in pairwise(mine):
            assert after - before >= SOON
            if since == mine[-1][1]:  # silent all the time
                assert after - before >= (SOON if before - since < LATER else LATER)
    every = sorted(at for mine in looks.values() for at, _ in mine)
    for at in every:
        assert sum(at <= other < at + MINUTE for other in every) <= 3


async def _lived(rng: Random) -> dict[str, list[tuple[datetime, datetime]]]:
    """Times of looks, each with when the person was heard of last, by person."""
    store, now = MemorySilences(), NOON
    people = [Person("t", f"u{n}") for n in range(5)]
    await store.heard("t", dict.fromkeys(people, now))
    looks: dict[str, list[tuple[datetime, datetime]]] = {}
    for _ in range(rng.randint(20, 200)):
        now += timedelta(seconds=rng.choice((1, 7, 59, 61, 1800, 3601, 20_000, 90_000)))
        if rng.random() < 0.3:
            late = timedelta(seconds=rng.choice((0, 0, 30, 5000)))
            await store.heard("t", {rng.choice(people): now - late})
        for each in await store.claim("t", now, Pace(at_once=2, a_minute=3)):
            looks.setdefault(each.person.user, []).append((now, each.since))
    return looks
