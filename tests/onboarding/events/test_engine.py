"""What an engine of the log needs besides its tables."""

from __future__ import annotations

import shutil
import sqlite3
from functools import partial
from pathlib import Path

from sqlalchemy import event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from onboarding.store.events.engine import move_log, upgrade
from tests.contracts.events import NOON
from tests.guardrails.databases import sqlite


def _hasty(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    connection.execute("PRAGMA busy_timeout=1")


def test_the_log_is_moved_beside_its_writers(tmp_path: Path) -> None:
    with sqlite(tmp_path, partial(upgrade, now=NOON)) as engine, engine.begin() as writing:
        writing.execute(text("DELETE FROM event_reader"))
        assert move_log(engine)


def test_a_busy_file_is_left_for_the_next_time(tmp_path: Path) -> None:
    with sqlite(tmp_path, partial(upgrade, now=NOON)) as engine:
        event.listen(engine, "connect", _hasty)
        engine.dispose()
        other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
        try:
            other.execute("PRAGMA locking_mode=EXCLUSIVE")
            other.execute("DELETE FROM event_reader")
            assert not move_log(engine)
        finally:
            other.close()
        assert move_log(engine)


def test_a_file_that_went_away_ends_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    with sqlite(folder, partial(upgrade, now=NOON)) as engine:
        engine.dispose()
        shutil.rmtree(folder)
        assert not move_log(engine)
