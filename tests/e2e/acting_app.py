"""A server process that acts: real desk, journal and executor over a shop in memory.

    python -m tests.e2e.acting_app --keys FOLDER [--tier 1]

Prints its address on the first line of stdout. `ana` and `bo` are tokens of people.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import uvicorn
from typing_extensions import override

from api import Acts, Limits, Site, create_app
from retrieval.types import Scope
from tests.agent.acting_floor import QUESTION, TENANT, Stage
from tests.agent.shelf import CHUNKS
from tests.api.acting import PEOPLE
from tests.api.shelf import ShelfLibrary
from tests.tools.acting.floor import Clock, Floor, of_class
from tools.journal_memory import MemoryJournal
from tools.receipts.keys import KeyRing
from tools.receipts.sealing import JwsSealer
from tools.types import Actor, EffectClass, Tier
from tools.worker import Worker, WorkerParts


class Now(Clock):
    @override
    def __call__(self) -> datetime:
        return datetime.now(UTC)


async def identify(token: str) -> Actor | None:
    """Everybody has just signed in."""
    known = PEOPLE.get(token)
    return None if known is None else replace(known, auth_time=datetime.now(UTC))


def staged(tier: Tier, ring: KeyRing) -> Stage:
    now = Now()
    told = replace(of_class(EffectClass.KEYED, tier), retry_for_s=600)
    floor = Floor(told=told, journal=MemoryJournal(JwsSealer(ring, now), now))
    floor.clock = now
    floor.executor = floor.another_executor()
    floor.shop.write("", "lamp", "blue")
    return Stage(floor=floor, offers={"invite": "set_item"})


async def main(keys: Path, tier: Tier) -> None:
    ring = KeyRing.open(keys, datetime.now(UTC))
    stage = staged(tier, ring)
    acts = Acts(
        identify=identify,
        desk=stage.floor.desk,
        journal=stage.journal,
        catalogue=stage.floor.shelf,
        ring=ring,
    )
    worker = Worker(
        WorkerParts(
            journal=stage.journal,
            executor=stage.floor.executor,
            slot="slot-0",
            rng=Random(1),
            tell=stage.copilot.notify,
        )
    )
    site = Site(Scope(TENANT), (QUESTION,))
    app = create_app(stage.copilot, ShelfLibrary(CHUNKS), site, Limits(), acts)
    listener = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    stop = asyncio.Event()
    working = asyncio.create_task(worker.serve(stop))
    config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1)
    await uvicorn.Server(config).serve(sockets=[listener])
    stop.set()
    await working
    await stage.copilot.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--keys", type=Path, required=True)
    parser.add_argument("--tier", type=int, default=1)
    chosen = parser.parse_args()
    asyncio.run(main(chosen.keys, Tier(chosen.tier)))
