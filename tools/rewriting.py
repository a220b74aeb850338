"""Databases rewritten, so that nothing of what was deleted is left in their files.

SQLite only marks what it frees, and its log keeps what was written: the file is built anew, the log
cut to nothing. Other processes may go on; they wait while it is done.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Engine, text

from guardrails.rights import ErasureUnfinishedError
from guardrails.tenancy import EVERYBODY, within

PATIENCE_S = 30.0
"""How long others may keep the file from being rewritten; then the erasure is tried again later."""
PAUSE_S = 0.05


async def rewrite_files(folder: Path, patience_s: float = PATIENCE_S) -> None:
    """Every database of SQLite in this folder. Raises ErasureUnfinishedError when one is busy."""
    await asyncio.to_thread(_all_rewritten, folder, patience_s)


async def rewrite_tables(engine: Engine, tables: Sequence[str]) -> None:
    """On PostgreSQL dead rows are freed, as far as transactions under way allow; a file is left to
    `rewrite_files`."""
    if engine.dialect.name == "postgresql":
        await asyncio.to_thread(_vacuumed, engine, tables)


async def cut_logs(folder: Path) -> None:
    """What was overwritten in the databases of SQLite in this folder is gone from their logs too. A
    busy one is left to the next time."""
    await asyncio.to_thread(_all_cut, folder)


def _all_cut(folder: Path) -> None:
    for file in sorted(folder.glob("*.sqlite")):
        connection = sqlite3.connect(file, timeout=PAUSE_S, isolation_level=None)
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # says so when it is busy
        finally:
            connection.close()


def _all_rewritten(folder: Path, patience_s: float) -> None:
    for file in sorted(folder.glob("*.sqlite")):
        _rewritten(file, patience_s)


def _rewritten(file: Path, patience_s: float) -> None:
    until = time.monotonic() + patience_s
    connection = sqlite3.connect(file, timeout=patience_s, isolation_level=None)
    try:
        connection.execute("PRAGMA secure_delete=ON")
        while not _tried(connection):
            if time.monotonic() > until:
                raise ErasureUnfinishedError({file.name: 1})
            time.sleep(PAUSE_S)
    finally:
        connection.close()


def _tried(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("VACUUM")
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError as failure:
        if failure.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise
        return False
    return not busy


def _vacuumed(engine: Engine, tables: Sequence[str]) -> None:
    alone = engine.execution_options(isolation_level="AUTOCOMMIT")
    with within(EVERYBODY), alone.connect() as connection:
        for table in tables:
            connection.execute(text(f'VACUUM "{table}"'))
