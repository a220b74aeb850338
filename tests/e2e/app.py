"""A server process for tests: the real Copilot, SQLite and HTTP surface over a shelf of four pages.

    python -m tests.e2e.app --database FILE --pause 0.2

Prints its address on the first line of stdout.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import uvicorn

from agent import Copilot
from agent.answerers.scripted import Line, Pause, ScriptedAnswerer
from agent.conversations_sql import SqlConversations, open_engine, upgrade
from agent.types import Block, Draft
from api import Limits, Site, create_app, database_probe, index_probe
from guardrails import literal
from tests.agent.shelf import CHUNKS, SCOPE, deps
from tests.api.shelf import ShelfLibrary

QUESTION = "How many people can admins invite at once?"
REFUSED = "What is the airspeed of a swallow?"
SENTENCES = (
    Draft(literal("Admins can invite up to 50 people at once."), (1,)),
    Draft(literal("Open Settings and choose Members."), (1,), Block.STEP),
    Draft(literal("Click Invite people."), (1,), Block.STEP),
    Draft(literal("The link works for seven days."), (1,)),
)


def script(pause_s: float) -> list[Line]:
    """A pause before every sentence, the first included."""
    return [line for sentence in SENTENCES for line in (Pause(pause_s), sentence)]


async def main(database: Path, pause_s: float) -> None:
    engine = open_engine(f"sqlite:///{database}")
    upgrade(engine)
    conversations = SqlConversations(engine)
    parts = deps(ScriptedAnswerer(script(pause_s)), conversations=conversations)
    copilot = Copilot(replace(parts, new_id=lambda: uuid4().hex))
    library = ShelfLibrary(CHUNKS)
    probes = {
        "index": index_probe(library),
        "database": database_probe(copilot, SCOPE.tenant),
    }
    app = create_app(copilot, library, Site(SCOPE, (QUESTION,), probes=probes), Limits())
    listener = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1)
    await uvicorn.Server(config).serve(sockets=[listener])
    await copilot.close()
    await conversations.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--database", type=Path, required=True)
    parser.add_argument("--pause", type=float, default=0.0)
    chosen = parser.parse_args()
    asyncio.run(main(chosen.database, chosen.pause))
