"""The delivery log in memory, SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect
from typing_extensions import override

from guardrails.tenancy import EVERYBODY, is_protected, within
from onboarding.store.interventions.memory import MemoryDeliveries
from onboarding.store.interventions.sql import SqlDeliveries, upgrade
from onboarding.store.interventions.tables import TABLES, metadata
from tests.contracts.deliveries import DeliveryStoreContract, Make
from tests.guardrails.databases import postgres, sqlite


class TestMemory(DeliveryStoreContract):
    @pytest.fixture
    @override
    def make(self) -> Make:
        return MemoryDeliveries


@pytest.fixture(scope="module")
def lite_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the tables, copied for each test."""
    folder = tmp_path_factory.mktemp("made")
    with sqlite(folder, upgrade):
        pass
    return folder / "store.db"


class TestSqlite(DeliveryStoreContract):
    @pytest.fixture
    def engine(self, lite_made: Path, tmp_path: Path) -> Iterator[Engine]:
        (tmp_path / "store.db").write_bytes(lite_made.read_bytes())
        with sqlite(tmp_path, upgrade) as engine:
            yield engine

    @pytest.fixture
    @override
    def make(self, engine: Engine) -> Make:
        return lambda rules: SqlDeliveries(engine, rules)

    async def test_the_revision_makes_what_the_tables_say(self, engine: Engine) -> None:
        found = inspect(engine)
        for table in metadata.tables.values():
            columns = {c["name"]: c["nullable"] for c in found.get_columns(table.name)}
            assert columns == {c.name: c.nullable for c in table.columns}
            key = found.get_pk_constraint(table.name)["constrained_columns"]
            assert key == [c.name for c in table.primary_key]
            indexes = {i["name"]: i["column_names"] for i in found.get_indexes(table.name)}
            assert indexes == {i.name: [c.name for c in i.columns] for i in table.indexes}


@pytest.fixture(scope="module")
def owned() -> Iterator[Engine]:
    with postgres(upgrade) as engine:
        yield engine


class TestPostgres(DeliveryStoreContract):
    @pytest.fixture
    @override
    def make(self, owned: Engine) -> Make:
        with within(EVERYBODY), owned.begin() as connection:
            for name in TABLES:
                connection.exec_driver_sql(f'DELETE FROM "{name}"')
        return lambda rules: SqlDeliveries(owned, rules)

    async def test_rows_are_protected(self, owned: Engine) -> None:
        with owned.connect() as connection:
            assert all(is_protected(connection, name) for name in TABLES)
