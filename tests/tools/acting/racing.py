"""Sixty-four racers over one journal: processes of threads, each with an event loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from tests.e2e.killing.failpoints import Failpoints
from tests.e2e.killing.parts import open_journal
from tests.tools.acting.floor import Floor, person, yes
from tests.tools.twins import manifest
from tools.journal import Action, ApprovalError, IllegalMoveError, Journal
from tools.types import Tier

_T = TypeVar("_T")
PROCESSES, THREADS = 4, 16


@dataclass(frozen=True, slots=True)
class Course:
    """What every racer runs through: for each action, all decide; then all claim."""

    journal: str
    folder: str
    actions: Sequence[Action]


class Wins(NamedTuple):
    """Of one process: by action, how many of its racers won, and how the others lost."""

    approved: dict[str, int]
    claimed: dict[str, int]
    codes: dict[str, int]


def run(course: Course, process: int, start: threading.Barrier) -> Wins:
    """Threads of a process wait for each other first, then for those of the other processes."""
    journal = open_journal(course.journal, Path(course.folder), Failpoints(""))
    wins, lock = Wins({}, {}, {}), threading.Lock()
    inner = threading.Barrier(THREADS, action=lambda: _together(start))

    def count(of: dict[str, int], key: str) -> None:
        with lock:
            of[key] = of.get(key, 0) + 1

    def race(thread: int) -> None:
        for number, action in enumerate(course.actions):
            inner.wait()
            # every other race is one person in many places
            name = f"p{process}-{thread}" if number % 2 else "p"
            code = _now(_decide(journal, action, name))
            count(wins.codes, code)
            if code == "approved":
                count(wins.approved, action.id)
            inner.wait()
            if _now(_claimed(journal, action, name)):
                count(wins.claimed, action.id)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(race, range(THREADS)))
    _now(journal.close())
    return wins


def _now(work: Coroutine[None, None, _T]) -> _T:
    return asyncio.run(work)


def _together(start: threading.Barrier) -> None:
    start.wait()


async def _decide(journal: Journal, action: Action, name: str) -> str:
    floor = Floor(manifest(tier=Tier.R2), journal=journal)
    approver = person(name, login=await journal.now())
    try:
        await floor.desk.decide("t", yes(action, approver))
    except ApprovalError as refused:
        return refused.code
    return "approved"


async def _claimed(journal: Journal, action: Action, name: str) -> bool:
    try:
        return await journal.claim(name, 60.0, action.id) is not None
    except IllegalMoveError:
        return False
