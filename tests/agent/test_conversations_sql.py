from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, text

from agent import Conversations, ConversationsUnavailableError, Status
from agent.conversations_sql import SqlConversations, open_engine, upgrade
from agent.tables import VERSION_TABLE, metadata
from tests.contracts.conversations import ConversationsContract, logged, question, reply
from tests.postgres import own_schema


class TestSqliteConversations(ConversationsContract):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[Conversations]:
        engine = open_engine(f"sqlite:///{tmp_path}/conversations.db")
        upgrade(engine)
        conversations = SqlConversations(engine)
        yield conversations
        await conversations.close()


class TestPostgresConversations(ConversationsContract):
    @pytest.fixture
    def engine(self) -> Iterator[Engine]:
        """An engine whose tables lie in a schema of this test's own."""
        with own_schema() as place:
            engine = open_engine(place.url_there)
            yield engine
            engine.dispose()

    @pytest.fixture
    async def store(self, engine: Engine) -> AsyncIterator[Conversations]:
        upgrade(engine)
        conversations = SqlConversations(engine)
        yield conversations
        await conversations.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path}/conversations.db")
    upgrade(engine)
    yield engine
    engine.dispose()


def test_migrations_make_the_tables_that_the_code_expects(engine: Engine) -> None:
    made = inspect(engine)
    assert set(made.get_table_names()) == {*metadata.tables, VERSION_TABLE}
    for name, table in metadata.tables.items():
        columns = {column["name"]: column for column in made.get_columns(name)}
        assert set(columns) == set(table.columns.keys())
        assert all(columns[c.name]["nullable"] == c.nullable for c in table.columns)
        assert made.get_pk_constraint(name)["constrained_columns"] == [
            column.name for column in table.primary_key
        ]
        assert made.get_pk_constraint(name)["constrained_columns"][0] == "tenant"


def test_upgrading_twice_changes_nothing(engine: Engine) -> None:
    upgrade(engine)
    with engine.connect() as connection:
        versions = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).all()
    assert len(versions) == 1


def test_sqlite_is_set_up_for_a_server(engine: Engine) -> None:
    with engine.connect() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }
    assert settings == {
        "journal_mode": "wal",
        "synchronous": 1,
        "busy_timeout": 10_000,
        "foreign_keys": 1,
    }


async def test_a_second_store_reads_what_the_first_has_written(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/conversations.db"
    engine = open_engine(url)
    upgrade(engine)
    first, second = SqlConversations(engine), SqlConversations(open_engine(url))
    opened = await first.open(question())
    await second.finish(opened.question, reply("a1"))
    kept = await first.conversation("acme", "t1")
    assert kept is not None
    assert [m.status for m in kept.messages] == [Status.DONE, Status.DONE]
    await first.close()
    await second.close()


async def test_a_store_that_is_not_there_says_so(tmp_path: Path) -> None:
    conversations = SqlConversations(open_engine(f"sqlite:///{tmp_path}/missing/c.db"))
    with pytest.raises(ConversationsUnavailableError, match="does not answer"):
        await conversations.open(question())
    await conversations.close()


_WRITER = """
import asyncio, sys
from agent.conversations_sql import SqlConversations, open_engine
from tests.contracts.conversations import logged, question, reply

async def main():
    store = SqlConversations(open_engine(sys.argv[1]))
    for i in range(10_000):
        opened = await store.open(question(f"m{i}"))
        print(f"asked m{i}", flush=True)
        await store.finish(opened.question, reply(f"a{i}", reply().answer, *logged(i + 1)))
        print(f"answered m{i}", flush=True)

asyncio.run(main())
"""


async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/conversations.db"
    engine = open_engine(url)
    upgrade(engine)
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WRITER, url, stdout=asyncio.subprocess.PIPE
    )
    assert writer.stdout is not None
    acknowledged = [(await writer.stdout.readline()).decode().split() for _ in range(60)]
    writer.send_signal(signal.SIGKILL)
    await writer.wait()
    store = SqlConversations(engine)
    kept = await store.conversation("acme", "t1")
    assert kept is not None
    known = {m.message_id for m in kept.messages}
    assert {name for what, name in acknowledged if what == "asked"} <= known
    for what, name in acknowledged:
        assert what == "asked" or kept.answer_to(name) is not None
    answered = [m for m in kept.messages if m.role == "assistant"]
    assert len(await store.events("acme", "t1")) == len(answered)
    await store.append("acme", "t1", logged(1_000_000))
    await store.close()
