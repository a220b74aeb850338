"""Profiles in memory, in SQLite and in PostgreSQL: the contract, and whose rows are seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import ProgrammingError
from typing_extensions import override

from guardrails.store import StoreUnavailableError
from guardrails.tenancy import is_protected, within
from onboarding.profile.keeping import ProfileStore
from onboarding.store.profile.memory import MemoryProfiles
from onboarding.store.profile.rows import fact_row
from onboarding.store.profile.sql import SqlProfiles, added, upgrade
from onboarding.store.profile.tables import TABLES, VERSION_TABLE, metadata, profile_fact
from tests.contracts.profile import ROLE, ProfileStoreContract
from tests.guardrails.databases import guest, postgres, sqlite
from tools.store.engine import open_engine


class TestMemoryProfiles(ProfileStoreContract):
    @override
    @pytest.fixture
    def store(self) -> ProfileStore:
        return MemoryProfiles()


class TestSqliteProfiles(ProfileStoreContract):
    @override
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[ProfileStore]:
        with sqlite(tmp_path, upgrade) as engine:
            yield SqlProfiles(engine)


@pytest.fixture(scope="module")
def server() -> Iterator[Engine]:
    """As a role that owns nothing, which row security binds."""
    with postgres(upgrade) as owned, guest(owned, TABLES) as engine:
        yield engine


class TestPostgresProfiles(ProfileStoreContract):
    @override
    @pytest.fixture
    def store(self, server: Engine) -> Iterator[ProfileStore]:
        for tenant in ("t", "t2"):
            with within(tenant), server.begin() as connection:
                for table in TABLES:
                    connection.execute(text(f"DELETE FROM {table}"))
        yield SqlProfiles(server)


async def test_a_transaction_sees_its_tenant_alone(server: Engine) -> None:
    store = SqlProfiles(server)
    for tenant in ("t1", "t3"):
        await store.add(tenant, [replace(ROLE, tenant=tenant, subject=f"canary-{tenant}")])
    with within("t1"), server.connect() as connection:
        assert list(connection.execute(text("SELECT subject FROM profile_fact")).scalars()) == [
            "canary-t1"
        ]
        assert all(is_protected(connection, table) for table in TABLES)
    with within(""), server.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM profile_fact")) == 0


def test_a_row_of_another_tenant_is_refused(server: Engine) -> None:
    row = fact_row("t2", replace(ROLE, tenant="t2"))
    with (
        within("t1"),
        pytest.raises(ProgrammingError, match="row-level security"),
        server.begin() as connection,
    ):
        added(connection, profile_fact, [row])


@pytest.mark.parametrize("where", ["sqlite", "postgres"])
def test_the_revisions_make_the_tables_that_the_code_knows(where: str, tmp_path: Path) -> None:
    with sqlite(tmp_path, upgrade) if where == "sqlite" else postgres(upgrade) as engine:
        upgrade(engine)  # again: nothing happens
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
        await SqlProfiles(engine).facts("t", "ana")
    engine.dispose()
