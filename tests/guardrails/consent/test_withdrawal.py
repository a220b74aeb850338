"""What was allowed is not any more, in every process, within 60 s; and who cannot be asked has not
agreed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Engine

from guardrails.consent import (
    Asked,
    CachedConsents,
    Channel,
    ConsentDesk,
    Permission,
    Purpose,
    Wish,
)
from guardrails.consent.memory import MemoryConsents
from guardrails.consent.personal import PersonalConsents
from guardrails.consent.sql import SqlConsents, upgrade
from guardrails.decisions import Kind, RecordWriter, Wanted
from guardrails.decisions.consented import ConsentedDecisions
from guardrails.decisions.memory import MemoryDecisions
from guardrails.store import StoreUnavailableError
from tests.api.serving import until
from tests.contracts.consent import KEY, NOON, TRAINING, WITHDRAWN
from tests.contracts.decisions import ANSWER, NUDGE, id_of
from tests.guardrails.consent.test_properties import Clock
from tests.guardrails.consent.test_reading import Counting
from tests.guardrails.databases import postgres, sqlite
from tests.guardrails.decisions.test_writer import SOON, Kept

ASKED = Asked("t", "ana", "consent-3", Channel.PREFERENCES, "ana")


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with sqlite(tmp_path, upgrade) if request.param == "sqlite" else postgres(upgrade) as opened:
        yield opened


async def test_two_processes_know_of_a_withdrawal_within_a_minute(engine: Engine) -> None:
    """Two readers over one database, each with a cache of its own, under a clock in hand."""
    clock = Clock()
    stores = SqlConsents(engine, KEY), SqlConsents(engine, KEY)
    here, there = (CachedConsents(store, 60.0, clock) for store in stores)
    desk = ConsentDesk(stores[0], here, lambda: NOON)
    await desk.take(ASKED, [Wish(Purpose.TRAINING, given=True)])
    for reader in (here, there):
        assert await Permission(reader).may("t", "ana", Purpose.TRAINING)
    clock.now = 30.0
    await desk.take(ASKED, [Wish(Purpose.TRAINING, given=False)])
    assert not await Permission(here).may("t", "ana", Purpose.TRAINING)  # at once
    clock.now = 59.9
    assert await Permission(there).may("t", "ana", Purpose.TRAINING)  # read at 0: still young
    clock.now = 60.0
    assert not await Permission(there).may("t", "ana", Purpose.TRAINING)


def test_another_process_stops_in_time(tmp_path: Path) -> None:
    """For real, with readers that keep an answer for half a second."""
    age_s = 0.5
    with sqlite(tmp_path, upgrade) as engine:
        store = SqlConsents(engine, KEY)
        _run(store, given=True)
        asking = [sys.executable, "-m", "tests.guardrails.consent.asking"]
        url = engine.url.render_as_string()
        with subprocess.Popen(
            [*asking, url, str(age_s)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "allowed\n"
            _run(store, given=False)
            began = time.monotonic()
            assert process.stdout.readline() == "denied\n"
            assert time.monotonic() - began < age_s + 5.0  # room for a busy machine


def _run(store: SqlConsents, *, given: bool) -> None:
    asyncio.run(store.record(replace(TRAINING, given=given)))


async def test_who_cannot_be_asked_has_not_agreed() -> None:
    store = Counting()
    permission = Permission(CachedConsents(store, 0))
    await store.record(TRAINING)
    assert await permission.may("t", "ana", Purpose.TRAINING)
    store.away = True
    for purpose in Purpose:
        assert not await permission.may("t", "ana", purpose)
    with pytest.raises(StoreUnavailableError):
        await permission.stated("t", "ana", Purpose.TRAINING)


async def test_a_visitor_without_a_name_allows_support_alone() -> None:
    permission = Permission(CachedConsents(MemoryConsents(KEY)))
    allowed = [p for p in Purpose if await permission.may("t", None, p)]
    assert allowed == [Purpose.SUPPORT]


async def test_a_page_sent_twice_is_one_row() -> None:
    store = MemoryConsents(KEY)
    desk = ConsentDesk(store, CachedConsents(store), lambda: NOON)
    wishes = [Wish(Purpose.TRAINING, given=True), Wish(Purpose.MARKETING, given=False)]
    assert await desk.take(ASKED, wishes) == await desk.take(ASKED, wishes)
    assert len(await desk.trail("t", "ana")) == 2
    newer = replace(ASKED, text_version="consent-4")
    assert len(await desk.take(newer, wishes)) == 4


async def test_a_word_on_the_whole_is_said_again_after_a_word_on_a_part() -> None:
    store = MemoryConsents(KEY)
    desk = ConsentDesk(store, CachedConsents(store), lambda: NOON)
    whole = Wish(Purpose.TRAINING, given=False)
    part = Wish(Purpose.TRAINING, given=True, field="plan")
    for wish in (whole, part, whole):
        await desk.take(ASKED, [wish])
    assert len(await desk.trail("t", "ana")) == 3
    assert not (await store.of("t", "ana")).allows(Purpose.TRAINING, "plan")


async def test_forgetting_is_counted_once_and_the_cache_with_it() -> None:
    store, clock = MemoryConsents(KEY), Clock()
    reader = CachedConsents(store, 60, clock)
    personal = PersonalConsents(store, lambda: NOON, reader.drop)
    for said in (TRAINING, WITHDRAWN, TRAINING):
        await store.record(said)
    assert (await reader.of("t", "ana")).allows(Purpose.TRAINING)
    assert len([line async for line in personal.export("t", "ana")]) == 3
    assert await personal.residue("t", "ana") == 3
    assert await personal.erase("t", "ana") == 3
    assert not (await reader.of("t", "ana")).allows(Purpose.TRAINING)
    assert await personal.erase("t", "ana") == await personal.residue("t", "ana") == 0
    assert len(await store.erasures("t", "ana")) == 1


async def test_decisions_are_kept_for_what_is_allowed_when_they_are_written() -> None:
    store, record = Counting(), MemoryDecisions()
    allowed = ConsentedDecisions(record, Permission(CachedConsents(store, 0)))
    rows = [replace(ANSWER, id=id_of(purpose), purpose=purpose) for purpose in Purpose]
    nobody = replace(NUDGE, purpose=Purpose.MARKETING, subject=None)
    await allowed.add("t", [*rows, nobody])
    found = (await allowed.query("t")).rows
    assert [row.decision.purpose for row in found] == [Purpose.SUPPORT]
    await store.record(TRAINING)
    await allowed.add("t", rows)
    found = (await allowed.query("t")).rows
    assert {row.decision.purpose for row in found} == {Purpose.SUPPORT, Purpose.TRAINING}
    assert len((await allowed.query("t", Wanted(kind=Kind.ANSWER))).rows) == 2


async def test_a_writer_keeps_rows_until_it_is_known() -> None:
    """And writes by what is allowed then."""
    store, record = Counting(), MemoryDecisions()
    store.away = True
    allowed = ConsentedDecisions(record, Permission(CachedConsents(store, 0)))
    training = replace(ANSWER, purpose=Purpose.TRAINING)
    await store.record(TRAINING)
    async with RecordWriter(allowed, Kept().log, Random(1), SOON) as writer:
        writer.put(training)
        writer.put(replace(ANSWER, id=id_of("support")))
        await until(lambda: writer.tally.retries > 0)
        assert (await record.query("t")).rows == ()
        await store.record(WITHDRAWN)
        store.away = False
        await writer.settle()
    assert [row.decision.purpose for row in (await record.query("t")).rows] == [Purpose.SUPPORT]
