"""The drill plants, kills and looks; it finds what is left, and cleans up behind itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from guardrails.tenancy import EVERYBODY, within
from tests.tools.acting.floor import Clock
from tests.tools.journal.databases import postgres, sqlite
from tools import connectors_sql, credentials_sql
from tools.credentials_sql import SqlCredentials
from tools.drill import DrillParts, drill

FIFTY = 50
ALLOWED_S = 60.0
"""For 1,000 (safety reference, 14, row 28)."""


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with sqlite(tmp_path) if request.param == "sqlite" else postgres() as engine:
        for part in (connectors_sql, credentials_sql):
            part.prepare(engine)
        yield engine


@pytest.mark.alone
async def test_fifty_connectors_are_revoked_in_their_share_of_a_minute(engine: Engine) -> None:
    found = await drill(DrillParts(engine, bytes(32), Clock(), time.monotonic), FIFTY)
    assert (found.connectors, found.revoked, found.readable) == (FIFTY, FIFTY, 0)
    assert found.revoke_s < ALLOWED_S * FIFTY / 1000
    with within(EVERYBODY), engine.begin() as connection:
        for table in ("user_credential", "connector_key", "connector_switch", "subject_key"):
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0


async def test_a_revocation_that_does_nothing_is_found(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(_self: SqlCredentials, _tenant: str, _target: str) -> int:
        return 0

    monkeypatch.setattr(SqlCredentials, "revoke_all", nothing)
    found = await drill(DrillParts(engine, bytes(32), Clock(), time.monotonic), 3)
    assert (found.revoked, found.readable) == (0, 3)
