"""A real server on a free port inside the test's own loop, and its stream read frame by frame."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import httpx
import uvicorn
from ag_ui.core import Event
from fastapi import FastAPI
from pydantic import TypeAdapter
from starlette.types import ASGIApp

from api import Acts, Limits, Site, create_app
from api.admission import Admission
from api.assistant import Assistant
from retrieval.library import Library
from retrieval.types import Scope
from tests.api.shelf import ShelfLibrary

TENANT = "acme"
SITE = Site(viewer=Scope(TENANT), suggestions=("How do I invite my team?",), version="1.2.3")
QUICK = Limits(heartbeat_s=5.0, linger_s=5.0, shutdown_grace_s=0.1)
TIMEOUT_S = 20.0
WIRE: TypeAdapter[Any] = TypeAdapter(Event)


class Frame(NamedTuple):
    """`id` is None for frames of a prelude."""

    id: int | None
    data: dict[str, Any]

    @property
    def type(self) -> str:
        return str(self.data["type"])


def app_of(
    assistant: Assistant,
    limits: Limits = QUICK,
    library: Library | None = None,
    acts: Acts | None = None,
    admission: Admission | None = None,
    **site: Any,
) -> FastAPI:
    shelf = library or ShelfLibrary()
    return create_app(assistant, shelf, replace(SITE, **site), limits, acts, admission)


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    """The application behind uvicorn; stopped, and its connections closed, at the end."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await until(lambda: server.started)
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        async with httpx.AsyncClient(base_url=base, timeout=TIMEOUT_S, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        await task


async def until(condition: Callable[[], bool]) -> None:
    """Raises TimeoutError when it does not come true."""
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise TimeoutError


def body(text: str = "How?", *, thread: str = "th1", run: str = "r1", message: str = "u1") -> Any:
    return {
        "threadId": thread,
        "runId": run,
        "messages": [{"id": message, "role": "user", "content": text}],
    }


async def ask(client: httpx.AsyncClient, **question: str) -> list[Frame]:
    """The whole run."""
    response = await client.post("/v1/agui", json=body(**question))
    assert response.status_code == 200, response.text
    return parse(response.text)


async def join(
    client: httpx.AsyncClient, cursor: int | None = None, *, thread: str = "th1"
) -> list[Frame]:
    """The prelude and the rest of the run."""
    headers = {} if cursor is None else {"Last-Event-ID": str(cursor)}
    response = await client.get(
        f"/v1/agui/threads/{thread}/events", params={"follow": "false"}, headers=headers
    )
    assert response.status_code == 200, response.text
    return parse(response.text)


async def frames(response: httpx.Response) -> AsyncIterator[Frame]:
    """Frames as they arrive; comments are skipped."""
    buffer = ""
    async for text in response.aiter_text():
        *whole, buffer = (buffer + text).split("\n\n")
        for frame in parse("".join(f"{piece}\n\n" for piece in whole)):
            yield frame


def parse(text: str) -> list[Frame]:
    """Strict: LF only, one `data:` line, `id:` before it, and every event the protocol's own."""
    assert "\r" not in text
    assert not text or text.endswith("\n\n")
    found = []
    for block in text.split("\n\n")[:-1]:
        lines = [line for line in block.split("\n") if not line.startswith(":")]
        if not lines:
            continue
        number = int(lines.pop(0).removeprefix("id: ")) if lines[0].startswith("id: ") else None
        (line,) = lines
        assert line.startswith("data: ")
        data = json.loads(line.removeprefix("data: "))
        assert not WIRE.validate_python(data).model_extra
        found.append(Frame(number, data))
    return found
