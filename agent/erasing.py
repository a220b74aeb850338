"""Conversations and what waits of them, of one person: copied, erased, counted.

A conversation is found by its owner, a checkpoint by its conversation. Checkpoints of this tenant
that no conversation is left of go with any erasure: a run that was cut off may have left them.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from sqlalchemy import Connection, Engine, delete, select

from agent.checkpoints import checkpoint_serializer
from agent.conversations import Conversations, MemoryConversations, Message
from agent.tables import conversation
from guardrails.tenancy import within

T = TypeVar("T")
Unveil = Callable[[str, str, str, str], Awaitable[str]]
"""Tenant, subject, thread, text -> the text with its owner's own values in it."""
BUSY_S = 30.0


class Threads(Protocol):
    """Which conversations there are."""

    async def of(self, tenant: str, subject: str) -> tuple[str, ...]: ...

    async def all(self, tenant: str) -> frozenset[str]: ...

    async def forget(self, tenant: str, subject: str) -> int:
        """With their messages and event logs. How many conversations."""
        ...


class SqlThreads:
    """Over the engine of the conversations."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def of(self, tenant: str, subject: str) -> tuple[str, ...]:
        wanted = select(conversation.c.thread_id).where(
            conversation.c.tenant == tenant, conversation.c.subject == subject
        )
        return await self._run(tenant, lambda c: tuple(c.execute(wanted).scalars()))

    async def all(self, tenant: str) -> frozenset[str]:
        wanted = select(conversation.c.thread_id).where(conversation.c.tenant == tenant)
        return await self._run(tenant, lambda c: frozenset(c.execute(wanted).scalars()))

    async def forget(self, tenant: str, subject: str) -> int:
        gone = delete(conversation).where(
            conversation.c.tenant == tenant, conversation.c.subject == subject
        )
        return await self._run(tenant, lambda c: c.execute(gone).rowcount)

    async def _run(self, tenant: str, work: Callable[[Connection], T]) -> T:
        def call() -> T:
            with within(tenant), self._engine.begin() as connection:
                return work(connection)

        return await asyncio.to_thread(call)


class MemoryThreads:
    """The twin, over conversations in memory."""

    def __init__(self, conversations: MemoryConversations) -> None:
        self._kept = conversations._threads

    async def of(self, tenant: str, subject: str) -> tuple[str, ...]:
        return tuple(
            thread_id
            for (owner, thread_id), thread in self._kept.items()
            if (owner, thread.subject) == (tenant, subject)
        )

    async def all(self, tenant: str) -> frozenset[str]:
        return frozenset(thread_id for owner, thread_id in self._kept if owner == tenant)

    async def forget(self, tenant: str, subject: str) -> int:
        gone = await self.of(tenant, subject)
        for thread_id in gone:
            del self._kept[tenant, thread_id]
        return len(gone)


class ConversationsStore:
    """Messages and the event logs of runs; a `PersonalStore`."""

    name = "conversations"

    def __init__(
        self, threads: Threads, conversations: Conversations, unveil: Unveil | None = None
    ) -> None:
        self._threads = threads
        self._conversations = conversations
        self._unveil = unveil

    async def export(self, tenant: str, subject: str) -> AsyncIterator[str]:
        for thread_id in await self._threads.of(tenant, subject):
            found = await self._conversations.conversation(tenant, thread_id)
            for message in found.messages if found is not None else ():
                text = await self._seen(tenant, subject, thread_id, str(message.text))
                yield _line(thread_id, **_message(message, text))
            for logged in await self._conversations.events(tenant, thread_id):
                payload = json.loads(logged.payload)
                yield _line(thread_id, kind="event", id=logged.id, event=payload)

    async def erase(self, tenant: str, subject: str) -> int:
        return await self._threads.forget(tenant, subject)

    async def residue(self, tenant: str, subject: str) -> int:
        return len(await self._threads.of(tenant, subject))

    async def _seen(self, tenant: str, subject: str, thread_id: str, text: str) -> str:
        return (
            text if self._unveil is None else await self._unveil(tenant, subject, thread_id, text)
        )


class CheckpointsStore:
    """Paused runs and what a conversation remembers between turns, in the file of
    `agent.checkpoints.sqlite_saver`, which may be open elsewhere; a `PersonalStore`."""

    name = "checkpoints"

    def __init__(self, file: Path, threads: Threads) -> None:
        self._file = file
        self._threads = threads

    async def export(self, tenant: str, subject: str) -> AsyncIterator[str]:
        own = await self._threads.of(tenant, subject)
        for thread_id in own:
            for values in await asyncio.to_thread(self._values, _name(tenant, thread_id)):
                yield _line(thread_id, kind="memory", values=values)

    async def erase(self, tenant: str, subject: str) -> int:
        return await asyncio.to_thread(self._deleted, await self._doomed(tenant, subject))

    async def residue(self, tenant: str, subject: str) -> int:
        return len(await self._doomed(tenant, subject))

    async def _doomed(self, tenant: str, subject: str) -> list[str]:
        """Names as the graph gives them. What is stored is listed first: a conversation that begins
        meanwhile is in neither list."""
        stored = await asyncio.to_thread(self._stored)
        theirs = {_name(tenant, each) for each in await self._threads.of(tenant, subject)}
        known = {_name(tenant, each) for each in await self._threads.all(tenant)}
        return [name for name in stored if name in theirs or _orphan(name, tenant, known)]

    def _stored(self) -> list[str]:
        names = "SELECT thread_id FROM checkpoints UNION SELECT thread_id FROM writes"
        return [name for (name,) in self._read(names)]

    def _values(self, name: str) -> list[object]:
        """Of the newest checkpoint."""
        wanted = (
            "SELECT type, checkpoint FROM checkpoints WHERE thread_id = ? "
            "ORDER BY checkpoint_id DESC LIMIT 1"
        )
        loads = checkpoint_serializer().loads_typed
        return [loads((kind, blob))["channel_values"] for kind, blob in self._read(wanted, name)]

    def _deleted(self, names: list[str]) -> int:
        if not names:
            return 0
        with closing(self._open()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            for name in names:
                connection.execute("DELETE FROM checkpoints WHERE thread_id = ?", (name,))
                connection.execute("DELETE FROM writes WHERE thread_id = ?", (name,))
            connection.execute("COMMIT")
        return len(names)

    def _read(self, wanted: str, *values: str) -> list[Any]:
        if not self._file.exists():
            return []
        with closing(self._open()) as connection:
            made = "SELECT 1 FROM sqlite_master WHERE name = 'writes'"
            if connection.execute(made).fetchone() is None:
                return []
            return connection.execute(wanted, values).fetchall()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, timeout=BUSY_S, isolation_level=None)
        connection.execute("PRAGMA secure_delete=ON")
        return connection


class SaverCheckpoints:
    """The same through a saver, such as the one in memory, whose other threads cannot be listed."""

    name = "checkpoints"

    def __init__(self, saver: BaseCheckpointSaver[str], threads: Threads) -> None:
        self._saver = saver
        self._threads = threads

    async def export(self, tenant: str, subject: str) -> AsyncIterator[str]:
        for thread_id in await self._threads.of(tenant, subject):
            found = await self._saver.aget_tuple(_config(tenant, thread_id))
            if found is not None:
                values = found.checkpoint["channel_values"]
                yield _line(thread_id, kind="memory", values=values)

    async def erase(self, tenant: str, subject: str) -> int:
        gone = await self._kept(tenant, subject)
        for thread_id in gone:
            await self._saver.adelete_thread(_name(tenant, thread_id))
        return len(gone)

    async def residue(self, tenant: str, subject: str) -> int:
        return len(await self._kept(tenant, subject))

    async def _kept(self, tenant: str, subject: str) -> list[str]:
        own = await self._threads.of(tenant, subject)
        return [each for each in own if await self._saver.aget_tuple(_config(tenant, each))]


def _config(tenant: str, thread_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": _name(tenant, thread_id)}}


def _name(tenant: str, thread_id: str) -> str:
    """As `agent.passing` names the graph's thread."""
    return json.dumps([tenant, thread_id])


def _orphan(name: str, tenant: str, known: set[str]) -> bool:
    return name not in known and json.loads(name)[0] == tenant


def _message(message: Message, text: str) -> dict[str, object]:
    return {
        "kind": "message",
        "role": message.role,
        "text": text,
        "created": message.created.isoformat(),
        "status": message.status.value,
        "citations": [cited.url or cited.path for cited in message.citations],
        "decision": dict(message.decision),
    }


def _line(thread_id: str, **values: object) -> str:
    line = {"thread": thread_id, **values}
    return json.dumps(line, ensure_ascii=False, default=str)
