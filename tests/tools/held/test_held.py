"""Held values in memory, in SQLite and in PostgreSQL: the contract, and what lies on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from typing_extensions import override

from tests.contracts.held import PLACE, HeldValuesContract, hold
from tests.postgres import own_schema
from tools.held_memory import MemoryHeldValues
from tools.held_sql import HeldSchemaError, SqlHeldValues, prepare
from tools.store.engine import open_engine
from tools.vault_memory import MemoryVault


class TestMemoryHeldValues(HeldValuesContract):
    @override
    @pytest.fixture
    def vault(self) -> MemoryVault:
        return MemoryVault()

    @override
    @pytest.fixture
    def held(self, vault: MemoryVault) -> MemoryHeldValues:
        return MemoryHeldValues(vault)


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'held.db'}")
    prepare(engine)
    yield engine
    engine.dispose()


class TestSqliteHeldValues(HeldValuesContract):
    @override
    @pytest.fixture
    def vault(self) -> MemoryVault:
        return MemoryVault()

    @override
    @pytest.fixture
    def held(self, sqlite: Engine, vault: MemoryVault) -> SqlHeldValues:
        return SqlHeldValues(sqlite, vault)


class TestPostgresqlHeldValues(HeldValuesContract):
    @pytest.fixture
    def engine(self) -> Iterator[Engine]:
        with own_schema() as (url, schema):
            engine = open_engine(url, schema)
            prepare(engine)
            yield engine
            engine.dispose()

    @override
    @pytest.fixture
    def vault(self) -> MemoryVault:
        return MemoryVault()

    @override
    @pytest.fixture
    def held(self, engine: Engine, vault: MemoryVault) -> SqlHeldValues:
        return SqlHeldValues(engine, vault)


async def test_no_value_lies_on_the_disk_in_the_clear(tmp_path: Path, sqlite: Engine) -> None:
    held = SqlHeldValues(sqlite, MemoryVault())
    await hold(held, "invite canary-9z@acme.io, password is Hx72-canary!")
    assert b"canary" not in _bytes(tmp_path)


def _bytes(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def test_outlives_the_process(tmp_path: Path) -> None:
    vault = MemoryVault()
    said = ""
    for turn in ("invite ana@acme.io", "and bob@acme.io"):
        engine = open_engine(f"sqlite:///{tmp_path / 'held.db'}")
        prepare(engine)
        said = await hold(SqlHeldValues(engine, vault), turn)
        engine.dispose()
    assert said == "and <EMAIL_ADDRESS_2>"


async def test_an_erasure_deletes_the_rows_of_one_subject(sqlite: Engine) -> None:
    held = SqlHeldValues(sqlite, MemoryVault())
    await hold(held, "ana@acme.io")
    await hold(held, "bob@acme.io", ("t", "bob", "thread-2"))
    assert held.erase("t", PLACE[1]) == 1
    assert await held.known("t", "thread") == ()
    assert len(await held.known("t", "thread-2")) == 1


def test_a_newer_table_is_refused(sqlite: Engine) -> None:
    with sqlite.begin() as connection:
        connection.execute(text("UPDATE held_value_version SET version = 2"))
    with pytest.raises(HeldSchemaError, match="schema 2"):
        prepare(sqlite)
