"""Starts the processes, kills them, starts them again, and checks what is left.

Checked at the end: every accepted key is one action that ended; the target counted at most one
effect an action, exactly one where it succeeded, none where it failed; nothing of class O was sent
twice; every ended action has its receipt or is an unknown that was told of; the chain verifies.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from random import Random
from typing import Any

from tests.e2e.killing import worker as processes
from tests.e2e.killing.checks import Findings, check, drained
from tests.e2e.killing.failpoints import (
    CLERK_CALLS,
    HTTP_POINTS,
    SQL_POINTS,
    WORKER_CALLS,
    Failpoints,
    points,
)
from tests.e2e.killing.parts import prepare_journal
from tests.e2e.killing.tools import Client

ROOT = Path(__file__).parents[3]
RARE = frozenset({"renew", "resolve", "postpone", "read_back", "unresolved", "expire"})
"""Calls that a short life seldom comes by: their points get more time."""
PATIENT_S, LIFE_S = 6.0, 1.5
"""How long a process may take to come by its point before it is killed where it is."""
DRAIN_S = 60.0
SHARE_AT_RANDOM = 0.35


@dataclass(slots=True)
class _Member:
    """One place of the cast, and the process that fills it now."""

    role: str
    process: ForkServerProcess
    number: int
    point: str
    dies_at: float


@dataclass(slots=True)
class Lives:
    """When each process began and how it died."""

    began: dict[int, float] = field(default_factory=dict)
    died: dict[int, float] = field(default_factory=dict)
    points: Counter[str] = field(default_factory=Counter)


@dataclass
class KillLoop:
    """`journal` is a URL; `folder` holds everything of this run."""

    journal: str
    folder: Path
    kills: int
    seed: int
    port: int = 0
    lives: Lives = field(default_factory=Lives)

    def run(self) -> Findings:
        rng = Random(self.seed)
        prepare_journal(self.journal, self.folder)
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.e2e.killing.worker"])
        with _target(self.seed) as self.port:
            began = time.monotonic()
            cast = [self._start(context, role, rng) for role in ("clerk", "worker", "worker")]
            self._kill(context, cast, rng)
            took_s = time.monotonic() - began
            _end(cast[:1])
            self._drain(context, cast[1:])
            effects = asyncio.run(_effects(self.port))
        findings = asyncio.run(check(self.journal, self.folder, effects, self._events()))
        findings.kills, findings.took_s = sum(self.lives.points.values()), took_s
        findings.points = self.lives.points
        self._recoveries(findings)
        return findings

    def _kill(self, context: ForkServerContext, cast: list[_Member], rng: Random) -> None:
        while sum(self.lives.points.values()) < self.kills:
            for place, member in enumerate(cast):
                now = time.monotonic()
                if member.process.is_alive() and now < member.dies_at:
                    continue
                point = member.point if not member.process.is_alive() else "at_random"
                member.process.kill()
                member.process.join()
                if member.process.exitcode != -9:
                    raise RuntimeError(f"a {member.role} ended by itself: {self.folder}")
                self.lives.died[member.number] = time.monotonic()
                self.lives.points[point] += 1
                cast[place] = self._start(context, member.role, rng)
            time.sleep(0.002)

    def _start(self, context: ForkServerContext, role: str, rng: Random) -> _Member:
        number = len(self.lives.began)
        point, life_s = _chosen(role, rng)
        config = processes.Config(
            role="clerk" if role == "clerk" else "worker",
            number=number,
            journal=self.journal,
            port=self.port,
            folder=str(self.folder),
            kill_at=point,
            first_key=self._next_key() if role == "clerk" else 0,
            seed=rng.randrange(2**32),
        )
        self.lives.began[number] = time.monotonic()
        process = context.Process(target=processes.run, args=(config,), daemon=True)
        process.start()
        return _Member(role, process, number, point.split(":")[0], time.monotonic() + life_s)

    def _next_key(self) -> int:
        return sum(event["event"] == "accepted" for event in self._events())

    def _drain(self, context: ForkServerContext, cast: Sequence[_Member]) -> None:
        """Workers that nobody kills bring everything to its end."""
        _end(cast)
        clean = []
        for _ in cast:
            number = len(self.lives.began)
            config = processes.Config(
                "worker", number, self.journal, self.port, str(self.folder), seed=number
            )
            self.lives.began[number] = time.monotonic()
            process = context.Process(target=processes.run, args=(config,), daemon=True)
            process.start()
            clean.append(_Member("worker", process, number, "", 0))
        try:
            asyncio.run(_drained(self.journal, self.folder))
        finally:
            _end(clean)

    def _events(self) -> list[Mapping[str, Any]]:
        log = self.folder / "log.jsonl"
        lines = log.read_text().splitlines() if log.exists() else []
        return [json.loads(line) for line in lines]

    def _recoveries(self, findings: Findings) -> None:
        """For every action that a dead worker had in hand: from its death, and from the start of
        the next worker after it, to the claim that goes on with it."""
        held: dict[str, int] = {}
        for event in self._events():
            action, process = event.get("action", ""), event["process"]
            if event["event"] in {"settled", "postponed"}:
                held.pop(action, None)
            if event["event"] != "claimed":
                continue
            before = held.get(action)
            held[action] = process
            died = self.lives.died.get(before) if before is not None else None
            if before is None or died is None or before == process:
                continue
            restarted = min(began for began in self.lives.began.values() if began >= died)
            findings.after_death.append(event["at"] - died)
            findings.after_restart.append(max(event["at"] - restarted, 0.0))


def _chosen(role: str, rng: Random) -> tuple[str, float]:
    """A point and how long to wait for it; no point: a random moment."""
    if rng.random() < SHARE_AT_RANDOM:
        return "", rng.uniform(0.02, 0.6)
    calls = CLERK_CALLS if role == "clerk" else WORKER_CALLS
    inside = SQL_POINTS if role == "clerk" else (*SQL_POINTS, *HTTP_POINTS)
    point = rng.choice((*points(calls), *inside))
    rare = point.split(".")[0] in RARE
    number = rng.randint(1, 2) if rare else rng.randint(1, 12)
    return f"{point}:{number}", PATIENT_S if rare else LIFE_S


@contextmanager
def _target(seed: int) -> Iterator[int]:
    command = [sys.executable, "-m", "tests.e2e.killing.target", str(seed)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def _end(cast: Sequence[_Member]) -> None:
    for member in cast:
        member.process.kill()
        member.process.join()


async def _effects(port: int) -> Mapping[str, Mapping[str, int]]:
    answer = await Client(port, Failpoints("")).ask("GET", "/effects", "")
    return answer.body  # type: ignore[return-value]


async def _drained(journal: str, folder: Path) -> None:
    await asyncio.wait_for(drained(journal, folder), DRAIN_S)
