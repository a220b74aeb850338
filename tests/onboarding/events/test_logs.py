"""The logs, and what each of the databases adds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from typing_extensions import override

from guardrails.tenancy import is_protected, within
from onboarding.events import Addition
from onboarding.events.keeping import Due
from onboarding.events.memory import MemoryEventLog
from onboarding.store.events.engine import upgrade
from onboarding.store.events.grouping import Grouped
from onboarding.store.events.keeping import SqlEventKeeping
from onboarding.store.events.log import SqlEventLog
from onboarding.store.events.partitions import make_partitions, month_of
from onboarding.store.events.quarantine import SqlQuarantine
from onboarding.store.events.tables import metadata
from tests.contracts.events import DAY, NOON, EventLogContract, Shelf, event, mac, stored
from tests.guardrails.databases import guest, postgres, sqlite

QUICK = Grouped(linger_s=0.001)


def shelf_of(engine: Engine) -> Shelf:
    log = SqlEventLog(engine, mac, QUICK)
    return Shelf(log, SqlQuarantine(engine), SqlEventKeeping(engine, mac))


class TestMemory(EventLogContract):
    @pytest.fixture
    @override
    def shelf(self) -> Shelf:
        log = MemoryEventLog(mac)
        return Shelf(log, log, log)


class TestSqlite(EventLogContract):
    @pytest.fixture
    @override
    def shelf(self, tmp_path: Path) -> Iterator[Shelf]:
        with sqlite(tmp_path, partial(upgrade, now=NOON)) as engine:
            yield shelf_of(engine)


@pytest.fixture(scope="module")
def database() -> Iterator[Engine]:
    with postgres(partial(upgrade, now=NOON)) as engine:
        yield engine


def _empty(engine: Engine) -> None:
    names = ", ".join(metadata.tables)
    with within("*"), engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {names}"))
        connection.execute(text("ALTER SEQUENCE product_event_number RESTART"))


class TestPostgres(EventLogContract):
    @pytest.fixture
    @override
    def shelf(self, database: Engine) -> Shelf:
        _empty(database)
        return shelf_of(database)

    async def test_months_are_made_ahead_and_dropped_whole(self, database: Engine) -> None:
        _empty(database)
        may = datetime(2027, 5, 31, 23, 0, tzinfo=UTC)
        here = shelf_of(database)
        await stored(here.log, event("m1", received_at=may))
        assert len(make_partitions(database, may)) == 3
        assert make_partitions(database, may) == ()
        with within("*"), database.connect() as connection:
            moved = connection.execute(text('SELECT count(*) FROM "product_event_2027_05"'))
            assert moved.scalar_one() == 1
            assert is_protected(connection, "product_event_2027_07")
        await here.log.append("t2", [Addition(event("m2", tenant="t2", received_at=may + DAY))])
        due = Due(datetime(2027, 8, 1, tzinfo=UTC))
        assert await here.keeping.sweep("t", due, 500) == 1
        with database.connect() as connection:
            left = connection.execute(text("SELECT to_regclass('product_event_2027_05')"))
            assert left.scalar() is None
            kept = connection.execute(text("SELECT to_regclass('product_event_2027_06')"))
            assert kept.scalar() is not None, "another tenant has rows in it"

    async def test_another_tenants_rows_are_not_seen(self, database: Engine) -> None:
        _empty(database)
        await stored(shelf_of(database).log, event("m1"))
        with guest(database, list(metadata.tables)) as engine:
            for whose, seen in (("t", 1), ("t2", 0), ("", 0)):
                with within(whose), engine.connect() as connection:
                    rows = connection.execute(text("SELECT count(*) FROM product_event"))
                    assert rows.scalar_one() == seen


def test_a_month_ends_where_the_next_begins() -> None:
    found = month_of(datetime(2026, 12, 31, 23, 59, tzinfo=UTC))
    assert (found.name, found.ends) == ("product_event_2026_12", datetime(2027, 1, 1, tzinfo=UTC))
