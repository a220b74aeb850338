"""Sixty-four decisions at once, from processes and threads, on SQLite and PostgreSQL: one wins.

`EMBARK_TEST_SQL_RACES` sets the count a dialect; 1,000 in a soak.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests import forking
from tests.e2e.killing.failpoints import Failpoints
from tests.e2e.killing.parts import journal_urls, open_journal, prepare_journal
from tests.tools.acting import racing
from tests.tools.acting.floor import Floor, person
from tests.tools.twins import manifest
from tools.journal import Action, State
from tools.types import Tier

RACES = int(os.environ.get("EMBARK_TEST_SQL_RACES", "10"))
WAYS = racing.PROCESSES * racing.THREADS


@pytest.fixture(params=["sqlite", "postgres"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with journal_urls(request.param, tmp_path) as url:
        prepare_journal(url, tmp_path)
        yield url


async def cards(url: str, folder: Path) -> Sequence[Action]:
    journal = open_journal(url, folder, Failpoints(""))
    floor = Floor(manifest(tier=Tier.R2), journal=journal)
    made = []
    for number in range(RACES):
        asks = person(f"asks{number}")
        made.append(await floor.desk.prepare(floor.request({"name": "n"}, asks, f"k{number}")))
    await journal.close()
    return made


async def left(url: str, folder: Path, actions: Sequence[Action]) -> list[tuple[State, int]]:
    journal = open_journal(url, folder, Failpoints(""))
    found = [
        (
            (await journal.action("t", action.id)).state,
            len(await journal.approvals("t", action.id)),
        )
        for action in actions
    ]
    await journal.close()
    return found


def test_one_of_sixty_four_wins_and_one_of_sixty_four_does_it(journal: str, tmp_path: Path) -> None:
    actions = asyncio.run(cards(journal, tmp_path))
    assert {action.state for action in actions} == {State.PENDING}
    course = racing.Course(journal, str(tmp_path), actions)
    context = forking.context()
    with context.Manager() as manager, ProcessPoolExecutor(racing.PROCESSES, context) as pool:
        start = manager.Barrier(racing.PROCESSES)
        runs = [pool.submit(racing.run, course, n, start) for n in range(racing.PROCESSES)]
        wins = [run.result(timeout=120) for run in runs]
    approved, claimed, codes = (Counter[str]() for _ in range(3))
    for each in wins:
        approved.update(each.approved)
        claimed.update(each.claimed)
        codes.update(each.codes)
    everybody = {action.id: 1 for action in actions}
    assert approved == everybody
    assert claimed == everybody
    assert codes.keys() <= {"approved", "not_pending", "already_decided"}
    assert (codes["approved"], codes.total()) == (RACES, RACES * WAYS)
    assert asyncio.run(left(journal, tmp_path, actions)) == [(State.STARTED, 1)] * RACES
