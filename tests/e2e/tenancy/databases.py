"""Databases with all tables: a file, perhaps copied, or a schema of PostgreSQL of a plain role."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agent.conversations_sql import open_engine as open_conversations
from tests.e2e.tenancy.stores import Stores, opened, prepare
from tests.postgres import own_schema
from tools.store.engine import open_engine

_QUICK = "?options=-csearch_path%3D{schema}%20-csynchronous_commit%3Doff"


@asynccontextmanager
async def sqlite(
    file: Path, template: Path | None = None, *, make: bool = True
) -> AsyncIterator[Stores]:
    """A new database, a copy of `template`, or without `make` one that is there."""
    if template is not None:
        shutil.copyfile(template, file)
    engine, conversations = (
        open_engine(f"sqlite:///{file}"),
        open_conversations(f"sqlite:///{file}"),
    )
    try:
        if template is None and make:
            prepare(engine, conversations)
        async with opened(engine, conversations) as stores:
            yield stores
            await stores.conversations.close()
            await stores.journal.close()
    finally:
        engine.dispose()
        conversations.dispose()


@asynccontextmanager
async def postgres() -> AsyncIterator[Stores]:
    """Skips where no server runs. What a crash would lose does not matter here."""
    with own_schema() as place:
        url = place.url + _QUICK.format(schema=place.schema)
        engine, conversations = open_engine(url), open_conversations(url)
        try:
            prepare(engine, conversations)
            async with opened(engine, conversations) as stores:
                yield stores
                await stores.conversations.close()
                await stores.journal.close()
        finally:
            engine.dispose()
            conversations.dispose()
