"""The audit log in memory, in SQLite and in PostgreSQL: the contract, and what SQL itself
refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, inspect, text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from typing_extensions import override

from guardrails.audit import AuditLog, Note
from guardrails.audit.memory import MemoryAudit
from guardrails.audit.sql import SqlAudit, upgrade
from guardrails.audit.tables import VERSION_TABLE, audit, metadata
from guardrails.store import StoreUnavailableError
from guardrails.tenancy import within
from tests.contracts.audit import DAY, NOON, READ, AuditContract, Clock
from tests.guardrails.databases import guest, postgres, sqlite
from tools.store.engine import open_engine

TABLES = ("audit", "audit_sweep")


class TestMemoryAudit(AuditContract):
    @override
    @pytest.fixture
    def log(self, clock: Clock) -> AuditLog:
        return MemoryAudit(clock)


class TestSqliteAudit(AuditContract):
    @override
    @pytest.fixture
    def log(self, clock: Clock, tmp_path: Path) -> Iterator[AuditLog]:
        with sqlite(tmp_path, upgrade) as engine:
            yield SqlAudit(engine, clock)


class TestPostgresAudit(AuditContract):
    @override
    @pytest.fixture
    def log(self, clock: Clock) -> Iterator[AuditLog]:
        with postgres(upgrade) as owned, guest(owned, TABLES) as engine:
            yield SqlAudit(engine, clock)


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
    "UPDATE audit SET who = 'tom'",
    "UPDATE audit SET whom = 'eve'",
    "UPDATE audit SET whom = NULL",
    "UPDATE audit SET whom = 'erased.x', who = 'tom'",
    "UPDATE audit SET who = 'erased.x'",
    "UPDATE audit SET whom = 'erased.x', at = '2000-01-01'",
    "DELETE FROM audit",
    "DELETE FROM audit WHERE seq = 3",
    "UPDATE audit_sweep SET through = 3",
    "DELETE FROM audit_sweep",
)


@pytest.mark.parametrize("change", CHANGES)
async def test_sql_refuses_to_change_the_log(engine: Engine, change: str) -> None:
    clock = Clock()
    log = SqlAudit(engine, clock)
    await log.write(READ)
    clock.now = NOON + DAY
    await log.sweep("t", clock.now)
    for _ in range(2):
        await log.write(READ)
    before = await log.page("t")
    with (
        within("t"),
        pytest.raises(DBAPIError, match="the audit log only grows"),
        engine.begin() as connection,
    ):
        connection.execute(text(change))
    assert await log.page("t") == before
    assert [entry.seq for entry in before] == [3, 2]


@pytest.mark.parametrize("table", TABLES)
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
        log = SqlAudit(engine, Clock())
        await log.write(READ)
        values = "'t', 1, '2026', 'tom', 'read_subject', 'ana', 'GET /', 'r'"
        with pytest.raises(DBAPIError, match="only grows"), engine.begin() as connection:
            connection.execute(text(f"{verb} INTO audit VALUES ({values})"))
        assert [entry.note for entry in await log.page("t")] == [READ]


async def test_a_table_of_the_session_permits_nothing() -> None:
    with postgres(upgrade) as engine:
        await SqlAudit(engine, Clock()).write(READ)
        with (
            within("t"),
            pytest.raises(DBAPIError, match="only grows"),
            engine.begin() as connection,
        ):
            connection.execute(text("CREATE TEMP TABLE audit_sweep (tenant text, through int)"))
            connection.execute(text("INSERT INTO pg_temp.audit_sweep VALUES ('t', 9)"))
            connection.execute(text("DELETE FROM audit"))


async def test_a_transaction_sees_its_tenant_alone() -> None:
    with postgres(upgrade) as owned, guest(owned, TABLES) as engine:
        log = SqlAudit(engine, Clock())
        for tenant in ("t1", "t2"):
            await log.write(replace(READ, tenant=tenant, whom=f"canary-{tenant}"))
        for tables in (owned, engine):
            assert _seen(tables, "t1") == ["canary-t1"]
            assert _seen(tables, "t2") == ["canary-t2"]
            assert _seen(tables, "") == _seen(tables, "t") == []


def _seen(engine: Engine, tenant: str) -> list[str]:
    with within(tenant), engine.connect() as connection:
        return list(connection.execute(text("SELECT whom FROM audit")).scalars())


async def test_a_row_of_another_tenant_is_refused() -> None:
    row = {"tenant": "t2", "seq": 1, "at": "2026", "who": "sam", "what": "hold", "route": "x"}
    with (
        postgres(upgrade) as owned,
        guest(owned, TABLES) as engine,
        within("t1"),
        pytest.raises(ProgrammingError, match="row-level security"),
        engine.begin() as connection,
    ):
        connection.execute(insert(audit).values(**row, request_id="r"))


async def test_who_is_erased_is_nowhere_on_the_disk(tmp_path: Path) -> None:
    with sqlite(tmp_path, upgrade) as engine:
        log = SqlAudit(engine, Clock())
        await log.write(replace(READ, whom="canary-9z"))
        await log.erase("t", "canary-9z")
        with engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    assert _holding(tmp_path, b"canary") == []


def _holding(folder: Path, canary: bytes) -> list[str]:
    return [file.name for file in folder.iterdir() if canary in file.read_bytes()]


def test_the_revisions_make_the_tables_that_the_code_knows(engine: Engine) -> None:
    look = inspect(engine)
    assert set(look.get_table_names()) == {*metadata.tables, VERSION_TABLE}
    for table in metadata.sorted_tables:
        names = [column["name"] for column in look.get_columns(table.name)]
        assert names == [column.name for column in table.columns]
        key = look.get_pk_constraint(table.name)["constrained_columns"]
        assert key == [column.name for column in table.primary_key]
        indexes = {index["name"] for index in look.get_indexes(table.name)}
        assert indexes == {index.name for index in table.indexes}


async def test_a_database_that_is_away_is_said_to_be() -> None:
    engine = open_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(StoreUnavailableError):
        await SqlAudit(engine, Clock()).write(READ)
    engine.dispose()


WRONG: tuple[Callable[[], Note], ...] = (
    lambda: replace(READ, tenant="*"),
    lambda: replace(READ, who="Ana Lopez"),
    lambda: replace(READ, whom="Ana Lopez"),
    lambda: replace(READ, whom=""),
    lambda: replace(READ, request_id="a\nb"),
    lambda: replace(READ, route="GET /Grün"),
    lambda: replace(READ, route=""),
)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_note_takes_references_alone(wrong: Callable[[], Note]) -> None:
    with pytest.raises(ValueError, match=r"no reference|no line|every tenant") as refused:
        wrong()
    assert "lopez" not in str(refused.value).lower()
