"""Conversations in SQL: SQLite by default, PostgreSQL by URL, through SQLAlchemy Core.

Calls run in worker threads, on SQLite in a single one: it has one writer anyway, and a queue is
fairer and quicker than its busy handler.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypeVar

from alembic import command
from alembic.config import Config
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    and_,
    create_engine,
    event,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from agent.conversations import (
    EVENT_BLOCK,
    HISTORY,
    UNANSWERED,
    Conversation,
    ConversationsUnavailableError,
    LoggedEvent,
    Message,
    Opened,
    Question,
    Reply,
    Status,
    UnknownThreadError,
    answer_message,
    question_message,
)
from agent.tables import conversation, message, message_of, row_of, run_event
from guardrails.tenancy import EVERYBODY, confine, within

BUSY_TIMEOUT_MS = 10_000
"""How long SQLite waits for a lock that another process holds."""
POSTGRES_THREADS = 8
_T = TypeVar("_T")


def open_engine(url: str) -> Engine:
    """An engine for `sqlite:///file.db` or `postgresql+psycopg://...`, set up as this store needs.

    SQLite: write-ahead log, `synchronous=NORMAL` (a power cut may lose the last commits, a killed
    process none), immediate transactions, foreign keys.
    """
    engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_immediate)
    confine(engine)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver's own transaction handling is switched off
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "secure_delete=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def upgrade(engine: Engine) -> None:
    """Bring the tables to the newest revision; nothing happens when they are there."""
    config = Config()
    config.set_main_option("script_location", "agent:migrations")
    config.set_main_option("path_separator", "os")
    with within(EVERYBODY), engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


class SqlConversations:
    """Conversations over an engine whose tables `upgrade` has made. `close` disposes of it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        single = engine.dialect.name == "sqlite"
        self._insert = sqlite.insert if single else postgresql.insert
        self._threads = ThreadPoolExecutor(
            1 if single else POSTGRES_THREADS, thread_name_prefix="conversations"
        )

    async def open(self, question: Question) -> Opened:
        return await self._run(question.tenant, lambda c: self._open(c, question))

    async def reserve(self, tenant: str, thread_id: str) -> int:
        return await self._run(tenant, lambda c: _take_block(c, tenant, thread_id))

    async def finish(self, question: Message, reply: Reply) -> Message:
        return await self._run(question.tenant, lambda c: self._finish(c, question, reply))

    async def interrupt(self, question: Message, events: Sequence[LoggedEvent]) -> None:
        await self._run(question.tenant, lambda c: self._interrupt(c, question, events))

    async def append(self, tenant: str, thread_id: str, events: Sequence[LoggedEvent]) -> None:
        if events:
            await self._run(tenant, lambda c: self._append_known(c, tenant, thread_id, events))

    async def events(self, tenant: str, thread_id: str, after: int = 0) -> tuple[LoggedEvent, ...]:
        return await self._run(tenant, lambda c: _events(c, tenant, thread_id, after))

    async def conversation(self, tenant: str, thread_id: str) -> Conversation | None:
        return await self._run(tenant, lambda c: _conversation(c, tenant, thread_id))

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.dispose()

    async def _run(self, tenant: str, work: Callable[[Connection], _T]) -> _T:
        def call() -> _T:
            try:
                with within(tenant), self._engine.begin() as connection:
                    return work(connection)
            except OperationalError as error:
                raise ConversationsUnavailableError(
                    f"the conversation database does not answer: {error.orig}"
                ) from error

        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def _open(self, connection: Connection, question: Question) -> Opened:
        first, seq = self._reserve(connection, question)
        asked = question_message(question, seq)
        fresh = self._insert(message).values(row_of(asked)).on_conflict_do_nothing()
        if connection.execute(fresh).rowcount == 1:
            return Opened(asked, _before(connection, asked), None, first)
        thread = _of_thread(question.tenant, question.thread_id)
        asked = _one(connection, thread, message.c.message_id == question.message_id) or asked
        answer = _one(connection, thread, message.c.reply_to == question.message_id)
        return Opened(asked, _before(connection, asked), answer, first)

    def _reserve(self, connection: Connection, question: Question) -> tuple[int, int]:
        """A block of event numbers and a place in the thread, which is made when it is new.

        The row's lock serialises everything that follows within the thread; a place that is not
        used after all is a gap in `seq`, which only has to rise.
        """
        new = self._insert(conversation).values(
            tenant=question.tenant,
            thread_id=question.thread_id,
            created=question.created.isoformat(),
            last_seq=1,
            next_event=1 + EVENT_BLOCK,
            subject=question.subject,
        )
        taken = new.on_conflict_do_update(
            index_elements=[conversation.c.tenant, conversation.c.thread_id],
            set_={
                "last_seq": conversation.c.last_seq + 1,
                "next_event": conversation.c.next_event + EVENT_BLOCK,
            },
        ).returning(conversation.c.next_event, conversation.c.last_seq, conversation.c.subject)
        after, seq, subject = connection.execute(taken).one()
        if subject != question.subject:  # raising takes the block back
            raise UnknownThreadError(question.tenant, question.thread_id)
        return after - EVENT_BLOCK, seq

    def _finish(self, connection: Connection, question: Message, reply: Reply) -> Message:
        key = (question.tenant, question.thread_id)
        status = Status.REFUSED if reply.answer.refused else Status.DONE
        if not _settle(connection, question, status):
            answer = _one(connection, _of_thread(*key), message.c.reply_to == question.message_id)
            if answer is None:
                raise UnknownThreadError(*key)
            return answer
        answer = answer_message(question, reply, _next_seq(connection, *key))
        connection.execute(message.insert().values(row_of(answer)))
        self._append(connection, *key, reply.events)
        return answer

    def _interrupt(
        self, connection: Connection, question: Message, events: Sequence[LoggedEvent]
    ) -> None:
        if _settle(connection, question, Status.INTERRUPTED):
            self._append(connection, question.tenant, question.thread_id, events)

    def _append_known(
        self, connection: Connection, tenant: str, thread_id: str, events: Sequence[LoggedEvent]
    ) -> None:
        _require(connection, tenant, thread_id)
        self._append(connection, tenant, thread_id, events)

    def _append(
        self, connection: Connection, tenant: str, thread_id: str, events: Sequence[LoggedEvent]
    ) -> None:
        if not events:
            return
        rows = [
            {
                "tenant": tenant,
                "thread_id": thread_id,
                "event_id": logged.id,
                "run_id": logged.run_id,
                "payload": logged.payload,
            }
            for logged in events
        ]
        connection.execute(self._insert(run_event).on_conflict_do_nothing(), rows)


def _take_block(connection: Connection, tenant: str, thread_id: str) -> int:
    after: int | None = connection.execute(
        update(conversation)
        .where(conversation.c.tenant == tenant, conversation.c.thread_id == thread_id)
        .values(next_event=conversation.c.next_event + EVENT_BLOCK)
        .returning(conversation.c.next_event)
    ).scalar()
    if after is None:
        raise UnknownThreadError(tenant, thread_id)
    return after - EVENT_BLOCK


def _next_seq(connection: Connection, tenant: str, thread_id: str) -> int:
    seq: int = connection.execute(
        update(conversation)
        .where(conversation.c.tenant == tenant, conversation.c.thread_id == thread_id)
        .values(last_seq=conversation.c.last_seq + 1)
        .returning(conversation.c.last_seq)
    ).scalar_one()
    return seq


def _settle(connection: Connection, question: Message, status: Status) -> bool:
    """Set the status of a question that nothing has answered; whether it was so."""
    marked = connection.execute(
        update(message)
        .where(
            _of_thread(question.tenant, question.thread_id),
            message.c.message_id == question.message_id,
            message.c.status.in_(UNANSWERED),
        )
        .values(status=status)
    )
    return marked.rowcount == 1


def _require(connection: Connection, tenant: str, thread_id: str) -> None:
    known = select(conversation.c.tenant).where(
        conversation.c.tenant == tenant, conversation.c.thread_id == thread_id
    )
    if connection.execute(known).first() is None:
        raise UnknownThreadError(tenant, thread_id)


def _one(connection: Connection, *which: ColumnElement[bool]) -> Message | None:
    row = connection.execute(select(message).where(*which)).mappings().first()
    return None if row is None else message_of(row)


def _of_thread(tenant: str, thread_id: str) -> ColumnElement[bool]:
    return and_(message.c.tenant == tenant, message.c.thread_id == thread_id)


def _before(connection: Connection, asked: Message) -> tuple[Message, ...]:
    rows = connection.execute(
        select(message)
        .where(_of_thread(asked.tenant, asked.thread_id), message.c.seq < asked.seq)
        .order_by(message.c.seq.desc())
        .limit(HISTORY)
    )
    return tuple(reversed([message_of(row) for row in rows.mappings()]))


def _conversation(connection: Connection, tenant: str, thread_id: str) -> Conversation | None:
    head = connection.execute(
        select(conversation.c.created, conversation.c.subject).where(
            conversation.c.tenant == tenant, conversation.c.thread_id == thread_id
        )
    ).first()
    if head is None:
        return None
    rows = connection.execute(
        select(message).where(_of_thread(tenant, thread_id)).order_by(message.c.seq)
    )
    said = tuple(message_of(row) for row in rows.mappings())
    return Conversation(tenant, thread_id, datetime.fromisoformat(head.created), said, head.subject)


def _events(
    connection: Connection, tenant: str, thread_id: str, after: int
) -> tuple[LoggedEvent, ...]:
    rows = connection.execute(
        select(run_event.c.event_id, run_event.c.run_id, run_event.c.payload)
        .where(
            run_event.c.tenant == tenant,
            run_event.c.thread_id == thread_id,
            run_event.c.event_id > after,
        )
        .order_by(run_event.c.event_id)
    )
    return tuple(LoggedEvent(*row) for row in rows)
