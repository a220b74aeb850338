"""Decisions in memory, in SQLite and in PostgreSQL: the contract, and what SQL itself holds to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, inspect, text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from typing_extensions import override

from guardrails.decisions import Cursor, DecisionRecord, Kind, Wanted
from guardrails.decisions.memory import MemoryDecisions
from guardrails.decisions.rows import decision_row
from guardrails.decisions.sql import SqlDecisions, page_of, upgrade
from guardrails.decisions.tables import VERSION_TABLE, decision, metadata
from guardrails.store import StoreUnavailableError
from guardrails.tenancy import within
from tests.contracts.decisions import (
    ANSWER,
    HELPFUL,
    MINUTE,
    NOON,
    DecisionRecordContract,
    made,
)
from tests.guardrails.databases import guest, postgres, sqlite
from tools.store.engine import open_engine

TABLES = ("decision", "decision_outcome")


class TestMemoryDecisions(DecisionRecordContract):
    @override
    @pytest.fixture
    def record(self) -> DecisionRecord:
        return MemoryDecisions()


class TestSqliteDecisions(DecisionRecordContract):
    @override
    @pytest.fixture
    def record(self, tmp_path: Path) -> Iterator[DecisionRecord]:
        with sqlite(tmp_path, upgrade) as engine:
            yield SqlDecisions(engine)


class TestPostgresDecisions(DecisionRecordContract):
    @override
    @pytest.fixture
    def record(self) -> Iterator[DecisionRecord]:
        with postgres(upgrade) as owned, guest(owned, TABLES) as engine:
            yield SqlDecisions(engine)


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "sqlite":
        with sqlite(tmp_path, upgrade) as opened:
            yield opened
    else:
        with postgres(upgrade) as opened:
            yield opened


CHANGES = (
    "UPDATE decision SET outcome = 'failed'",
    "UPDATE decision SET subject = 'eve'",
    "UPDATE decision SET subject = NULL, thread_id = NULL, run_id = NULL, message_id = NULL",
    "UPDATE decision SET subject = 'erased.x'",  # the thread would still lead to the person
    "UPDATE decision SET subject = 'erased.x', thread_id = NULL, run_id = NULL, message_id = NULL,"
    " propensity = 1",
    "UPDATE decision SET subject = 'erased.x', thread_id = NULL, run_id = NULL, message_id = NULL,"
    " evidence = '[]'",
    "UPDATE decision_outcome SET outcome = 'unhelpful'",
)


@pytest.mark.parametrize("change", CHANGES)
async def test_sql_refuses_to_change_a_row(engine: Engine, change: str) -> None:
    record = SqlDecisions(engine)
    await record.add("t", [ANSWER, HELPFUL])
    before = await record.get("t", ANSWER.id)
    with within("t"), pytest.raises(DBAPIError, match="is not changed"), engine.begin() as c:
        c.execute(text(change))
    assert await record.get("t", ANSWER.id) == before


async def test_sqlite_replaces_no_row(tmp_path: Path) -> None:
    with sqlite(tmp_path, upgrade) as engine:
        record = SqlDecisions(engine)
        await record.add("t", [ANSWER])
        other = decision_row(replace(ANSWER, subject="eve"))
        with engine.begin() as connection:
            connection.execute(insert(decision).prefix_with("OR REPLACE").values(other))
        found = await record.get("t", ANSWER.id)
        assert found is not None
        assert found.decision == ANSWER


ASKED = {
    "decision_newest": Wanted(since=NOON),
    "decision_of_kind": Wanted(kind=Kind.ANSWER),
    "decision_of_subject": Wanted(subject="ana"),
    "decision_of_thread": Wanted(thread_id="thread-1"),
}


WAYS = ("seqscan", "bitmapscan")
PLANS = {
    "sqlite": ("EXPLAIN QUERY PLAN", "TEMP B-TREE"),
    # a table this small would be read whole
    "postgresql": (
        f"{'; '.join(f'SET LOCAL enable_{way} = off' for way in WAYS)}; EXPLAIN",
        "Sort",
    ),
}


@pytest.mark.parametrize("index", ASKED)
async def test_a_page_is_read_along_its_index(engine: Engine, index: str) -> None:
    """The plan names the index and sorts nothing, under row security and in the middle too."""
    await SqlDecisions(engine).add("t", [made(number) for number in range(200)])
    explain, sorting = PLANS[engine.dialect.name]
    for after in (None, Cursor(NOON + 100 * MINUTE, ANSWER.id)):
        asked = page_of("t", ASKED[index], after, 10)
        with within("t"), engine.connect() as connection:
            *settings, verb = explain.split("; ")
            for setting in settings:
                connection.execute(text(setting))
            compiled = str(asked.compile(engine, compile_kwargs={"literal_binds": True}))
            plan = [str(row) for row in connection.exec_driver_sql(f"{verb} {compiled}")]
        assert any(index in step for step in plan), plan
        assert not any(sorting in step for step in plan), plan
        if after is not None and engine.dialect.name == "postgresql":
            assert any("Index Cond" in step and "ROW(at, id) <" in step for step in plan), plan


async def test_a_transaction_sees_its_tenant_alone() -> None:
    with postgres(upgrade) as owned, guest(owned, TABLES) as engine:
        record = SqlDecisions(engine)
        for tenant in ("t1", "t2"):
            rows = (replace(ANSWER, tenant=tenant, subject=f"canary-{tenant}"), HELPFUL)
            await record.add(tenant, [replace(row, tenant=tenant) for row in rows])
        for tables in (owned, engine):
            assert _seen(tables, "t1") == ["canary-t1"]
            assert _seen(tables, "t2") == ["canary-t2"]
            assert _seen(tables, "") == _seen(tables, "t") == []


def _seen(engine: Engine, tenant: str) -> list[str]:
    with within(tenant), engine.connect() as connection:
        updates = connection.scalar(text("SELECT count(*) FROM decision_outcome"))
        found = list(connection.execute(text("SELECT subject FROM decision")).scalars())
        assert updates == len(found)
        return found


async def test_a_row_of_another_tenant_is_refused_by_sql() -> None:
    with postgres(upgrade) as owned, guest(owned, TABLES) as engine:
        row = decision_row(replace(ANSWER, tenant="t2"))
        with (
            within("t1"),
            pytest.raises(ProgrammingError, match="row-level security"),
            engine.begin() as connection,
        ):
            connection.execute(insert(decision).values(row))


async def test_a_guest_is_neither_owner_nor_superuser() -> None:
    with postgres(upgrade) as owned, guest(owned, TABLES) as engine, engine.connect() as connection:
        role = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
        assert connection.scalar(text(role)) is False
        tables = "SELECT tableowner = current_user FROM pg_tables WHERE tablename = 'decision'"
        schema = " AND schemaname = current_schema()"
        assert connection.scalar(text(tables + schema)) is False
        with pytest.raises(ProgrammingError, match="must be owner"):
            connection.execute(text("ALTER TABLE decision DISABLE ROW LEVEL SECURITY"))


def test_the_revisions_make_the_tables_that_the_code_knows(engine: Engine) -> None:
    look = inspect(engine)
    assert set(look.get_table_names()) == {*metadata.tables, VERSION_TABLE}
    for table in metadata.sorted_tables:
        columns = look.get_columns(table.name)
        assert [column["name"] for column in columns] == [column.name for column in table.columns]
        assert [c["nullable"] for c in columns] == [c.nullable for c in table.columns]
        key = look.get_pk_constraint(table.name)["constrained_columns"]
        assert key == [column.name for column in table.primary_key]
        indexes = {
            str(index["name"]): index["column_names"] for index in look.get_indexes(table.name)
        }
        assert indexes == {str(i.name): [c.name for c in i.columns] for i in table.indexes}


async def test_a_database_that_is_away_is_said_to_be() -> None:
    engine = open_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(StoreUnavailableError):
        await SqlDecisions(engine).add("t", [ANSWER])
    engine.dispose()


async def test_who_is_erased_is_nowhere_on_the_disk(tmp_path: Path) -> None:
    with sqlite(tmp_path, upgrade) as engine:
        record = SqlDecisions(engine)
        place = replace(ANSWER.place, thread_id="canary-thread", run_id="canary-run")
        await record.add(
            "t", [made(n, replace(ANSWER, subject="canary-9z", place=place)) for n in range(50)]
        )
        assert await record.erase("t", "canary-9z") == 50
        with engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    assert _holding(tmp_path, b"canary") == []


def _holding(folder: Path, canary: bytes) -> list[str]:
    return [file.name for file in folder.iterdir() if canary in file.read_bytes()]
