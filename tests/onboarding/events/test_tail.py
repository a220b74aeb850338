"""What a log has in memory is what its database would say, or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from guardrails.tenancy import within
from onboarding.events import Addition, Membership, Numbered
from onboarding.store.events.engine import upgrade
from onboarding.store.events.grouping import Grouped
from onboarding.store.events.keeping import SqlEventKeeping
from onboarding.store.events.log import SqlEventLog
from onboarding.store.events.tail import AGE_S, MOST, Tail
from tests.contracts.events import DAY, NOON, event, mac, stored, visit
from tests.guardrails.databases import postgres, sqlite

QUICK = Grouped(linger_s=0.0)


def numbered(*numbers: int) -> list[Numbered]:
    return [Numbered(number, event(f"m{number}")) for number in numbers]


def numbers(held: tuple[Numbered, ...]) -> list[int]:
    return [each.number for each in held]


def test_what_comes_after_a_number_is_held_without_a_gap() -> None:
    tail = Tail(lambda: 0.0)
    assert tail.after("t", 0, 9) == () and tail.last("t") == 0
    tail.add("t", numbered(4, 5, 6))
    assert numbers(tail.after("t", 4, 9)) == [5, 6]
    assert numbers(tail.after("t", 3, 2)) == [4, 5]
    assert tail.after("t", 6, 9) == (), "the newest is known"
    assert tail.after("t", 2, 9) == (), "3 may be somebody else's"
    assert tail.after("t2", 4, 9) == ()
    tail.add("t", numbered(8))
    assert tail.after("t", 6, 9) == tail.after("t", 4, 9) == (), "7 may be somebody else's"
    assert numbers(tail.after("t", 7, 9)) == [8]
    tail.forget("t")
    assert tail.after("t", 7, 9) == ()


def test_what_is_old_or_too_much_is_the_databases() -> None:
    now = 0.0
    tail = Tail(lambda: now)
    tail.add("t", numbered(1, 2))
    now = AGE_S
    tail.add("t", numbered(3))
    assert numbers(tail.after("t", 0, 9)) == [1, 2, 3]
    now += AGE_S / 2
    assert tail.after("t", 0, 9) == ()
    assert numbers(tail.after("t", 2, 9)) == [3]
    tail.add("t", numbered(*range(4, MOST + 10)))
    assert tail.after("t", 8, 1) == ()
    assert numbers(tail.after("t", 9, 1)) == [10]


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    made = partial(upgrade, now=NOON)
    with sqlite(tmp_path, made) if request.param == "sqlite" else postgres(made) as opened:
        yield opened


async def test_it_tells_what_the_database_tells(engine: Engine) -> None:
    log, other = (SqlEventLog(engine, mac, QUICK) for _ in range(2))
    member = Addition(event("m1"), None, Membership("ana", "acme", NOON, primary=True))
    await log.append("t", [member])
    await stored(log, visit("m2"), event("m3", account=None), event("m3"), event("m4", fields={}))
    ours, told = await log.read("t", "g", 0, as_sent=True), await other.read("t", "g", 0)
    assert ours == told
    assert ours[2].event.account == "acme"
    with within("t"), engine.begin() as connection:
        connection.execute(text("DELETE FROM product_event"))
    assert await log.read("t", "g", 0, as_sent=True) == ours, "it came from memory"
    assert await log.read("t", "g", 0) == (), "whose a visitor is, the database knows"
    log.forget("t", "ana")
    assert await log.read("t", "g", 0, as_sent=True) == ()


async def test_what_others_append_in_between_is_not_passed_over(engine: Engine) -> None:
    logs = [SqlEventLog(engine, mac, QUICK) for _ in range(2)]
    for place in range(9):
        await stored(logs[place % 2 if place < 6 else 0], event(f"m{place}"))
    for log in logs:
        at, seen = 0, list[str]()
        while await log.changed("t", at, 0.0):
            read = await log.read("t", "g", at, 2, as_sent=True)
            seen += [each.event.message_id for each in read]
            at = read[-1].number
        assert seen == [f"m{place}" for place in range(9)]


async def test_who_waits_hears_of_others(engine: Engine) -> None:
    log, other = (SqlEventLog(engine, mac, QUICK) for _ in range(2))
    await stored(log, event("m1"))
    waiting = asyncio.create_task(log.changed("t", 1, 5))
    await asyncio.sleep(0.01)
    await stored(other, event("m2"))
    assert await waiting
    assert [e.message_id for _, e in await log.read("t", "g", 1, as_sent=True)] == ["m2"]


async def test_what_was_forgotten_is_told_to_nobody_who_lags(engine: Engine) -> None:
    log = SqlEventLog(engine, mac, QUICK)
    await stored(log, replace(event("m1"), user="ana"), event("m2", user="bo"))
    await SqlEventKeeping(engine, mac).forget("t", "ana", NOON + DAY)
    await asyncio.sleep(AGE_S)
    assert [e.user for _, e in await log.read("t", "g", 0, as_sent=True)] == ["bo"]


async def test_who_waits_is_not_told_of_what_was_deleted(engine: Engine) -> None:
    log = SqlEventLog(engine, mac, QUICK)
    await stored(log, event("m1"))
    await SqlEventKeeping(engine, mac).forget("t", "ana", NOON + DAY)
    await asyncio.sleep(AGE_S)
    assert not await log.changed("t", 0, 0.01)
