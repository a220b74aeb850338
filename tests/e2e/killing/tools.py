"""Tools on the counting target, one an effect class, over a connection per call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import NamedTuple

from pydantic import JsonValue

from tests.e2e.killing.failpoints import Failpoints
from tools.tool import BusyError, NotSentError, RejectedError, UncertainError
from tools.types import (
    Argument,
    Attempt,
    Done,
    EffectClass,
    Manifest,
    Principal,
    Target,
    Tier,
    ToolCall,
)

PATHS = {
    EffectClass.KEYED: ("POST", "/keyed"),
    EffectClass.NATURAL: ("PUT", "/natural/{name}"),
    EffectClass.READ_BACK: ("POST", "/marked"),
    EffectClass.ONCE: ("POST", "/mail"),
}


WAIT_S = 0.3
"""What the target asks for; longer than the loop's workers hold an action, so it is postponed."""


class Answer(NamedTuple):
    status: int
    body: Mapping[str, JsonValue]


class Client:
    """HTTP in its simplest form: what was not sent, and what was not answered, stay apart."""

    def __init__(self, port: int, failpoints: Failpoints) -> None:
        self._port = port
        self._failpoints = failpoints

    async def ask(self, method: str, path: str, action: str, body: str = "") -> Answer:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError as failure:
            raise NotSentError("unreachable", str(failure)) from failure
        try:
            self._failpoints.at("http.connected")
            head = f"{method} {path} HTTP/1.1\r\nX-Action: {action}\r\n"
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
            await writer.drain()
            self._failpoints.at("http.sent")
            return await self._answer(reader)
        except (OSError, asyncio.IncompleteReadError) as failure:
            raise UncertainError("connection_lost", str(failure)) from failure
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> Answer:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self._failpoints.at("http.answered")
        lines = head.lower().split("\r\n")
        length = next(line for line in lines if line.startswith("content-length"))
        body = await reader.readexactly(int(length.split(":")[1]))
        return Answer(int(lines[0].split(" ")[1]), json.loads(body))


def manifest_of(effect: EffectClass) -> Manifest:
    return Manifest(
        name=f"do_{effect.value.lower()}",
        version="1",
        title=f"Do {effect.name.lower()}",
        summary="",
        source="python",
        target="counting",
        schema={
            "type": "object",
            "properties": {"name": {"type": "string"}},
            "required": ["name"],
        },
        arguments={"name": Argument("Name")},
        tier=Tier.R1,
        effect=effect,
        retry_for_s=0.0 if effect is EffectClass.READ_BACK else 60.0,
        timeout_s=2.0,
    )


class CountedTool:
    def __init__(self, effect: EffectClass, client: Client) -> None:
        self._manifest = manifest_of(effect)
        self._client = client

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    async def look(self, _call: ToolCall, _who: Principal) -> Target:
        return Target()

    async def run(self, call: ToolCall, _who: Principal, attempt: Attempt) -> Done:
        method, path = PATHS[self._manifest.effect]
        name = str(call.arguments["name"])
        answer = await self._client.ask(
            method, path.format(name=name), attempt.action_id, f'"{name}"'
        )
        match answer.status:
            case 200:
                return Done({}, attempt.action_id)
            case 429:
                raise BusyError("rate_limited", retry_after_s=WAIT_S)
            case _:
                raise RejectedError("refused")

    async def read_back(self, call: ToolCall, _who: Principal, attempt: Attempt) -> Done | None:
        match self._manifest.effect:
            case EffectClass.ONCE:
                raise UncertainError("nothing_to_read")
            case EffectClass.NATURAL:
                answer = await self._client.ask("GET", f"/natural/{call.arguments['name']}", "")
                made = answer.body["value"] is not None
            case effect:
                path = PATHS[effect][1]
                answer = await self._client.ask("GET", f"{path}/{attempt.action_id}", "")
                made = bool(answer.body["made"])
        return Done({}, attempt.action_id) if made else None
