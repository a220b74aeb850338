"""ASGI middleware around everything: which hosts we answer for, and the headers of every answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import Problem

CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


PRIVATE = "/v1/"
"""What is answered to one person: no cache on the way keeps it."""
HSTS = "max-age=31536000"
"""A year (RFC 6797); said over https alone, where browsers heed it."""


class PageHeaders:
    """ASGI middleware: the security headers on every answer that does not set its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        more = {**_HEADERS, **_of(scope)} if scope["type"] == "http" else {}

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in more.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


def _of(scope: Scope) -> dict[str, str]:
    """What depends on how and for what was asked."""
    private = {"cache-control": "no-store"} if scope["path"].startswith(PRIVATE) else {}
    secure = {"strict-transport-security": HSTS} if scope["scheme"] == "https" else {}
    return {**private, **secure}


class BodyLimit:
    """ASGI middleware: a body longer than `max_bytes` is refused while it is being read; `larger`
    holds what some paths allow instead.

    The error is raised from `receive`, inside the application, so that the one error table answers
    it (Starlette's own limit answers in plain text). A declared length is refused unread.
    """

    def __init__(
        self, app: ASGIApp, max_bytes: int, larger: Mapping[str, int] | None = None
    ) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._larger = dict(larger or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        seen = int(declared) if declared.isdecimal() else 0
        most = self._larger.get(scope["path"], self._max_bytes)

        async def limited() -> Message:
            nonlocal seen
            if seen > most:
                raise HTTPException(413)
            message = await receive()
            if not declared:
                seen += len(message.get("body", b""))
            if seen > most:
                raise HTTPException(413)
            return message

        await self._app(scope, limited, send)


class KnownHosts:
    """ASGI middleware: refuses a `Host` that is not ours, against DNS rebinding. `*` allows all.

    Names are compared without their port. Starlette's own answers in plain text.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._knows(Headers(scope=scope).get("host", "")):
            problem = Problem(400, "unknown_host", "this server does not answer for that host name")
            await problem.response()(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _knows(self, host: str) -> bool:
        name = host.lower()
        if not name.endswith("]"):
            head, colon, port = name.rpartition(":")
            name = head if colon and port.isdigit() else name
        return "*" in self._hosts or name in self._hosts
