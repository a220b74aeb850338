"""The trail in memory, in SQLite and in PostgreSQL: the contract, and what SQL itself refuses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, inspect, text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from typing_extensions import override

from guardrails.consent import ConsentStore, Purpose
from guardrails.consent.memory import MemoryConsents
from guardrails.consent.sql import SqlConsents, upgrade
from guardrails.consent.tables import VERSION_TABLE, consent, metadata
from guardrails.store import StoreUnavailableError
from guardrails.tenancy import within
from tests.contracts.consent import KEY, NOON, TRAINING, WITHDRAWN, ConsentStoreContract
from tests.guardrails.databases import guest, postgres, sqlite
from tools.store.engine import open_engine

TABLES = ("consent", "consent_erasure", "consent_erasing")


class TestMemoryConsents(ConsentStoreContract):
    @override
    @pytest.fixture
    def store(self) -> ConsentStore:
        return MemoryConsents(KEY)


class TestSqliteConsents(ConsentStoreContract):
    @override
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[ConsentStore]:
        with sqlite(tmp_path, upgrade) as engine:
            yield SqlConsents(engine, KEY)


class TestPostgresConsents(ConsentStoreContract):
    @override
    @pytest.fixture
    def store(self) -> Iterator[ConsentStore]:
        with postgres(upgrade) as owned, guest(owned, TABLES) as engine:
            yield SqlConsents(engine, KEY)


@pytest.fixture(params=["sqlite", "postgres", "guest"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "sqlite":
        with sqlite(tmp_path, upgrade) as opened:
            yield opened
    else:
        with postgres(upgrade) as owned:
            if request.param == "postgres":
                yield owned
            else:
                with guest(owned, TABLES) as opened:
                    yield opened


CHANGES = (
    "UPDATE consent SET given = NOT given",
    "UPDATE consent SET at = '2000-01-01' WHERE subject = 'ana'",
    "DELETE FROM consent",
    "DELETE FROM consent WHERE number = 2",
    "UPDATE consent_erasure SET entries = 0",
    "DELETE FROM consent_erasure",
)


@pytest.mark.parametrize("change", CHANGES)
async def test_sql_refuses_to_change_the_trail(engine: Engine, change: str) -> None:
    store = SqlConsents(engine, KEY)
    for statement in (TRAINING, WITHDRAWN, replace(TRAINING, subject="eve")):
        await store.record(statement)
    erasure = await store.forget("t", "eve", NOON)
    before = await store.trail("t", "ana")
    with (
        within("t"),
        pytest.raises(DBAPIError, match="the trail of consents only grows"),
        engine.begin() as connection,
    ):
        connection.execute(text(change))
    assert await store.trail("t", "ana") == before
    assert await store.erasures("t", "eve") == (erasure,)


@pytest.mark.parametrize("table", ["consent", "consent_erasure"])
def test_postgres_refuses_to_empty_a_table(table: str) -> None:
    with (
        postgres(upgrade) as engine,
        pytest.raises(DBAPIError, match="only grows"),
        engine.begin() as c,
    ):
        c.execute(text(f"TRUNCATE {table}"))


@pytest.mark.parametrize("verb", ["INSERT OR REPLACE", "REPLACE"])
async def test_sqlite_refuses_to_replace_a_row(tmp_path: Path, verb: str) -> None:
    with sqlite(tmp_path, upgrade) as engine:
        store = SqlConsents(engine, KEY)
        await store.record(WITHDRAWN)
        values = "'t', 'ana', 1, 'training', NULL, 1, 'v', 'host', '2026', 'eve'"
        with pytest.raises(DBAPIError, match="only grows"), engine.begin() as connection:
            connection.execute(text(f"{verb} INTO consent VALUES ({values})"))
        assert [entry.said for entry in await store.trail("t", "ana")] == [WITHDRAWN]


async def test_a_permit_without_an_erasure_is_none(engine: Engine) -> None:
    await SqlConsents(engine, KEY).record(TRAINING)
    with within("t"), pytest.raises(DBAPIError, match="only grows"), engine.begin() as connection:
        connection.execute(text("INSERT INTO consent_erasing VALUES ('t', 'ana', 'mac', 1)"))
        connection.execute(text("DELETE FROM consent"))


async def test_a_permit_is_for_one_subject(engine: Engine) -> None:
    store = SqlConsents(engine, KEY)
    await store.record(TRAINING)
    await store.record(replace(TRAINING, subject="eve"))
    with within("t"), pytest.raises(DBAPIError, match="only grows"), engine.begin() as connection:
        for table, values in (
            ("erasure", "'t', 'm', 1, '2026', 1"),
            ("erasing", "'t', 'eve', 'm', 1"),
        ):
            connection.execute(text(f"INSERT INTO consent_{table} VALUES ({values})"))
        connection.execute(text("DELETE FROM consent WHERE subject = 'eve'"))  # this one may go
        connection.execute(text("DELETE FROM consent WHERE subject = 'ana'"))
    assert len(await store.trail("t", "eve")) == 1  # all or nothing


async def test_a_table_of_the_session_permits_nothing() -> None:
    with postgres(upgrade) as engine:
        await SqlConsents(engine, KEY).record(TRAINING)
        with (
            within("t"),
            pytest.raises(DBAPIError, match="only grows"),
            engine.begin() as connection,
        ):
            for table, more in (("consent_erasing", ", subject text"), ("consent_erasure", "")):
                columns = f"tenant text, subject_mac text, number int{more}"
                connection.execute(text(f"CREATE TEMP TABLE {table} ({columns})"))
                values = "'t', 'm', 1, 'ana'" if more else "'t', 'm', 1"
                connection.execute(text(f"INSERT INTO {table} VALUES ({values})"))
            connection.execute(text("DELETE FROM consent"))


async def test_no_permit_outlives_an_erasure(engine: Engine) -> None:
    store = SqlConsents(engine, KEY)
    await store.record(TRAINING)
    await store.forget("t", "ana", NOON)
    await store.record(TRAINING)  # come back
    with within("t"), engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM consent_erasing")) == 0
    with within("t"), pytest.raises(DBAPIError, match="only grows"), engine.begin() as connection:
        connection.execute(text("DELETE FROM consent"))


async def test_who_is_forgotten_is_nowhere_on_the_disk(tmp_path: Path) -> None:
    with sqlite(tmp_path, upgrade) as engine:
        store = SqlConsents(engine, KEY)
        await store.record(replace(TRAINING, subject="canary-9z", recorded_by="canary-9z"))
        await store.forget("t", "canary-9z", NOON)
        with engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    assert _holding(tmp_path, b"canary") == []


def _holding(folder: Path, canary: bytes) -> list[str]:
    return [file.name for file in folder.iterdir() if canary in file.read_bytes()]


async def test_a_transaction_sees_its_tenant_alone() -> None:
    with postgres(upgrade) as owned, guest(owned, TABLES) as engine:
        store = SqlConsents(engine, KEY)
        for tenant in ("t1", "t2"):
            await store.record(replace(TRAINING, tenant=tenant, subject=f"canary-{tenant}"))
            await store.forget(tenant, "nobody", NOON)
        for tables in (owned, engine):
            assert _seen(tables, "t1") == ["canary-t1"]
            assert _seen(tables, "t2") == ["canary-t2"]
            assert _seen(tables, "") == _seen(tables, "t") == []


def _seen(engine: Engine, tenant: str) -> list[str]:
    with within(tenant), engine.connect() as connection:
        erased = connection.scalar(text("SELECT count(*) FROM consent_erasure"))
        found = list(connection.execute(text("SELECT subject FROM consent")).scalars())
        assert erased == len(found)
        return found


async def test_a_row_of_another_tenant_is_refused() -> None:
    with postgres(upgrade) as owned, guest(owned, TABLES) as engine:
        row = {"tenant": "t2", "subject": "ana", "number": 1, "purpose": "training", "given": True}
        rest = {"text_version": "v", "channel": "host", "at": "2026", "recorded_by": "ana"}
        with (
            within("t1"),
            pytest.raises(ProgrammingError, match="row-level security"),
            engine.begin() as connection,
        ):
            connection.execute(insert(consent).values(**row, **rest))


def test_the_revisions_make_the_tables_that_the_code_knows(engine: Engine) -> None:
    look = inspect(engine)
    assert set(look.get_table_names()) == {*metadata.tables, VERSION_TABLE}
    for table in metadata.sorted_tables:
        names = [column["name"] for column in look.get_columns(table.name)]
        assert names == [column.name for column in table.columns]
        key = look.get_pk_constraint(table.name)["constrained_columns"]
        assert key == [column.name for column in table.primary_key]


async def test_upgrading_again_changes_nothing(tmp_path: Path) -> None:
    with sqlite(tmp_path, upgrade) as engine:
        store = SqlConsents(engine, KEY)
        await store.record(TRAINING)
        upgrade(engine)
        assert (await store.of("t", "ana")).allows(Purpose.TRAINING)


async def test_a_database_that_is_away_is_said_to_be(tmp_path: Path) -> None:
    engine = open_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(StoreUnavailableError):
        await SqlConsents(engine, KEY).of("t", "ana")
    engine.dispose()


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        MemoryConsents(bytes(16))
