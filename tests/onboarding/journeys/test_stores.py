"""Progress and published files in memory, in SQLite and in PostgreSQL under row security."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, text
from typing_extensions import override

from guardrails.tenancy import is_protected, within
from onboarding.store.journeys import CatalogueStore, ProgressStore
from onboarding.store.journeys.catalogue_memory import MemoryCatalogues
from onboarding.store.journeys.catalogue_sql import SqlCatalogues
from onboarding.store.journeys.progress_memory import MemoryProgress
from onboarding.store.journeys.progress_sql import SqlProgress, upgrade
from onboarding.store.journeys.tables import OWN, VERSION_TABLE, metadata
from tests.contracts.journeys import WAY, CatalogueStoreContract, ProgressStoreContract
from tests.guardrails.databases import guest, postgres, sqlite


class TestMemory(ProgressStoreContract, CatalogueStoreContract):
    @override
    @pytest.fixture
    def store(self) -> ProgressStore:
        return MemoryProgress()

    @override
    @pytest.fixture
    def files(self) -> CatalogueStore:
        return MemoryCatalogues()


class TestSqlite(ProgressStoreContract, CatalogueStoreContract):
    @pytest.fixture
    def engine(self, tmp_path: Path) -> Iterator[Engine]:
        with sqlite(tmp_path, upgrade) as opened:
            yield opened

    @override
    @pytest.fixture
    def store(self, engine: Engine) -> ProgressStore:
        return SqlProgress(engine)

    @override
    @pytest.fixture
    def files(self, engine: Engine) -> CatalogueStore:
        return SqlCatalogues(engine)


@pytest.fixture(scope="module")
def owned() -> Iterator[Engine]:
    with postgres(upgrade) as opened:
        yield opened


class TestPostgres(ProgressStoreContract, CatalogueStoreContract):
    @pytest.fixture
    def engine(self, owned: Engine) -> Iterator[Engine]:
        """As a role that owns nothing; the tables are emptied, which their owner does."""
        with within("*"), owned.begin() as connection:
            for table in OWN:
                connection.execute(text(f"DELETE FROM {table}"))
        with guest(owned, OWN) as opened:
            yield opened

    @override
    @pytest.fixture
    def store(self, engine: Engine) -> ProgressStore:
        return SqlProgress(engine)

    @override
    @pytest.fixture
    def files(self, engine: Engine) -> CatalogueStore:
        return SqlCatalogues(engine)

    async def test_row_security_hides_other_tenants(self, engine: Engine) -> None:
        await SqlProgress(engine).enrol(WAY)
        count = text("SELECT count(*) FROM journey_enrolment")
        for tenant, rows in (("t", 1), ("u", 0), ("", 0)):
            with within(tenant), engine.connect() as connection:
                assert connection.scalar(count) == rows

    def test_every_table_is_protected(self, owned: Engine) -> None:
        with owned.connect() as connection:
            assert all(is_protected(connection, table) for table in OWN)


def test_the_revisions_make_what_the_tables_say(tmp_path: Path) -> None:
    with sqlite(tmp_path, upgrade) as engine:
        found = inspect(engine)
        assert set(found.get_table_names()) == {*OWN, VERSION_TABLE}
        for table in metadata.tables.values():
            made = {c["name"]: bool(c["nullable"]) for c in found.get_columns(table.name)}
            said = {c.name: bool(c.nullable) for c in table.columns}
            assert made == said, table.name
            keys = found.get_pk_constraint(table.name)["constrained_columns"]
            assert keys == [c.name for c in table.primary_key.columns]
