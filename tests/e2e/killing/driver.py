"""Starts the processes, kills them, starts them again, and checks what is left.

Checked at the end: every accepted key is one action that ended; the target counted at most one
effect an action, exactly one where it succeeded, none where it failed; nothing of class O was sent
twice; every ended action has its receipt or is an unknown that was told of; the chain verifies.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from random import Random
from typing import Any, Protocol

from tests import forking
from tests.crowding import crowding
from tests.e2e.killing import harbor
from tests.e2e.killing import worker as processes
from tests.e2e.killing.checks import Findings, check, drained
from tests.e2e.killing.failpoints import (
    CLERK_CALLS,
    HTTP_POINTS,
    SQL_POINTS,
    WORKER_CALLS,
    points,
)
from tests.e2e.killing.parts import prepare_journal
from tools.journal import Action

ROOT = Path(__file__).parents[3]
FREQUENT = frozenset({"claim", "settle", "look", "run", "outbox", "sent", "sql"})
FREQUENT |= frozenset(CLERK_CALLS)
RARE = frozenset({"renew", "resolve", "postpone", "read_back"})
"""Calls that a short life seldom comes by: their points get more time."""
PATIENT_S, LIFE_S = 4.0, 1.5
"""How long a process may take to come by its point before it is killed where it is."""
SLOWER = {"counting": 1.0, "harbor": 1.5}
"""Opening the tools of a product takes a part of each life."""
DRAIN_S, DRAIN_EACH_S = 60.0, 0.1
"""What was left open grows with the kills."""
SPINS_A_LOOK = 0.002
FAULTS_A_LOOK = 0.005
"""Of the looks at the cast, one in 2 ms: some two faults a second."""
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
    target: str = "counting"
    lease_s: float = processes.PATIENCE.lease_s
    lives: Lives = field(default_factory=Lives)
    _where: str = ""
    _crowding: list[float] = field(default_factory=lambda: [1.0])
    _deck: dict[str, Iterator[str]] = field(default_factory=dict)

    def run(self) -> Findings:
        rng = Random(self.seed)
        self._deck = {
            role: _deck(all_points(role, self.target), rng) for role in ("clerk", "worker")
        }
        prepare_journal(self.journal, self.folder)
        context = forking.context()
        with _target(self.target, self.folder, self.seed) as target:
            self._where = target.prepare(self.folder)
            began = time.monotonic()
            cast = [self._start(context, role, rng) for role in ("clerk", "worker", "worker")]
            self._kill(context, cast, rng, target)
            took_s = time.monotonic() - began
            _end(cast[:1])
            target.mend()
            cold_s = self._drain(cast[1:])
            findings = asyncio.run(check(self.journal, self.folder, target.counted, self._events()))
        findings.kills, findings.took_s = sum(self.lives.points.values()), took_s
        findings.points, findings.cold_s = self.lives.points, cold_s
        findings.crowding = max(1.0, sum(self._crowding) / len(self._crowding))
        everywhere = {*all_points("clerk"), *all_points("worker", self.target)}
        findings.missed = tuple(sorted(everywhere - self.lives.points.keys()))
        self._recoveries(findings)
        return findings

    def _kill(
        self, context: ForkServerContext, cast: list[_Member], rng: Random, target: Target
    ) -> None:
        while sum(self.lives.points.values()) < self.kills:
            if rng.random() < SPINS_A_LOOK:
                self._crowding.append(crowding())
            if rng.random() < FAULTS_A_LOOK:
                target.break_something(rng)
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
        point, life_s = _chosen(self._deck[role], rng)
        life_s *= SLOWER[self.target]
        config = processes.Config(
            role="clerk" if role == "clerk" else "worker",
            number=number,
            journal=self.journal,
            target=self._where,
            folder=str(self.folder),
            kill_at=point,
            first_key=self._next_key() if role == "clerk" else 0,
            seed=rng.randrange(2**32),
            lease_s=self.lease_s,
        )
        self.lives.began[number] = time.monotonic()
        process = context.Process(target=processes.run, args=(config,), daemon=True)
        process.start()
        return _Member(role, process, number, point.split(":")[0], time.monotonic() + life_s)

    def _next_key(self) -> int:
        return sum(event["event"] == "accepted" for event in self._events())

    def _drain(self, cast: Sequence[_Member]) -> float:
        """A worker that nobody kills brings everything to its end. It is started as anybody would
        start it, without a warm parent: the seconds until it first went on with an action."""
        _end(cast)
        number = len(self.lives.began)
        config = processes.Config(
            "worker", number, self.journal, self._where, str(self.folder), seed=number
        )
        file = self.folder / "worker.json"
        file.write_text(json.dumps(asdict(config)))
        patience = DRAIN_S + self.kills * DRAIN_EACH_S
        began = self.lives.began[number] = time.monotonic()
        command = [sys.executable, "-m", "tests.e2e.killing.worker", str(file)]
        with subprocess.Popen(command, cwd=ROOT) as process:
            try:
                asyncio.run(asyncio.wait_for(drained(self.journal, self.folder), patience))
            finally:
                process.kill()
        mine = [event for event in self._events() if event["process"] == number]
        claimed = [event["at"] - began for event in mine if event["event"] == "claimed"]
        return min(claimed, default=0.0)

    def _events(self) -> list[Mapping[str, Any]]:
        log = self.folder / "log.jsonl"
        lines = log.read_text().splitlines() if log.exists() else []
        return [json.loads(line) for line in lines]

    def _recoveries(self, findings: Findings) -> None:
        """For every action that a dead worker had in hand: from its death to the claim that goes on
        with it, and the share of that in which the process that did so was there."""
        held: dict[str, int] = {}
        for event in self._events():
            action, process = event.get("action", ""), event["process"]
            if event["event"] in {"settled", "postponed"}:
                held.pop(action, None)
            if event["event"] != "claimed":
                continue
            before = held.get(action, process)
            held[action] = process
            if before == process or before not in self.lives.died:
                continue
            died = self.lives.died[before]
            findings.after_death.append(event["at"] - died)
            there = max(died, self.lives.began[process])
            findings.after_restart.append(max(event["at"] - there, 0.0))


def all_points(role: str, target: str = "harbor") -> tuple[str, ...]:
    """Those within the HTTP client are known of the counting target's alone."""
    if role == "clerk":
        return (*points(CLERK_CALLS), *SQL_POINTS)
    inside = HTTP_POINTS if target == "counting" else ()
    return (*points(WORKER_CALLS), *SQL_POINTS, *inside)


def _deck(points: Sequence[str], rng: Random) -> Iterator[str]:
    """Every point in turn, in a new order each time."""
    while True:
        yield from rng.sample(points, len(points))


def _chosen(deck: Iterator[str], rng: Random) -> tuple[str, float]:
    """A point and how long to wait for it; no point: a random moment."""
    if rng.random() < SHARE_AT_RANDOM:
        return "", rng.uniform(0.02, 0.6)
    point = next(deck)
    rare = point.split(".")[0] in RARE
    number = rng.randint(1, 8) if point.split(".")[0] in FREQUENT else 1
    return f"{point}:{number}", PATIENT_S if rare else LIFE_S


class Target(Protocol):
    """Where the effects are, and who counts them."""

    def prepare(self, folder: Path) -> str: ...

    def break_something(self, rng: Random) -> None: ...

    def mend(self) -> None: ...

    def counted(self, actions: Sequence[Action]) -> Mapping[str, Mapping[str, int]]:
        """`effects` and `calls`, by action."""
        ...


class Counting:
    """The counting target; it breaks by itself."""

    def __init__(self, port: int) -> None:
        self._port = port

    def prepare(self, _folder: Path) -> str:
        return f"counting {self._port}"

    def break_something(self, _rng: Random) -> None:
        """By its own draws."""

    def mend(self) -> None:
        """Goes on as it was."""

    def counted(self, _actions: Sequence[Action]) -> Mapping[str, Mapping[str, int]]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/effects") as answer:
            found: Mapping[str, Mapping[str, int]] = json.load(answer)
            return found


@contextmanager
def _target(kind: str, folder: Path, seed: int) -> Iterator[Target]:
    if kind == "harbor":
        with harbor.running(folder) as product:
            yield product
        return
    command = [sys.executable, "-m", "tests.e2e.killing.target", str(seed)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Counting(int(process.stdout.readline()))
        finally:
            process.kill()


def _end(cast: Sequence[_Member]) -> None:
    for member in cast:
        member.process.kill()
        member.process.join()
