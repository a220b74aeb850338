"""Connections to an MCP server: one kept process for stdio, one connection a call for HTTP.

A connection belongs to the task that opened it. The kept one therefore lives in a task of its own;
over HTTP each call brings the acting user's own headers and so has its own connection.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CONNECTION_CLOSED, Tool

from tools.http import CONNECT_TIMEOUT_S, GuardedTransport, Reach, Resolver

MOST_PAGES = 20
"""Of a server's list of tools; more is not a server to be reviewed by people."""
_T = TypeVar("_T")
Work = Callable[[Client], Awaitable[_T]]


class McpError(Exception):
    """The server cannot be reached or does not speak MCP; nothing was asked of it."""


class Session(Protocol):
    """A way to work with a connected client. Raises McpError when there is no connection."""

    async def work(self, headers: Mapping[str, str], work: Work[_T]) -> _T: ...

    async def aclose(self) -> None: ...


class HttpSession:
    """Streamable HTTP through the guarded client, a connection a call."""

    def __init__(self, url: str, reach: Reach, timeout_s: float, resolver: Resolver) -> None:
        self._url = url
        self._reach = reach
        self._timeout_s = timeout_s
        self._resolver = resolver

    async def work(self, headers: Mapping[str, str], work: Work[_T]) -> _T:
        async with self._connected(headers) as client:
            return await work(client)

    @asynccontextmanager
    async def _connected(self, headers: Mapping[str, str]) -> AsyncIterator[Client]:
        http = httpx2.AsyncClient(
            transport=GuardedTransport(self._reach, self._resolver),
            headers=dict(headers),
            timeout=httpx2.Timeout(self._timeout_s, connect=CONNECT_TIMEOUT_S),
            follow_redirects=False,
            trust_env=False,
        )
        async with http:
            transport = streamable_http_client(self._url, http_client=http)
            client = Client(transport, read_timeout_seconds=self._timeout_s)
            async with _entered(client, self._url) as connected:
                yield connected

    async def aclose(self) -> None:
        """Nothing is kept."""


class StdioSession:
    """A server process of our own, started when it is needed and again when it died."""

    def __init__(
        self, command: tuple[str, ...], env: Mapping[str, str], folder: Path, timeout_s: float
    ) -> None:
        self._parameters = StdioServerParameters(
            command=command[0], args=list(command[1:]), env=dict(env), cwd=folder
        )
        self._timeout_s = timeout_s
        self._kept: _Kept | None = None
        self._lock = asyncio.Lock()

    async def work(self, headers: Mapping[str, str], work: Work[_T]) -> _T:  # noqa: ARG002
        async with self._lock:
            if self._kept is None or self._kept.ended:
                self._kept = await _Kept.start(self._parameters, self._timeout_s)
        return await self._kept.during(work)

    async def aclose(self) -> None:
        if self._kept is not None:
            await self._kept.stop()


class _Kept:
    """A client held open by its own task."""

    def __init__(self) -> None:
        self._client: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, parameters: StdioServerParameters, timeout_s: float) -> _Kept:
        """Raises McpError."""
        kept = cls()
        kept._task = asyncio.create_task(kept._hold(parameters, timeout_s))
        waiting: set[asyncio.Future[Any]] = {kept._task, kept._client}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if not kept._client.done():
            await kept._task  # raises why
        return kept

    @property
    def ended(self) -> bool:
        return self._task is None or self._task.done() or self._closing.is_set()

    async def _hold(self, parameters: StdioServerParameters, timeout_s: float) -> None:
        with Path(os.devnull).open("w", encoding="utf-8") as silent:  # noqa: ASYNC230
            client = Client(stdio_client(parameters, silent), read_timeout_seconds=timeout_s)
            async with _entered(client, parameters.command) as connected:
                self._client.set_result(connected)
                await self._closing.wait()

    async def during(self, work: Work[_T]) -> _T:
        try:
            return await work(self._client.result())
        except MCPError as failure:
            if failure.code == CONNECTION_CLOSED:
                self._closing.set()  # the next call starts another process
            raise

    async def stop(self) -> None:
        self._closing.set()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)


@asynccontextmanager
async def _entered(client: Client, where: str) -> AsyncIterator[Client]:
    """The connected client; what goes wrong before that is a McpError."""
    connected = False
    try:
        async with client:
            connected = True
            yield client
    except BaseException as failure:
        reason = _first(failure)
        if connected or not isinstance(reason, Exception):
            raise reason from failure
        raise McpError(f"{where}: {str(reason) or type(reason).__name__}") from failure


def _first(failure: BaseException) -> BaseException:
    """Task groups wrap what happened in them."""
    while isinstance(failure, BaseExceptionGroup) and failure.exceptions:
        failure = failure.exceptions[0]
    return failure


async def list_all(client: Client) -> dict[str, Tool]:
    """Every tool of the server as it is now, by name. Raises MCPError."""
    found: dict[str, Tool] = {}
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = await client.list_tools(cursor=cursor, cache_mode="refresh")
        found |= {tool.name: tool for tool in page.tools}
        cursor = page.next_cursor
        if cursor is None:
            break
    return found
