"""A node that is killed again and again while events come: none acknowledged is lost, none counts
twice, in the log and in the features."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import httpx
import pytest

from onboarding.features.offline import Asked
from onboarding.features.store import Features
from onboarding.features.updating import FeatureUpdater
from onboarding.store.events.log import SqlEventLog
from onboarding.store.features.replay import SqlReplay
from onboarding.store.features.sql import SqlFeatures
from onboarding.types import Person
from tests.contracts.events import mac
from tests.e2e.events.node import USERS, WRITE_KEY
from tests.onboarding.features.streams import differences, features
from tests.postgres import own_schema
from tools.store.engine import open_engine

KILLS = int(os.environ.get("EMBARK_EVENT_KILLS", "1"))
"""Of each database."""
LONGEST_S = 60.0


class Place(NamedTuple):
    """Where the node keeps its events."""

    url: str
    schema: str | None = None


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite":
        yield Place(f"sqlite:///{tmp_path}/onboarding.sqlite")
        return
    with own_schema() as own:
        yield Place(own.url, own.schema)


@dataclass(slots=True)
class Sender:
    """As hosts do it: what was not acknowledged is sent again, under the same id."""

    url: str
    rng: Random = field(default_factory=lambda: Random(5))
    made: int = 0
    acked: set[str] = field(default_factory=set)
    again: int = 0
    stopped: bool = False

    async def run(self) -> None:
        headers = {"authorization": f"Bearer {WRITE_KEY}"}
        async with httpx.AsyncClient(headers=headers, timeout=5) as client:
            while not self.stopped:
                await self._batch(client, [self._message() for _ in range(20)])

    async def _batch(self, client: httpx.AsyncClient, batch: list[dict[str, Any]]) -> None:
        while True:
            with suppress(httpx.HTTPError):
                answer = await client.post(f"{self.url}/v1/batch", json={"batch": batch})
                if answer.is_success:
                    statuses = {each["status"] for each in answer.json()["results"]}
                    assert statuses <= {"stored", "duplicate"}
                    self.acked |= {each["messageId"] for each in batch}
                    return
            self.again += 1
            await asyncio.sleep(0.02)

    def _message(self) -> dict[str, Any]:
        self.made += 1
        name, properties = self.rng.choice(
            [
                ("Import Finished", {"mode": "full", "rows": 3}),
                ("Import Failed", {"mode": "full", "error_code": "HBR-403"}),
                ("Dashboard Created", {}),
            ]
        )
        return {
            "type": "track",
            "event": name,
            "messageId": f"m-{self.made}",
            "userId": self.rng.choice(USERS),
            "properties": properties,
            "context": {"groupId": "acme"},
        }


def started(place: Place, port: int) -> subprocess.Popen[bytes]:
    given = [each for each in place if each is not None]
    command = [sys.executable, "-m", "tests.e2e.events.node", str(port), *given]
    node = subprocess.Popen(command)
    ends = time.monotonic() + LONGEST_S
    while time.monotonic() < ends:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return node
        assert node.poll() is None, "the node did not start"
        time.sleep(0.05)
    raise TimeoutError


@pytest.mark.alone
async def test_kills_lose_nothing_and_double_nothing(place: Place) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    rng = Random(3)
    node = await asyncio.to_thread(started, place, port)
    sender = Sender(f"http://127.0.0.1:{port}")
    sending = asyncio.create_task(sender.run())
    try:
        for _ in range(KILLS):
            before = len(sender.acked)
            while len(sender.acked) == before and not sending.done():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await asyncio.sleep(rng.random() * 0.6)
            node.kill()
            node.wait()
            node = await asyncio.to_thread(started, place, port)
        sender.stopped = True
        await asyncio.wait_for(sending, LONGEST_S)
    finally:
        node.kill()
        node.wait()
    await _checked(place, sender)


async def _checked(place: Place, sender: Sender) -> None:
    engine = open_engine(*place)
    try:
        log, store = SqlEventLog(engine, mac), SqlFeatures(engine)
        ids = [e.message_id for _, e in await log.read("t", "check", 0, limit=1_000_000)]
        assert len(ids) == len(set(ids)), "none is there twice"
        assert sender.acked <= set(ids), "none that was acknowledged is lost"
        assert set(ids) == {f"m-{n}" for n in range(1, sender.made + 1)}
        assert sender.again > 0, "no kill met a request"
        await FeatureUpdater(log, store, features(), "t").catch_up()
        at = datetime.now(UTC) + timedelta(seconds=1)
        asked = [Asked(Person("t", user, "acme"), at, {}) for user in USERS]
        told = await SqlReplay(engine).snapshots("t", features(), asked)
        online = Features(log, store, features())
        for each, twin in zip(asked, told, strict=True):
            assert differences(await online.snapshot(each.person, at, {}), twin) == {}
        assert sum(float(each.values["n_any_1d"]) for each in told) == len(ids)
    finally:
        engine.dispose()
