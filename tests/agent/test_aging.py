"""Conversations and event logs by age, in SQLite and PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from agent.aging import AgingConversations, AgingRunEvents
from agent.conversations_sql import SqlConversations, open_engine, upgrade
from agent.erasing import CheckpointsStore, SqlThreads
from tests.contracts.conversations import NOON, logged, question, reply
from tests.postgres import own_schema

DAY = timedelta(days=1)
NOBODY: frozenset[str] = frozenset()


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "sqlite":
        yield from _prepared(open_engine(f"sqlite:///{tmp_path}/embark.sqlite"))
        return
    with own_schema() as place:
        yield from _prepared(open_engine(place.url_there))


def _prepared(engine: Engine) -> Iterator[Engine]:
    upgrade(engine)
    yield engine
    engine.dispose()


async def talked(
    engine: Engine, thread: str, day: int, subject: str | None = None, tenant: str = "acme"
) -> None:
    """A question, its answer, and the log of the run."""
    store, at = SqlConversations(engine), NOON + day * DAY
    run = f"r{day}"
    asked = replace(question(f"m{day}", thread, tenant), subject=subject, created=at, run_id=run)
    opened = await store.open(asked)
    events = [replace(entry, run_id=run) for entry in logged(opened.first_event)]
    answered = replace(reply(f"a{day}"), created=at, run_id=run, events=tuple(events))
    await store.finish(opened.question, answered)


async def threads(engine: Engine, tenant: str = "acme") -> set[str]:
    return set(await SqlThreads(engine).all(tenant))


async def test_quiet_conversations_go(engine: Engine) -> None:
    await talked(engine, "old", 0)
    await talked(engine, "kept-up", 0)
    await talked(engine, "kept-up", 5)
    await talked(engine, "held", 0, "ana")
    await talked(engine, "of-others", 0, tenant="umbrella")
    aging, before = AgingConversations(engine), NOON + 3 * DAY
    keep = frozenset({"ana"})
    assert await aging.due("acme", before, keep) == 1
    assert await aging.sweep("acme", before, keep) == 1
    assert await threads(engine) == {"kept-up", "held"}
    assert await threads(engine, "umbrella") == {"of-others"}
    assert await aging.sweep("acme", before, keep) == await aging.due("acme", before, keep) == 0
    kept = await SqlConversations(engine).conversation("acme", "kept-up")
    assert kept is not None
    assert len(kept.messages) == 4
    assert await SqlConversations(engine).events("acme", "old") == ()
    assert await aging.sweep("acme", before, NOBODY) == 1


async def test_the_oldest_go_first_a_block_at_a_time(engine: Engine) -> None:
    for day in (2, 0, 1):
        await talked(engine, f"t{day}", day)
    aging = AgingConversations(engine)
    assert await aging.sweep("acme", NOON + 9 * DAY, NOBODY, limit=2) == 2
    assert await threads(engine) == {"t2"}


async def test_logs_of_runs_go_and_answers_stay(engine: Engine) -> None:
    await talked(engine, "t1", 0)
    await talked(engine, "t1", 5)
    await talked(engine, "held", 0, "ana")
    aging, before, keep = AgingRunEvents(engine), NOON + 3 * DAY, frozenset({"ana"})
    store = SqlConversations(engine)
    assert await aging.due("acme", before, keep) == 1
    assert await aging.sweep("acme", before, keep) == 1
    assert await aging.sweep("acme", before, keep) == 0
    assert {entry.run_id for entry in await store.events("acme", "t1")} == {"r5"}
    assert len(await store.events("acme", "held")) == 1
    found = await store.conversation("acme", "t1")
    assert found is not None
    assert len(found.messages) == 4


async def test_which_conversations_are_active(engine: Engine) -> None:
    await talked(engine, "old", 0)
    await talked(engine, "new", 5)
    aging = AgingConversations(engine)
    found = await aging.active("acme", ["old", "new", "unknown"], NOON + 3 * DAY)
    assert found == {"new"}


async def test_paused_runs_go_with_their_conversation(engine: Engine, tmp_path: Path) -> None:
    await talked(engine, "old", 0)
    await talked(engine, "new", 5)
    file = tmp_path / "checkpoints.sqlite"
    with closing(sqlite3.connect(file)) as made:
        made.execute("CREATE TABLE checkpoints (thread_id TEXT, checkpoint_id TEXT)")
        made.execute("CREATE TABLE writes (thread_id TEXT)")
        for thread in ("old", "new"):
            made.execute("INSERT INTO checkpoints VALUES (?, '1')", (f'["acme", "{thread}"]',))
        made.commit()
    aging = AgingConversations(engine, CheckpointsStore(file, SqlThreads(engine)))
    assert await aging.sweep("acme", NOON + 3 * DAY, NOBODY) == 1
    with closing(sqlite3.connect(file)) as left:
        assert left.execute("SELECT thread_id FROM checkpoints").fetchall() == [
            ('["acme", "new"]',)
        ]
