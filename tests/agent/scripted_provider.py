"""A local HTTP server that speaks OpenAI's chat completions protocol from a script.

It is the provider of the generative tests: a real socket, real server-sent events, and every way
of failing that a provider has.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Say:
    """Content of the reply, sent in pieces of `piece` characters."""

    text: str
    piece: int = 7


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call that nobody asked for."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Wait:
    seconds: float


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes put into the stream as they are."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection is dropped here."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The regular end: finish reason, usage, `[DONE]`."""

    reason: str = "stop"


@dataclass(frozen=True, slots=True)
class Fail:
    """An error status instead of a stream."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: str = '{"error": {"message": "scripted", "type": "scripted"}}'


Line = Say | Call | Wait | Raw | Cut | Finish | Fail
USAGE = {"prompt_tokens": 120, "completion_tokens": 30, "total_tokens": 150}


def units(*objects: dict[str, Any]) -> Say:
    """A well-formed reply: one JSON object a line."""
    return Say("".join(json.dumps(unit) + "\n" for unit in objects))


def sentence(text: str, *sources: int) -> dict[str, Any]:
    return {"kind": "sentence", "text": text, "sources": list(sources)}


@dataclass(slots=True)
class ScriptedProvider:
    """Plays one script for every request; `requests` keeps their bodies.

    With `reply` the script is made of the request, as by a model that listens.
    """

    script: Sequence[Line]
    reply: Callable[[dict[str, Any]], Sequence[Line]] | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)
    base_url: str = ""
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    serving: set[asyncio.Task[Any]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        try:
            request = await _request(reader)
            self.requests.append(request)
            await self._play(writer, self.reply(request) if self.reply else self.script)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away, as it may
        finally:
            writer.close()

    async def _play(self, writer: asyncio.StreamWriter, script: Sequence[Line]) -> None:
        if isinstance(script[0], Fail):
            _fail(writer, script[0])
            await writer.drain()
            return
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        for line in script:
            if isinstance(line, Cut):
                writer.transport.abort()
                return
            await self._line(writer, line)
        _chunk(writer, b"")
        await writer.drain()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.closing.wait()
        except TimeoutError:
            return
        raise ConnectionAbortedError("the provider is closing")

    async def close(self) -> None:
        self.closing.set()
        await asyncio.gather(*self.serving)

    async def _line(self, writer: asyncio.StreamWriter, line: Line) -> None:
        match line:
            case Say(text, piece):
                for at in range(0, len(text), piece):
                    _event(writer, {"content": text[at : at + piece]})
            case Call(name, arguments):
                call = {"name": name, "arguments": arguments}
                _event(writer, {"tool_calls": [{"index": 0, "id": "c1", "function": call}]})
            case Wait(seconds):
                await writer.drain()
                await self._pause(seconds)
            case Raw(data):
                _chunk(writer, data)
            case Finish(reason):
                _event(writer, {}, reason)
                _data(writer, {**_ENVELOPE, "choices": [], "usage": USAGE})
                _chunk(writer, b"data: [DONE]\n\n")
            case Cut() | Fail():
                raise AssertionError("a failure stands first, a cut is handled above")
        await writer.drain()


_ENVELOPE = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "scripted"}


async def _request(reader: asyncio.StreamReader) -> dict[str, Any]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = next(
        int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("content-length")
    )
    body: dict[str, Any] = json.loads(await reader.readexactly(length))
    return body


def _event(writer: asyncio.StreamWriter, delta: dict[str, Any], reason: str | None = None) -> None:
    choice = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": reason}
    _data(writer, {**_ENVELOPE, "choices": [choice]})


def _data(writer: asyncio.StreamWriter, payload: dict[str, Any]) -> None:
    _chunk(writer, b"data: " + json.dumps(payload).encode() + b"\n\n")


def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


def _fail(writer: asyncio.StreamWriter, fail: Fail) -> None:
    body = fail.body.encode()
    headers = (("content-type", "application/json"), ("connection", "close"), *fail.headers)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    writer.write(f"HTTP/1.1 {fail.status} Scripted\r\n{lines}".encode())
    writer.write(f"content-length: {len(body)}\r\n\r\n".encode() + body)


@asynccontextmanager
async def provider(*script: Line) -> AsyncIterator[ScriptedProvider]:
    """The server on a free loopback port; `base_url` is what a client is given."""
    scripted = ScriptedProvider(script)
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        scripted.base_url = f"http://127.0.0.1:{port}/v1"
        try:
            yield scripted
        finally:
            await scripted.close()
