"""Legal holds in memory, in SQLite and in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from typing_extensions import override

from guardrails.retention import Hold, HoldStore, MemoryHolds
from guardrails.retention.holds_sql import SqlHolds, prepare
from guardrails.tenancy import within
from tests.contracts.retention import HOLD, HoldsContract
from tests.guardrails.databases import guest, postgres, sqlite

TABLES = ("legal_hold",)


class TestMemoryHolds(HoldsContract):
    @override
    @pytest.fixture
    def holds(self) -> HoldStore:
        return MemoryHolds()


class TestSqliteHolds(HoldsContract):
    @override
    @pytest.fixture
    def holds(self, tmp_path: Path) -> Iterator[HoldStore]:
        with sqlite(tmp_path, prepare) as engine:
            prepare(engine)
            yield SqlHolds(engine)


class TestPostgresHolds(HoldsContract):
    @override
    @pytest.fixture
    def holds(self) -> Iterator[HoldStore]:
        with postgres(prepare) as owned, guest(owned, TABLES) as engine:
            prepare(owned)
            yield SqlHolds(engine)


async def test_a_transaction_sees_its_tenant_alone() -> None:
    with postgres(prepare) as owned, guest(owned, TABLES) as engine:
        for tenant in ("t1", "t2"):
            await SqlHolds(engine).place(replace(HOLD, tenant=tenant))
        for tenant, seen in (("t1", ["t1"]), ("t2", ["t2"]), ("", [])):
            with within(tenant), engine.connect() as connection:
                found = connection.execute(text("SELECT tenant FROM legal_hold")).scalars()
                assert list(found) == seen


WRONG: tuple[Callable[[], Hold], ...] = (
    lambda: replace(HOLD, subject="Ana Lopez"),
    lambda: replace(HOLD, reason="because of the trial"),
    lambda: replace(HOLD, tenant="*"),
    lambda: replace(HOLD, since=HOLD.since.replace(tzinfo=None)),
)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_hold_takes_references_and_codes_alone(wrong: Callable[[], Hold]) -> None:
    with pytest.raises(ValueError, match=r"no reference|no id|zone|every tenant"):
        wrong()
