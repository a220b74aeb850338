"""Next steps in memory, in SQLite and in PostgreSQL, and versions as folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, text
from typing_extensions import override

from guardrails.store import StoreUnavailableError
from guardrails.tenancy import within
from onboarding.ranking import (
    Fallback,
    ModelFileError,
    ModelRanker,
    RuleRanker,
    Rung,
    approved,
    sealed,
)
from onboarding.store.ranking.champions import SqlChampions
from onboarding.store.ranking.memory import MemoryChampions, MemoryNextSteps
from onboarding.store.ranking.registry import ModelFolder
from onboarding.store.ranking.serving import ServedRanker
from onboarding.store.ranking.sql import SqlNextSteps, upgrade
from onboarding.store.ranking.store import RANKER, Champions, NextSteps
from onboarding.store.ranking.tables import VERSION_TABLE, metadata
from onboarding.training import Request, learn
from tests.contracts.next_steps import ChampionsContract, NextStepsContract, made
from tests.guardrails.databases import guest, postgres, sqlite
from tests.onboarding.ranking.making import ALWAYS, ASKED, CANDIDATES, NOON, log

TABLES = tuple(metadata.tables)


class TestMemoryNextSteps(NextStepsContract):
    @override
    @pytest.fixture
    def store(self) -> NextSteps:
        return MemoryNextSteps()


class TestSqliteNextSteps(NextStepsContract):
    @override
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[NextSteps]:
        with sqlite(tmp_path, upgrade) as engine:
            yield SqlNextSteps(engine)


class TestPostgresNextSteps(NextStepsContract):
    @override
    @pytest.fixture
    def store(self) -> Iterator[NextSteps]:
        with postgres(upgrade) as owned, guest(owned, TABLES) as engine:
            yield SqlNextSteps(engine)


class TestMemoryChampions(ChampionsContract):
    @override
    @pytest.fixture
    def champions(self) -> Champions:
        return MemoryChampions()


class TestSqliteChampions(ChampionsContract):
    @override
    @pytest.fixture
    def champions(self, tmp_path: Path) -> Iterator[Champions]:
        with sqlite(tmp_path, upgrade) as engine:
            yield SqlChampions(engine)


class TestPostgresChampions(ChampionsContract):
    @override
    @pytest.fixture
    def champions(self) -> Iterator[Champions]:
        with postgres(upgrade) as owned, guest(owned, TABLES) as engine:
            yield SqlChampions(engine)


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "sqlite":
        with sqlite(tmp_path, upgrade) as opened:
            yield opened
    else:
        with postgres(upgrade) as opened:
            yield opened


def test_the_revisions_make_the_tables_that_the_code_knows(engine: Engine) -> None:
    look = inspect(engine)
    assert set(look.get_table_names()) == {*metadata.tables, VERSION_TABLE}
    for table in metadata.sorted_tables:
        names = [column["name"] for column in look.get_columns(table.name)]
        assert names == [column.name for column in table.columns]
        key = look.get_pk_constraint(table.name)["constrained_columns"]
        assert key == [column.name for column in table.primary_key]


async def test_a_transaction_sees_its_tenant_alone() -> None:
    with postgres(upgrade) as owned, guest(owned, TABLES) as engine:
        await SqlNextSteps(engine).add(made(1, tenant="t1"))
        for tenant, seen in (("t1", 1), ("t2", 0), ("", 0)):
            with within(tenant), engine.connect() as connection:
                count = connection.scalar(text("SELECT count(*) FROM next_step_decision"))
                assert count == seen


FILES = sealed({"champion.txt": b"tree"}, {"name": "v1", "rung": "activate", "spec": "s"})


def test_a_version_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = ModelFolder(tmp_path)
    assert folder.save(RANKER, FILES) == "v1"
    assert folder.load(RANKER, "v1") == FILES
    with pytest.raises(FileExistsError):
        folder.save(RANKER, FILES)


@pytest.mark.parametrize("harm", ["changed", "gone", "no manifest"])
def test_a_version_that_was_touched_is_not_read(tmp_path: Path, harm: str) -> None:
    folder = ModelFolder(tmp_path)
    folder.save(RANKER, FILES)
    place = tmp_path / RANKER / "v1"
    if harm == "changed":
        (place / "champion.txt").write_bytes(b"tref")
    else:
        (place / ("champion.txt" if harm == "gone" else "manifest.json")).unlink()
    with pytest.raises(ModelFileError):
        folder.load(RANKER, "v1")


@pytest.mark.parametrize("name", ["../ranker/v1", ".", ".."])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    ModelFolder(tmp_path).save(RANKER, FILES)
    with pytest.raises((ModelFileError, ValueError)):
        ModelFolder(tmp_path).load("stalls", name)


def test_five_versions_stay_and_the_one_that_serves(tmp_path: Path) -> None:
    folder = ModelFolder(tmp_path)
    for number in range(8):
        about = {"name": f"v{number}", "rung": "activate", "spec": "s"}
        folder.save(RANKER, sealed({"champion.txt": b"tree"}, about))
    assert set(folder.prune(RANKER, {"v0"})) == {"v1", "v2"}
    assert set(folder.versions(RANKER)) == {"v0", "v3", "v4", "v5", "v6", "v7"}


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_what_serves_follows_the_pointer(tmp_path: Path) -> None:
    clock, champions, folder = _Clock(), MemoryChampions(), ModelFolder(tmp_path)
    served = ServedRanker(champions, folder, approved(), "t", clock)
    assert isinstance(await served.ranker(), RuleRanker)
    folder.save(RANKER, learn(log(), Request("v1", Rung.ACTIVATE, bootstraps=2)).files)
    await champions.promote("t", RANKER, "v1", "ops", "gate.passed", NOON)
    clock.now = 1.5
    assert isinstance(await served.ranker(), ModelRanker)
    await champions.rollback("t", RANKER, "ops", "ece", NOON)
    clock.now = 3.0  # well within five seconds
    assert isinstance(await served.ranker(), RuleRanker)


async def test_a_broken_version_serves_the_curated_order(tmp_path: Path) -> None:
    champions, folder = MemoryChampions(), ModelFolder(tmp_path)
    folder.save(RANKER, FILES)
    await champions.promote("t", RANKER, "v1", "ops", "gate.passed", NOON)
    ranker = await ServedRanker(champions, folder, approved(), "t", _Clock()).ranker()
    assert ranker.rank(ASKED, CANDIDATES, ALWAYS).fallback is Fallback.BAD_FILES


class _Away(MemoryChampions):
    @override
    async def champion(self, tenant: str, slot: str) -> str | None:
        raise StoreUnavailableError("away")


async def test_a_database_that_is_away_leaves_the_curated_order(tmp_path: Path) -> None:
    served = ServedRanker(_Away(), ModelFolder(tmp_path), approved(), "t", _Clock())
    assert isinstance(await served.ranker(), RuleRanker)
