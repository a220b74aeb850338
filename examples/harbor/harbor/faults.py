"""Fault switches: what goes wrong between Harbor and its callers, by operation, on demand.

Stands outside everything else, so that a dropped connection is a real one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Kind = Literal[
    "429", "403", "500", "slow", "drop_before", "drop_after_effect", "500_after_effect", "partial"
]


@dataclass(slots=True)
class Fault:
    """`after` calls pass first, then `times` calls fail. `*` is any operation."""

    operation_id: str
    fault: Kind
    times: int = 1
    after: int = 0
    retry_after: float = 1.0
    delay_ms: int = 1000

    def due(self, operation_id: str) -> bool:
        """Whether this call fails; counts it."""
        if self.operation_id not in ("*", operation_id) or self.times <= 0:
            return False
        if self.after > 0:
            self.after -= 1
            return False
        self.times -= 1
        return True


@dataclass(slots=True)
class Switches:
    faults: list[Fault] = field(default_factory=list)

    def due(self, operation_id: str, kinds: tuple[str, ...] | None = None) -> Fault | None:
        for fault in self.faults:
            wanted = fault.fault != "partial" if kinds is None else fault.fault in kinds
            if wanted and fault.due(operation_id):
                return fault
        return None

    def listed(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self.faults]


_STATUS = {"429": ("HBR-303", "Harbor API rate limit"), "403": ("forbidden", "not allowed now"),
           "500": ("internal", "something went wrong")}  # fmt: skip


class Faulty:
    """The application with its switches."""

    def __init__(self, app: ASGIApp, routes: Sequence[APIRoute], switches: Switches) -> None:
        self._app = app
        self._routes = routes
        self._switches = switches

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = None
        if scope["type"] == "http" and self._switches.faults:
            called = _operation_id(self._routes, scope)
            fault = self._switches.due(called) if called else None
        if fault is None:
            await self._app(scope, receive, send)
            return
        match fault.fault:
            case "429" | "403" | "500":
                await _problem(send, fault)
            case "slow":
                await asyncio.sleep(fault.delay_ms / 1000)
                await self._app(scope, receive, send)
            case "drop_before":
                _abort(send)
            case "500_after_effect":
                await self._app(scope, receive, _swallow)
                await _problem(send, Fault(fault.operation_id, "500"))
            case _:
                await self._app(scope, receive, _swallow)
                _abort(send)


async def _swallow(_message: Message) -> None:
    return


def _abort(send: Send) -> None:
    """Close the socket without an answer; uvicorn's `send` is bound to its connection."""
    send.__self__.transport.abort()  # type: ignore[attr-defined]


async def _problem(send: Send, fault: Fault) -> None:
    code, title = _STATUS[fault.fault]
    body = json.dumps(
        {"type": f"https://docs.harbor.example/errors/{code}", "title": title,
         "status": int(fault.fault), "detail": title, "code": code},
    ).encode()  # fmt: skip
    headers = [(b"content-type", b"application/problem+json"),
               (b"content-length", str(len(body)).encode())]  # fmt: skip
    if fault.fault == "429":
        headers.append((b"retry-after", f"{fault.retry_after:g}".encode()))
    await send({"type": "http.response.start", "status": int(fault.fault), "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _operation_id(routes: Sequence[APIRoute], scope: Scope) -> str:
    """Empty for what is no operation: pages, the OpenAPI document, the sandbox's own paths."""
    for route in routes:
        if route.matches(scope)[0] is Match.FULL:
            return route.operation_id or ""
    return ""
