"""Details of actions, notices and held values by age, in SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from guardrails.tenancy import within
from tests.contracts.held import hold
from tests.tools.journal.databases import postgres, sqlite
from tests.tools.journal.making import (
    ADA,
    BOB,
    EVE,
    NOON,
    Hands,
    Seal,
    new,
    pending,
    succeeded,
)
from tools.aging import AgingDetails, AgingHeld, AgingOutbox
from tools.held_sql import SqlHeldValues, held_value, prepare
from tools.journal_sql import SqlJournal
from tools.tables import action, outbox
from tools.vault_sql import SqlVault

DAY = timedelta(days=1)
NOBODY: frozenset[str] = frozenset()


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with sqlite(tmp_path) if request.param == "sqlite" else postgres() as opened:
        prepare(opened)
        yield opened


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def journal(engine: Engine, hands: Hands) -> SqlJournal:
    return SqlJournal(engine, SqlVault(engine, bytes(32)), Seal(), clock=hands)


async def test_details_go_and_what_was_done_stays(
    engine: Engine, hands: Hands, journal: SqlJournal
) -> None:
    done = await succeeded(journal, new(who=ADA))
    held = await succeeded(journal, new(who=BOB))
    open_ = await pending(journal, new(who=ADA, expires_s=90 * 86_400.0))
    foreign = await succeeded(journal, new(who=EVE))
    hands.pass_s(5 * 86_400)
    fresh = await succeeded(journal, new(who=ADA))
    aging, before, keep = AgingDetails(engine), NOON + 3 * DAY, frozenset({"bob"})
    assert await aging.due("acme", before, keep) == 1
    assert await aging.sweep("acme", before, keep) == 1
    assert await aging.sweep("acme", before, keep) == await aging.due("acme", before, keep) == 0
    gone = await journal.action("acme", done.id)
    assert (gone.sealed, gone.state, gone.card, gone.undo) == ("erased", done.state, None, None)
    assert gone.receipt == done.receipt
    assert gone.who == ADA
    for each, tenant in ((held, "acme"), (open_, "acme"), (fresh, "acme"), (foreign, "umbrella")):
        assert (await journal.action(tenant, each.id)).call.arguments
    assert await aging.sweep("acme", before, NOBODY) == 1


async def test_details_go_a_block_at_a_time(
    engine: Engine, hands: Hands, journal: SqlJournal
) -> None:
    first = await succeeded(journal)
    hands.pass_s(60)
    await succeeded(journal)
    aging = AgingDetails(engine)
    assert await aging.sweep("acme", NOON + DAY, NOBODY, limit=1) == 1
    assert (await journal.action("acme", first.id)).sealed == "erased"
    assert await aging.due("acme", NOON + DAY, NOBODY) == 1


def rows(engine: Engine, tenant: str = "acme") -> int:
    with within(tenant), engine.connect() as connection:
        return len(connection.execute(select(outbox).where(outbox.c.tenant == tenant)).all())


async def test_notices_that_were_told_go(engine: Engine, hands: Hands, journal: SqlJournal) -> None:
    await succeeded(journal, new(who=ADA))
    told = await journal.outbox(100)
    await journal.sent(told)
    held = await succeeded(journal, new(who=BOB))
    await journal.sent([row for row in await journal.outbox(100) if row.action_id == held.id])
    of_bob = rows(engine) - len(told)
    await pending(journal)  # not told yet
    left = rows(engine) - len(told)
    aging, before, keep = AgingOutbox(engine), NOON + 3 * DAY, frozenset({"bob"})
    assert await aging.due("acme", before, keep) == len(told) > 0
    assert await aging.sweep("acme", before, keep, limit=1) == 1
    assert await aging.sweep("acme", before, keep) == len(told) - 1
    assert rows(engine) == left
    assert await aging.sweep("acme", before, NOBODY) == of_bob > 0
    assert await aging.sweep("acme", NOON - DAY, NOBODY) == 0


class Talks:
    """In which conversations something was said, and what happens while nobody looks."""

    def __init__(self, *active: str) -> None:
        self.active = set(active)

    async def __call__(
        self, tenant: str, threads: Collection[str], since: datetime
    ) -> frozenset[str]:
        return frozenset(self.active & set(threads))


def tokens(engine: Engine, thread: str) -> list[str]:
    with within("t"), engine.connect() as connection:
        wanted = select(held_value.c.token).where(held_value.c.thread_id == thread)
        return sorted(connection.execute(wanted).scalars())


def aging_held(engine: Engine, talks: Talks, *meanwhile: Callable[[], object]) -> AgingHeld:
    async def pause() -> None:
        for happens in meanwhile:
            happens()

    return AgingHeld(engine, talks, pause)


async def test_values_of_quiet_conversations_go(engine: Engine) -> None:
    held = SqlHeldValues(engine, SqlVault(engine, bytes(32)))
    for subject, thread in (("ana", "quiet"), ("ana", "busy"), ("bo", "held")):
        await hold(held, "ana@acme.io and bob@acme.io", ("t", subject, thread))
    aging, keep = aging_held(engine, Talks("busy")), frozenset({"bo"})
    assert await aging.due("t", NOON, keep) == 1
    assert await aging.sweep("t", NOON, keep) == 1
    assert await aging.sweep("t", NOON, keep) == 0
    assert tokens(engine, "quiet") == []
    assert len(tokens(engine, "busy")) == len(tokens(engine, "held")) == 2
    assert await aging.sweep("t", NOON, NOBODY) == 1


async def test_a_value_whose_message_is_on_its_way_stays(engine: Engine) -> None:
    """Held a moment ago, its message stored a moment later."""
    held = SqlHeldValues(engine, SqlVault(engine, bytes(32)))
    await hold(held, "ana@acme.io", ("t", "ana", "new"))
    await hold(held, "ana@acme.io", ("t", "ana", "quiet"))
    talks = Talks()
    aging = aging_held(engine, talks, lambda: talks.active.add("new"))
    assert await aging.sweep("t", NOON, NOBODY) == 1
    assert (len(tokens(engine, "new")), tokens(engine, "quiet")) == (1, [])


async def test_every_sealed_column_of_an_action_goes(engine: Engine, journal: SqlJournal) -> None:
    """A column that is added later has to be thought of."""
    done = await succeeded(journal, new(who=ADA))
    await AgingDetails(engine).sweep("acme", NOON + DAY, NOBODY)
    with within("acme"), engine.connect() as connection:
        row = connection.execute(select(action).where(action.c.id == done.id)).mappings().one()
    sealed = [c.name for c in action.columns if c.type.python_type is bytes]
    assert sealed
    assert {name: row[name] for name in sealed} == dict.fromkeys(sealed)
