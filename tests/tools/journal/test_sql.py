from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, text, update

from tests.contracts.journal import JournalContract
from tests.contracts.journal_bench import Bench, check_chain
from tests.postgres import POSTGRES, own_schema
from tests.tools.journal.databases import postgres, sqlite
from tests.tools.journal.making import (
    ADA,
    BOB,
    CARD,
    NOON,
    SUCCEEDED,
    Hands,
    Seal,
    approved,
    new,
    other_call,
    pending,
    started,
    succeeded,
    yes,
)
from tools.journal import ApprovalError, JournalUnavailableError, State
from tools.journal_sql import SqlJournal
from tools.store.engine import open_engine, upgrade
from tools.store.ledger import steady_clock
from tools.tables import VERSION_TABLE, action, metadata
from tools.vault import KeyDestroyedError
from tools.vault_memory import MemoryVault
from tools.vault_sql import SqlVault

MASTER = bytes(range(32))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with sqlite(tmp_path) as engine:
        yield engine


@pytest.fixture
def server() -> Iterator[Engine]:
    with postgres() as engine:
        yield engine


async def opened(engine: Engine) -> AsyncIterator[Bench]:
    hands, seal = Hands(), Seal()
    journal = SqlJournal(engine, SqlVault(engine, MASTER), seal, clock=hands)
    yield Bench(journal, hands, seal)
    await journal.close()


@pytest.fixture
async def bench(engine: Engine) -> AsyncIterator[Bench]:
    async for each in opened(engine):
        yield each


class TestSqliteJournal(JournalContract):
    pass


class TestPostgresJournal(JournalContract):
    @pytest.fixture
    async def bench(self, server: Engine) -> AsyncIterator[Bench]:
        async for each in opened(server):
            yield each


def test_migrations_make_the_tables_that_the_code_expects(engine: Engine) -> None:
    made = inspect(engine)
    assert set(made.get_table_names()) == {*metadata.tables, VERSION_TABLE}
    for name, table in metadata.tables.items():
        columns = {column["name"]: column for column in made.get_columns(name)}
        assert set(columns) == set(table.columns.keys())
        assert all(columns[c.name]["nullable"] == c.nullable for c in table.columns)
        keys = made.get_pk_constraint(name)["constrained_columns"]
        assert keys == [column.name for column in table.primary_key]
        assert keys[0] == "tenant"
        assert {index["name"] for index in made.get_indexes(name)} == {
            index.name for index in table.indexes
        }


def test_upgrading_twice_changes_nothing(engine: Engine) -> None:
    upgrade(engine)
    with engine.connect() as connection:
        versions = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).all()
    assert len(versions) == 1


def test_sqlite_loses_nothing_that_was_acknowledged(engine: Engine) -> None:
    with engine.connect() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout", "secure_delete")
        }
    assert settings == {
        "journal_mode": "wal",
        "synchronous": 2,
        "busy_timeout": 10_000,
        "secure_delete": 1,
    }


def test_many_processes_make_the_tables_once() -> None:
    with own_schema() as (url, schema):
        engine = open_engine(url, schema)
        upgrade(engine, schema)
        upgrade(engine, schema)
        assert set(inspect(engine).get_table_names(schema=schema)) >= set(metadata.tables)
        engine.dispose()


def test_a_schema_is_a_plain_name() -> None:
    with pytest.raises(ValueError, match="small letters"):
        open_engine(POSTGRES, "x; DROP TABLE action")


async def test_a_second_journal_goes_on_where_the_first_ended(tmp_path: Path) -> None:
    with sqlite(tmp_path) as engine:
        seal, hands = Seal(), Hands()
        first = SqlJournal(engine, SqlVault(engine, MASTER), seal, clock=hands)
        claim = await started(first, lease_s=30)
        await first.close()
        again = open_engine(f"sqlite:///{tmp_path}/journal.db")
        second = SqlJournal(again, SqlVault(again, MASTER), seal, clock=hands)
        assert await second.action("acme", claim.action.id) == claim.action
        hands.pass_s(30)
        taken = await second.claim("w2", 30)
        assert taken is not None
        await second.settle(taken, SUCCEEDED)
        check_chain(await second.receipts("acme"), seal)
        await second.close()


async def test_a_journal_that_is_not_there_says_so(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/missing/j.db")
    journal = SqlJournal(engine, MemoryVault(), Seal(), clock=Hands())
    with pytest.raises(JournalUnavailableError, match="does not answer"):
        await journal.propose(new())
    await journal.close()


async def test_what_was_not_committed_is_not_there(bench: Bench) -> None:
    def broken(_payload: object) -> str:
        raise OSError("no key")

    claim = await started(bench.journal)
    bench.seal.seal = broken  # type: ignore[method-assign,assignment]
    with pytest.raises(OSError, match="no key"):
        await bench.journal.settle(claim, SUCCEEDED)
    kept = await bench.journal.action("acme", claim.action.id)
    assert kept == claim.action
    assert await bench.journal.receipts("acme") == ()
    assert [row.kind for row in await bench.journal.outbox()][-1] == "action.started"


FORGERIES = (
    {"args": b"\0" * 40},
    {"nonce": b"\0" * 40},
    {"tool": "remove_everything"},
    {"tool_version": "4"},
    {"account": "other"},
    {"etag": "v9"},
    {"tier": 0},
    {"policy_version": "p0"},
    {"expires": "2036-01-01T00:00:00.000000+00:00"},
    {"digest": "A" * 43},
)


@pytest.mark.parametrize("forged", FORGERIES, ids=lambda forged: next(iter(forged)))
async def test_a_row_that_was_changed_never_starts(
    bench: Bench, engine: Engine, forged: dict[str, object]
) -> None:
    ready = await approved(bench.journal)
    shown = await pending(bench.journal, new(call=other_call("t")))
    running = await started(bench.journal, new(call=other_call("u")))
    with engine.begin() as connection:
        connection.execute(update(action).values(forged))
    assert await bench.journal.claim("w1", 30, ready.id) is None
    with pytest.raises(ApprovalError) as caught:
        await bench.journal.approve(shown, yes(shown), last=True)
    assert caught.value.code == "digest_mismatch"
    refused = await bench.journal.action("acme", ready.id)
    assert (refused.state, refused.reason) == (State.REFUSED, "tampered")
    bench.hands.pass_s(30)
    assert await bench.journal.claim("w1", 30) is None
    unknown = await bench.journal.action("acme", running.action.id)
    assert (unknown.state, unknown.reason) == (State.UNKNOWN, "tampered")


async def test_arguments_moved_between_rows_do_not_open(bench: Bench, engine: Engine) -> None:
    ready = await approved(bench.journal)
    other = await approved(bench.journal, new(call=other_call("x")))
    with engine.begin() as connection:
        args = connection.execute(text("SELECT args FROM action ORDER BY ordinal DESC")).scalar()
        connection.execute(update(action).where(action.c.id == ready.id).values(args=args))
    assert (await bench.journal.action("acme", ready.id)).sealed == "tampered"
    claim = await bench.journal.claim("w1", 30)
    assert claim is not None
    assert claim.action.id == other.id


def every_byte(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def test_nothing_personal_lies_open(bench: Bench, tmp_path: Path) -> None:
    done = await succeeded(bench.journal)
    await bench.journal.refuse(await pending(bench.journal), "denied", "ada", "because of Ann")
    raw = every_byte(tmp_path)
    for canary in ("ann@example.com", "because of Ann", 'inv_1", "sent', done.nonce):
        assert canary.encode() not in raw
    assert done.id.encode() in raw  # the scan sees what is there


async def test_an_erased_subject_takes_their_content_along(bench: Bench, engine: Engine) -> None:
    journal = bench.journal
    done = await succeeded(journal)
    ready = await approved(journal, new(call=other_call("x")))
    running = await started(journal, new(call=other_call("y")))
    other = await succeeded(journal, new(who=BOB))
    assert SqlVault(engine, MASTER).destroy("acme", "ada")
    fresh = SqlJournal(engine, SqlVault(engine, MASTER), bench.seal, clock=bench.hands)
    gone = await fresh.action("acme", done.id)
    assert (gone.sealed, gone.call.arguments, gone.card, gone.result) == ("erased", {}, None, {})
    assert (await fresh.action("acme", other.id)) == other
    assert await fresh.claim("w1", 30, ready.id) is None
    assert (await fresh.action("acme", ready.id)).reason == "erased"
    assert (await fresh.settle(running, SUCCEEDED)).state is State.SUCCEEDED
    check_chain(await fresh.receipts("acme"), bench.seal)
    with pytest.raises(KeyDestroyedError):
        await fresh.propose(new())


async def test_a_started_action_of_an_erased_subject_is_for_a_person(
    bench: Bench, engine: Engine
) -> None:
    running = await started(bench.journal)
    SqlVault(engine, MASTER).destroy("acme", "ada")
    fresh = SqlJournal(engine, SqlVault(engine, MASTER), bench.seal, clock=bench.hands)
    bench.hands.pass_s(30)
    assert await fresh.claim("w2", 30) is None
    unknown = await fresh.action("acme", running.action.id)
    assert (unknown.state, unknown.reason) == (State.UNKNOWN, "erased")


async def test_sqlite_needs_a_clock(engine: Engine) -> None:
    with pytest.raises(ValueError, match="needs a clock"):
        SqlJournal(engine, MemoryVault(), Seal())


def test_a_steady_clock_counts_from_its_start() -> None:
    passed = iter((100.0, 100.0, 103.5))
    clock: Callable[[], datetime] = steady_clock(NOON, lambda: next(passed))
    assert clock() == NOON
    assert clock() == NOON + timedelta(seconds=3.5)


async def test_the_server_keeps_the_time(server: Engine) -> None:
    journal = SqlJournal(server, SqlVault(server, MASTER), Seal())
    before = await journal.now()
    assert before.tzinfo is UTC
    claim = await started(journal, lease_s=0.2)
    assert claim.action.created >= before
    assert await journal.claim("w2", 30) is None
    await asyncio.sleep(0.25)
    taken = await journal.claim("w2", 30)
    assert taken is not None
    assert taken.resumed
    await journal.close()


async def test_journals_of_many_processes_share_the_work(server: Engine) -> None:
    seal, hands, vault = Seal(), Hands(), SqlVault(server, MASTER)
    journals = [SqlJournal(server, vault, seal, clock=hands) for _ in range(3)]
    wanted = {(await approved(journals[0], new(call=other_call(str(n))))).id for n in range(30)}
    done: list[str] = []

    async def work(number: int) -> None:
        misses = 0
        while misses < 3:
            claim = await journals[number].claim(f"w{number}", 30)
            if claim is None:
                misses += 1
                continue
            await journals[number].settle(claim, SUCCEEDED)
            done.append(claim.action.id)

    await asyncio.gather(*(work(number) for number in range(3)))
    assert sorted(done) == sorted(wanted)
    receipts = await journals[0].receipts("acme")
    assert len(receipts) == 30
    check_chain(receipts, seal)
    for journal in journals:
        await journal.close()


async def test_a_card_of_another_row_shows_nothing(bench: Bench) -> None:
    action = await pending(bench.journal)
    assert (await bench.journal.action("acme", action.id)).card == CARD
    assert action.who == ADA
