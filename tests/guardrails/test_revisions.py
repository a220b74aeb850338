"""Revisions of the stores: made once by many processes at a time, taken back without a trace."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, inspect, text

from guardrails.consent import sql as consent_sql
from guardrails.consent import tables as consent_tables
from guardrails.decisions import sql as decisions_sql
from guardrails.decisions import tables as decisions_tables
from guardrails.tenancy import EVERYBODY, within
from tests.guardrails.databases import postgres, sqlite

STORES = {
    "consent": (consent_sql.upgrade, consent_tables.metadata, consent_tables.VERSION_TABLE),
    "decisions": (decisions_sql.upgrade, decisions_tables.metadata, decisions_tables.VERSION_TABLE),
}
FUNCTIONS = "SELECT count(*) FROM pg_proc WHERE pronamespace = current_schema()::regnamespace"


def nothing(_engine: Engine) -> None:
    """Leaves the database empty."""


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    opened = sqlite(tmp_path, nothing) if request.param == "sqlite" else postgres(nothing)
    with opened as engine:
        yield engine


def downgrade(engine: Engine, store: str) -> None:
    config = Config()
    config.set_main_option("script_location", f"guardrails.{store}:migrations")
    config.set_main_option("path_separator", "os")
    with within(EVERYBODY), engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")


@pytest.mark.parametrize("store", STORES)
def test_processes_at_once_make_the_tables_once(empty: Engine, store: str) -> None:
    upgrade, metadata, version = STORES[store]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(upgrade, [empty] * 4))
    assert set(inspect(empty).get_table_names()) == {*metadata.tables, version}


@pytest.mark.parametrize("store", STORES)
def test_what_was_made_can_be_taken_back(empty: Engine, store: str) -> None:
    upgrade, metadata, version = STORES[store]
    for _ in range(2):
        upgrade(empty)
        downgrade(empty, store)
        assert inspect(empty).get_table_names() == [version]
        if empty.dialect.name == "postgresql":
            with empty.connect() as connection:
                assert connection.scalar(text(FUNCTIONS)) == 0
    upgrade(empty)
    assert set(inspect(empty).get_table_names()) == {*metadata.tables, version}


def test_both_stores_share_a_database(empty: Engine) -> None:
    for upgrade, *_ in STORES.values():
        upgrade(empty)
    made = set(inspect(empty).get_table_names())
    assert made == {
        name for _, metadata, version in STORES.values() for name in (*metadata.tables, version)
    }
