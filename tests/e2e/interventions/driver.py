"""Starts workers, lets each die at its point, starts others, and counts what is left.

The receivers fail now and then. Checked at the end: every planned message has ended, none is lost;
what was sent reached its receiver once; what never left did not; nothing over a cap; what nobody
knows is said to be unknown, and is nothing that its provider could tell.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from guardrails.tenancy import EVERYBODY, within
from onboarding.interventions import Channel, Delivery, Message, Reason, State
from onboarding.interventions.moves import LIVE
from onboarding.store.interventions.sql import SqlDeliveries, upgrade
from onboarding.store.interventions.store import Wanted
from onboarding.types import Person
from tests import forking
from tests.e2e.interventions.worker import (
    EACH,
    POINTS,
    RULES,
    TENANT,
    Config,
    clock,
    run,
)
from tests.e2e.killing.parts import engine_of

PLANNED = 6
"""Messages for each person, of which EACH may go out."""
CALM_S = 40.0


@dataclass(slots=True)
class Findings:
    """`wrong` is empty when every claim of this loop holds."""

    wrong: list[str] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    mails: int = 0
    texts: int = 0
    asked: int = 0  # texts that their provider was asked about
    took_s: float = 0.0


@contextmanager
def receivers() -> Iterator[tuple[int, int]]:
    started = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.interventions.target"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert started.stdout is not None
        smtp, http = started.stdout.readline().split()
        yield int(smtp), int(http)
    finally:
        started.kill()
        started.wait()
        assert started.stdout is not None
        started.stdout.close()


class KillLoop:
    """`at_once` workers at a time; one of them is always about to die."""

    def __init__(self, deliveries: str, kills: int, seed: int = 1, at_once: int = 2) -> None:
        self._deliveries = deliveries
        self._kills = kills
        self._rng = Random(seed)
        self._at_once = at_once

    def run(self) -> Findings:
        began, found = time.monotonic(), Findings()
        engine = engine_of(self._deliveries)
        upgrade(engine)
        store = SqlDeliveries(engine, RULES)
        with receivers() as (smtp, http):
            config = Config(self._deliveries, smtp, http)
            asyncio.run(self._rounds(store, config, found))
            taken = _taken(http)
        rows = asyncio.run(store.deliveries(TENANT, Wanted(limit=10**6)))
        _check(found, rows, taken)
        with within(EVERYBODY):
            engine.dispose()
        found.took_s = time.monotonic() - began
        return found

    async def _rounds(self, store: SqlDeliveries, config: Config, found: Findings) -> None:
        forks = forking.context()
        rounds = -(-self._kills // len(POINTS))
        order = self._rng.sample(POINTS * rounds, self._kills)
        for number, point in enumerate(order):
            await store.plan(_messages(number), clock())
            spec = f"{point}:{self._rng.choice((1, 1, 2))}"
            dying = Config(config.deliveries, config.smtp, config.http, spec, number)
            workers = [forks.Process(target=run, args=(dying,))]
            workers += [
                forks.Process(target=run, args=(config,))
                for _ in range(self._at_once - 1 if number % 3 == 0 else 0)
            ]
            for each in workers:
                each.start()
            await asyncio.to_thread(workers[0].join, 4.0)
            found.kills[point if workers[0].exitcode is not None else "late"] += 1
            for each in workers:  # whoever lives is killed wherever it is
                each.kill()
                each.join()
        last = forks.Process(target=run, args=(config,))
        last.start()
        await _calm(store, found)
        last.kill()
        last.join()


def _messages(number: int) -> list[Message]:
    person = Person(TENANT, f"p{number}")
    return [
        Message(
            person=person,
            channel=(Channel.EMAIL, Channel.SMS, Channel.IN_APP)[(number + n) % 3],
            kind="tips",
            template="next-step",
            journey="first@1",
            step=f"s{n}",
            values={"step": "Connect"},
        )
        for n in range(PLANNED)
    ]


async def _calm(store: SqlDeliveries, found: Findings) -> None:
    """Until nothing is due or claimed."""
    until = time.monotonic() + CALM_S
    while time.monotonic() < until:
        waiting = await store.due(TENANT, clock(), 1)
        claimed = await store.deliveries(TENANT, Wanted(states=[State.CLAIMED, State.RETRY]))
        planned = await store.deliveries(TENANT, Wanted(states=[State.PLANNED]))
        asked = Wanted(channel=Channel.SMS, states=[State.UNKNOWN])
        held = await store.deliveries(TENANT, Wanted(states=[State.HELD]))
        away = any(each.reason is Reason.PROVIDER_AWAY for each in held)
        if not (waiting or claimed or planned or away or await store.deliveries(TENANT, asked)):
            return
        await asyncio.sleep(0.1)
    found.wrong.append("it does not come to rest")


def _taken(http: int) -> dict[str, dict[str, int]]:
    with urllib.request.urlopen(f"http://127.0.0.1:{http}/taken", timeout=5) as answer:
        taken: dict[str, Any] = json.load(answer)
    return taken


def _check(found: Findings, rows: Sequence[Delivery], taken: dict[str, dict[str, int]]) -> None:
    by_person: Counter[str] = Counter()
    for row in rows:
        found.states[row.state.value] += 1
        mail = row.message.channel is Channel.EMAIL
        reached = taken["mails" if mail else "texts"].get(row.id, 0)
        inbox = (
            row.message.channel is Channel.IN_APP
        )  # it lies in it, whether a page was told or not
        by_person[row.message.person.user] += row.state is State.SENT if inbox else reached
        sent = {0, 1} if inbox else {1}
        allowed = {State.SENT: sent, State.UNKNOWN: {0, 1}}.get(row.state, {0})
        if reached not in allowed:
            found.wrong.append(f"{row.id}: {row.state}, reached {reached} times")
        if row.state in LIVE and row.state is not State.HELD:
            found.wrong.append(f"{row.id}: still {row.state}")
        if row.state is State.UNKNOWN and not mail:
            found.wrong.append(f"{row.id}: its provider was not asked")
    found.wrong += [f"{user}: {n} messages" for user, n in by_person.items() if n > EACH]
    people = {row.message.person.user for row in rows}
    if len(rows) != PLANNED * len(people):
        found.wrong.append(f"{len(rows)} rows of {len(people)} people")
    ids = {row.id for row in rows}
    for kind in ("mails", "texts"):
        found.wrong += [f"{each}: of nobody" for each in taken[kind].keys() - ids]
    found.mails, found.texts = sum(taken["mails"].values()), sum(taken["texts"].values())
    found.asked = len(taken["asked"])
