"""SIGKILL at any moment: what `settle` vouched for is in the record, once and whole.

`EMBARK_TEST_WRITER_KILLS` sets the number of kills a dialect; 100 in a soak.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
from sqlalchemy import Engine, text

from guardrails.decisions import Outcome, Wanted
from guardrails.decisions.sql import SqlDecisions, upgrade
from guardrails.tenancy import within
from tests.guardrails.databases import sqlite
from tests.postgres import own_schema
from tools.store.engine import open_engine

KILLS = int(os.environ.get("EMBARK_TEST_WRITER_KILLS", "3"))
SEED = int(os.environ.get("EMBARK_TEST_SEED", "20260302"))
ROOT = Path(__file__).parents[3]
LIFE_S = (0.0, 0.4)
"""From the first acknowledgement to the kill."""
APART = 1_000_000


class Database(NamedTuple):
    engine: Engine
    arguments: tuple[str, str]


@contextmanager
def _sqlite(folder: Path) -> Iterator[Database]:
    with sqlite(folder, upgrade) as engine:
        yield Database(engine, (f"sqlite:///{folder}/store.db", "-"))


@contextmanager
def _postgres(_folder: Path) -> Iterator[Database]:
    with own_schema() as place:
        engine = open_engine(place.url, place.schema)
        try:
            upgrade(engine)
            yield Database(engine, (place.url, place.schema))
        finally:
            engine.dispose()


def killed(arguments: tuple[str, str], start: int, life_s: float) -> list[str]:
    """Ids acknowledged by a process that was killed; a line cut short counts for nothing."""
    command = [sys.executable, "-m", "tests.guardrails.decisions.crashing", *arguments, str(start)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(life_s)
        process.send_signal(signal.SIGKILL)
        said = first + process.stdout.read()
    assert process.returncode == -signal.SIGKILL, "it ended by itself"
    whole = said[: said.rfind("\n") + 1]
    return whole.split()


Opened = Callable[[Path], AbstractContextManager[Database]]


@pytest.mark.parametrize("database", [_sqlite, _postgres])
async def test_what_was_acknowledged_outlives_a_kill(database: Opened, tmp_path: Path) -> None:
    rng = Random(SEED)
    with database(tmp_path) as (engine, arguments):
        record = SqlDecisions(engine)
        safe: list[str] = []
        for kill in range(KILLS):
            safe += killed(arguments, kill * APART, rng.uniform(*LIFE_S))
        assert len(safe) >= 7 * KILLS
        for id in safe:
            found = await record.get("t", id)
            assert found is not None, f"lost {id} (seed {SEED})"
            assert [update.outcome for update in found.updates] == [Outcome.HELPFUL]
        _whole(engine)
        assert (await record.query("t", Wanted(subject="ana"), limit=1)).rows != ()


def _whole(engine: Engine) -> None:
    """No update without its decision, whatever the moment of the kill."""
    lone = "SELECT count(*) FROM decision_outcome o WHERE NOT EXISTS" + (
        " (SELECT 1 FROM decision d WHERE d.tenant = o.tenant AND d.id = o.decision_id)"
    )
    with within("t"), engine.connect() as connection:
        assert connection.scalar(text(lone)) == 0
        if engine.dialect.name == "sqlite":
            assert connection.scalar(text("PRAGMA integrity_check")) == "ok"
