"""Sessions and begun sign-ins, in memory and in SQL alike; nothing in them lets anybody in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from api.staff import sessions_sql
from api.staff.sessions import ABSOLUTE, FLOW, IDLE, SEEN_EVERY, Flow, StaffSession, StaffStore
from api.staff.sessions_memory import MOST_FLOWS, MemoryStaff
from api.staff.sessions_sql import SqlStaff
from guardrails.tenancy import within
from tests.api.databases import DIALECTS, database
from tests.api.minting import NOW
from tests.api.staff.house import house
from tests.api.staff.idp import Place

TICK = timedelta(microseconds=1)
SESSION = StaffSession("acme", "7f3a", ("admin", "x"), NOW - timedelta(hours=1), NOW, NOW)
BEGUN = Flow("acme", "b", "/console", True, NOW)


@pytest.fixture(params=DIALECTS)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with database(request.param, tmp_path) as engine:
        sessions_sql.prepare(engine)
        sessions_sql.prepare(engine)
        yield engine


@pytest.fixture(params=("memory", *DIALECTS))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StaffStore]:
    if request.param == "memory":
        yield MemoryStaff()
        return
    with database(request.param, tmp_path) as engine:
        sessions_sql.prepare(engine)
        yield SqlStaff(engine)


async def test_a_session_is_found_until_it_is_over(store: StaffStore) -> None:
    await store.open("d", SESSION)
    assert await store.find("acme", "d", NOW) == SESSION
    assert await store.find("acme", "e", NOW) is None
    assert await store.find("globex", "d", NOW) is None
    assert await store.find("acme", "d", NOW + IDLE) is None
    assert await store.close("acme", "d")
    assert not await store.close("acme", "d")
    assert await store.find("acme", "d", NOW) is None


async def test_all_sessions_of_a_person_end_at_once(store: StaffStore) -> None:
    for digest in ("a", "b"):
        await store.open(digest, SESSION)
    await store.open("c", replace(SESSION, subject="8"))
    await store.open("d", replace(SESSION, tenant="globex"))
    assert await store.close_all("acme", "7f3a") == 2
    assert await store.close_all("acme", "7f3a") == 0
    found = [await store.find("acme", digest, NOW) for digest in ("a", "b", "c")]
    assert [each is not None for each in found] == [False, False, True]
    assert await store.find("globex", "d", NOW) is not None


async def test_use_keeps_it_alive_but_not_for_ever(store: StaffStore) -> None:
    await store.open("d", SESSION)
    at = NOW
    while at + IDLE < NOW + ABSOLUTE:
        at += IDLE - TICK
        assert await store.find("acme", "d", at) is not None
    assert await store.find("acme", "d", NOW + ABSOLUTE - TICK) is not None
    assert await store.find("acme", "d", NOW + ABSOLUTE) is None


async def test_reading_writes_once_a_minute(store: StaffStore) -> None:
    await store.open("d", SESSION)
    await store.find("acme", "d", NOW + SEEN_EVERY - TICK)
    found = await store.find("acme", "d", NOW + SEEN_EVERY)
    assert found is not None
    assert found.seen == NOW
    found = await store.find("acme", "d", NOW + SEEN_EVERY)
    assert found is not None
    assert found.seen == NOW + SEEN_EVERY


async def test_a_begun_sign_in_is_taken_once(store: StaffStore) -> None:
    await store.begin("s", BEGUN)
    assert await store.take("globex", "s", NOW) is None
    tries = await asyncio.gather(*(store.take("acme", "s", NOW) for _ in range(16)))
    assert [each for each in tries if each is not None] == [BEGUN]
    await store.begin("t", BEGUN)
    assert await store.take("acme", "t", NOW + FLOW) is None


async def test_what_is_over_is_swept_away(engine: Engine) -> None:
    store = SqlStaff(engine)
    for number in range(3):
        await store.begin(f"s{number}", BEGUN)
        await store.open(f"d{number}", SESSION)
    later = NOW + ABSOLUTE
    await store.begin("s", Flow("acme", "b", "/", False, later))
    await store.open("d", StaffSession("acme", "8", (), None, later, later))
    with within("acme"), engine.begin() as connection:
        for table in ("staff_flow", "staff_session"):
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 1


async def test_beginning_without_end_does_not_fill_the_memory() -> None:
    store = MemoryStaff()
    for number in range(MOST_FLOWS + 5):
        await store.begin(f"s{number}", BEGUN)
    assert await store.take("acme", "s4", NOW) is None
    assert await store.take("acme", "s5", NOW) == BEGUN


async def test_the_tables_hold_no_cookie_state_or_verifier(
    engine: Engine, place: Place, tmp_path: Path
) -> None:
    async with house(place, tmp_path, SqlStaff(engine)) as home:
        begun = await home.browser.get("/v1/staff/sign-in")
        flow = home.browser.cookies["embark-staff-flow"]
        await home.sign_in()
        me, cookie = await home.me(), home.browser.cookies["embark-staff"]
    secret = [flow, cookie, me["csrfToken"], begun.headers["location"].split("state=")[1][:43]]
    with within("t"), engine.begin() as connection:
        rows = [
            str(row)
            for table in ("staff_flow", "staff_session")
            for row in connection.execute(text(f"SELECT * FROM {table}"))
        ]
    assert len(rows) == 2
    assert [each for each in secret if any(each in row for row in rows)] == []
