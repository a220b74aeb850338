"""Fleet behind uvicorn on a free port, and its tools opened from its policy file."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from tests.api.serving import until
from tests.tools.fleet.server import API_KEY, POLICY, Fleet
from tools.credentials import StaticCredentials
from tools.policy import load_policy
from tools.registry import Registry
from tools.sources import Opened, SourceParts, open_sources
from tools.tool import Tool
from tools.types import Attempt, Done, Principal, ToolCall

WHO = Principal("t1", "u1", "org-1")


@dataclass
class Depot:
    """A running Fleet and its tools."""

    fleet: Fleet
    opened: Opened
    registry: Registry
    base: str

    def tool(self, name: str, /) -> Tool:
        found = self.registry.tool(f"fleet_{name}")
        assert found is not None
        return found

    def call(self, tool: str, /, **arguments: object) -> ToolCall:
        manifest = self.tool(tool).manifest
        return ToolCall(manifest.name, manifest.version, arguments)  # type: ignore[arg-type]

    async def run(
        self, tool: str, /, *, attempt: Attempt | None = None, **arguments: object
    ) -> Done:
        call = self.call(tool, **arguments)
        return await self.tool(tool).run(call, WHO, attempt or trying())


def trying(action: str = "act-1", **given: object) -> Attempt:
    return Attempt(action, 1, 1, **given)  # type: ignore[arg-type]


def parts(base: str, key: str = API_KEY, **addresses: str) -> SourceParts:
    return SourceParts(
        StaticCredentials({"fleet": {"X-Api-Key": key}}),
        lambda: datetime(2026, 11, 21, tzinfo=UTC),
        private=frozenset({base.partition("//")[2].partition("/")[0]}),
        addresses=addresses or {"fleet": base},
    )


@asynccontextmanager
async def running(fleet: Fleet) -> AsyncIterator[str]:
    """The base address of the API."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(fleet.app(), log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/api/v2"
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def depot(
    policy: Path = POLICY, extra: Mapping[str, str] | None = None
) -> AsyncIterator[Depot]:
    fleet = Fleet()
    async with running(fleet) as base:
        opened = await open_sources(load_policy(policy), parts(base, **(extra or {})))
        assert [str(problem) for problem in opened.problems] == []
        try:
            yield Depot(fleet, opened, Registry(opened.tools), base)
        finally:
            await opened.aclose()
