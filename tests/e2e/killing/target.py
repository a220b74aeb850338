"""A target of its own process that counts every effect. It is slow and unreliable, and never dies.

    POST /keyed            Idempotency-Key: an effect once a key
    PUT  /natural/NAME     an effect when the value changes
    POST /marked           an effect a call; GET /marked/REFERENCE says whether it was made
    POST /mail             an effect a call; nothing to read back

Every answer may be lost after the effect, late, or a refusal without effect: by a seeded draw.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from random import Random

LOST, REFUSED, BUSY, SLOW, DEAF = 0.1, 0.03, 0.08, 0.5, 0.3
"""Shares of calls with each fault; DEAF of the questions."""
SLOW_S = 0.15
"""At most this long, before the effect: kills then fall between the call and its effect."""


@dataclass
class Ledger:
    keys: set[str] = field(default_factory=set)
    natural: dict[str, str] = field(default_factory=dict)
    marked: Counter[str] = field(default_factory=Counter)
    effects: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)

    def apply(self, path: str, action: str, body: str) -> None:
        """One call; an effect or none, as the endpoint promises."""
        self.calls[action] += 1
        match path.split("/")[1:]:
            case ["keyed"]:
                fresh = action not in self.keys
                self.keys.add(action)
            case ["natural", name]:
                fresh = self.natural.get(name) != body
                self.natural[name] = body
            case _:
                fresh = True
                self.marked[action] += path == "/marked"
        self.effects[action] += fresh


class Target:
    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._ledger = Ledger()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the caller was killed
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        body = (await reader.readexactly(int(headers.get("Content-Length", "0")))).decode()
        status, answer = await self._answer(method, path, headers.get("X-Action", ""), body)
        if status == 0:
            return False
        text = json.dumps(answer).encode()
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n\r\n".encode())
        writer.write(text)
        await writer.drain()
        return True

    async def _answer(self, method: str, path: str, action: str, body: str) -> tuple[int, object]:
        ledger, draw = self._ledger, self._rng.random()
        if method == "GET":
            return (200 if draw > DEAF or path == "/effects" else 0), self._read(path)
        if draw < REFUSED:
            return 422, {}
        if draw < REFUSED + BUSY:
            return 429, {}
        if self._rng.random() < SLOW:
            await asyncio.sleep(self._rng.uniform(0, SLOW_S))
        ledger.apply(path, action, body)
        return (0, {}) if draw > 1 - LOST else (200, {})

    def _read(self, path: str) -> object:
        ledger = self._ledger
        match path.split("/")[1:]:
            case ["effects"]:
                return {"effects": ledger.effects, "calls": ledger.calls}
            case ["marked", reference]:
                return {"made": ledger.marked[reference]}
            case ["natural", name]:
                return {"value": ledger.natural.get(name)}
            case _:
                return {"made": reference_of(path) in ledger.keys}


def reference_of(path: str) -> str:
    return path.rsplit("/", 1)[-1]


async def main(seed: int) -> None:
    target = Target(Random(seed))
    server = await asyncio.start_server(target.serve, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
