"""Where a paused conversation waits. Checkpoints are untrusted input: plain values only.

Two locks, each enough alone: langgraph's strict mode, which it reads once at import and
`agent/__init__.py` sets, and a serialiser without pickle and without revival of types.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde import _msgpack
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver


class UnsafeCheckpointsError(RuntimeError):
    """Checkpoints could revive arbitrary objects: the process must not start."""


def checkpoint_serializer() -> JsonPlusSerializer:
    """The only serialiser that checkpoints may use.

    Raises UnsafeCheckpointsError when langgraph was imported without its strict mode.
    """
    if not _msgpack.STRICT_MSGPACK_ENABLED:
        raise UnsafeCheckpointsError(
            "langgraph was imported before `agent` and is not in strict mode: import `agent` "
            "first, or set LANGGRAPH_STRICT_MSGPACK=true in the environment"
        )
    return JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=None)


def memory_saver() -> BaseCheckpointSaver[str]:
    """Checkpoints in process memory. Raises UnsafeCheckpointsError."""
    return InMemorySaver(serde=checkpoint_serializer())


@asynccontextmanager
async def sqlite_saver(file: Path) -> AsyncIterator[BaseCheckpointSaver[str]]:
    """Checkpoints in an SQLite file, made when it is not there. Raises UnsafeCheckpointsError."""
    serializer = checkpoint_serializer()
    async with aiosqlite.connect(file) as connection:
        saver = AsyncSqliteSaver(connection, serde=serializer)
        await saver.setup()
        await connection.execute("PRAGMA synchronous=NORMAL")
        yield saver
