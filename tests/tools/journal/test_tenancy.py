"""Row security on PostgreSQL: what a transaction sees when nothing else keeps tenants apart."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from sqlalchemy import Engine, inspect, select, text
from sqlalchemy.exc import ProgrammingError

from agent.conversations_sql import open_engine as open_conversations
from agent.conversations_sql import upgrade as upgrade_conversations
from api.staff import sessions_sql as staff_sessions
from guardrails.tenancy import EVERYBODY, is_above, within
from tests.postgres import POSTGRES, own_schema
from tests.tools.journal.databases import postgres
from tools import connectors_sql, credentials_sql, held_sql, webhooks
from tools.receipts import checkpoints_sql
from tools.store.engine import open_engine, upgrade
from tools.tables import standing_consent

TENANTS = [f"t{number}" for number in range(20)]
INTERLEAVED = 500


@pytest.fixture
def engine() -> Iterator[Engine]:
    with postgres() as engine:
        for tenant in TENANTS:
            with within(tenant), engine.begin() as connection:
                connection.execute(standing_consent.insert().values(_row(tenant)))
        yield engine


def _row(tenant: str) -> dict[str, object]:
    return {"tenant": tenant, "subject": f"canary-{tenant}", "tool": "x", "given": True}


def _seen(engine: Engine) -> list[str]:
    with engine.begin() as connection:
        return sorted(connection.execute(select(standing_consent.c.subject)).scalars())


def test_every_query_without_a_filter_sees_its_own_tenant_alone(engine: Engine) -> None:
    for tenant in TENANTS:
        with within(tenant):
            assert _seen(engine) == [f"canary-{tenant}"]


@pytest.mark.parametrize("tenant", ["", "nobody", "t1' OR '1'='1", "%", "t"])
def test_who_names_no_tenant_that_exists_sees_nothing(engine: Engine, tenant: str) -> None:
    with within(tenant):
        assert _seen(engine) == []
    assert _seen(engine) == []


def test_upkeep_sees_everybody(engine: Engine) -> None:
    with within(EVERYBODY):
        assert len(_seen(engine)) == len(TENANTS)


def test_a_row_of_another_tenant_can_be_neither_written_nor_changed(engine: Engine) -> None:
    with pytest.raises(ProgrammingError, match="row-level security"):  # noqa: SIM117
        with within("t1"), engine.begin() as connection:
            connection.execute(standing_consent.insert().values(_row("t2") | {"tool": "y"}))
    with within("t1"), engine.begin() as connection:
        assert connection.execute(standing_consent.update().values(given=False)).rowcount == 1
        assert connection.execute(standing_consent.delete()).rowcount == 1
    with within(EVERYBODY):
        assert len(_seen(engine)) == len(TENANTS) - 1


def test_the_next_user_of_a_connection_does_not_inherit_the_tenant(engine: Engine) -> None:
    rng = Random(7)

    def look(tenant: str) -> tuple[str, list[str]]:
        with within(tenant):
            return tenant, _seen(engine)

    asked = [rng.choice([*TENANTS, ""]) for _ in range(INTERLEAVED)]
    with ThreadPoolExecutor(12) as threads:  # more than the pool has connections
        for tenant, seen in threads.map(look, asked):
            assert seen == ([f"canary-{tenant}"] if tenant else [])


def test_every_table_with_a_tenant_is_protected() -> None:
    with own_schema() as (url, schema):
        engine = open_engine(url, schema)
        held_sql.prepare(engine)
        credentials_sql.prepare(engine)
        for part in (connectors_sql, webhooks, staff_sessions):
            part.prepare(engine)
        checkpoints_sql.upgrade(engine)
        conversations = open_conversations(f"{url}?options=-csearch_path%3D{schema}")
        upgrade_conversations(conversations)
        upgrade(engine, schema)
        tables = inspect(engine).get_table_names(schema=schema)
        keyed = [
            name
            for name in tables
            if "tenant" in {column["name"] for column in inspect(engine).get_columns(name)}
        ]
        forced = text("SELECT relname FROM pg_class WHERE relforcerowsecurity AND relkind = 'r'")
        with engine.connect() as connection:
            assert not is_above(connection)
            protected = set(connection.execute(forced).scalars())
        engine.dispose()
        conversations.dispose()
    assert len(keyed) == 20
    assert set(keyed) <= protected


def test_a_superuser_is_named_as_above_row_security() -> None:
    engine = open_engine(POSTGRES)
    with engine.connect() as connection:
        assert is_above(connection)
    engine.dispose()
