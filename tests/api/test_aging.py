"""Sessions by age, in SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from api.aging import AgingSessions
from api.sessions_sql import spent_token, widget_session
from guardrails.tenancy import within
from tests.api.databases import DIALECTS, database

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def session(digest: str, subject: str, hours: int) -> dict[str, object]:
    names = ("workspace", "kid", "account", "plan", "origin")
    own = {"tenant": "t", "digest": digest, "subject": subject, "roles": "[]"}
    ends = (NOON + hours * HOUR).timestamp()
    return {**own, "expires": ends, "auth_time": None, **dict.fromkeys(names, "x")}


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_sessions_that_ended_go(dialect: str, tmp_path: Path) -> None:
    sessions = [session("a", "ana", 0), session("b", "bo", 0), session("c", "ana", 9)]
    marks = [
        {"tenant": "t", "token": name, "until": (NOON + hours * HOUR).timestamp()}
        for name, hours in (("old", 0), ("new", 9))
    ]
    with database(dialect, tmp_path) as engine:
        with within("t"), engine.begin() as connection:
            connection.execute(insert(widget_session), sessions)
            connection.execute(insert(spent_token), marks)
        aging, before, keep = AgingSessions(engine), NOON + HOUR, frozenset({"bo"})
        assert await aging.due("t", before, keep) == 2
        assert await aging.sweep("t", before, keep) == 2
        assert await aging.sweep("t", before, keep) == await aging.due("t", before, keep) == 0
        with within("t"), engine.connect() as connection:
            left = set(connection.execute(select(widget_session.c.digest)).scalars())
            tokens = set(connection.execute(select(spent_token.c.token)).scalars())
        assert (left, tokens) == ({"b", "c"}, {"new"})
