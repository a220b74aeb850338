"""The tables, and what an engine of this log needs besides."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from guardrails.revisions import migrate
from onboarding.store.events.partitions import make_partitions

_UPGRADE_LOCK: Final = 0x65766C67
LOG_PAGES: Final = 16_000
"""At 64 MB a writer moves SQLite's log into the file itself; until then `move_log` does it beside
them, so that no commit waits for it."""
CACHE_KB: Final = 65_536
"""Message ids fall anywhere into their index: with SQLite's 2 MB its pages are read again and
again once there are some ten thousand events."""

_log = structlog.get_logger(__name__)


def upgrade(engine: Engine, now: datetime) -> None:
    """Bring the tables to the newest revision, and make the months that are missing."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare)
        engine.dispose()  # connections that are there already were not prepared
    migrate(engine, "onboarding.store.events:migrations", _UPGRADE_LOCK)
    make_partitions(engine, now)


def move_log(engine: Engine) -> bool:
    """Called each second or so on SQLite; it waits for nobody, and nobody for it. False where the
    file is busy or cannot be had: the next time will do."""
    if engine.dialect.name != "sqlite":
        return True
    try:
        with engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except (OperationalError, sqlite3.OperationalError) as failure:
        _log.warning("events.log_not_moved", error=type(failure).__name__)
        return False
    return True


def _prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    connection.execute(f"PRAGMA cache_size=-{CACHE_KB}")
    connection.execute(f"PRAGMA wal_autocheckpoint={LOG_PAGES}")
