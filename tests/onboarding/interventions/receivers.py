"""What stands at the other end of channels: an SMTP server and an HTTP provider, on loopback."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from ssl import SSLContext

import httpx2
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from onboarding.store.interventions.posting import Reply, Request, RequestError


class MailServer:
    """Keeps what it took; `how` is its mood."""

    def __init__(self) -> None:
        self.how = ""
        self.taken: list[EmailMessage] = []
        self.envelopes: list[tuple[str, list[str]]] = []
        self.port = 0

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        match self.how:
            case "bad_address":
                return "550 5.1.1 no such mailbox"
            case "policy":
                return "550 5.7.1 blocked by policy"
            case "full":
                return "452 4.2.2 mailbox full"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        match self.how:
            case "busy":
                return "451 4.3.0 later"
            case "closing":
                return "421 4.3.2 going down"
            case "refused":
                return "554 5.6.0 no"
        assert isinstance(envelope.content, bytes)
        parsed = message_from_bytes(envelope.content, policy=WIRE)
        assert isinstance(parsed, EmailMessage)
        self.taken.append(parsed)
        self.envelopes.append((envelope.mail_from or "", list(envelope.rcpt_tos)))
        if self.how == "drops":
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
        return "250 ok"


@asynccontextmanager
async def mail_server(
    tls: SSLContext | None = None, login: tuple[str, str] | None = None, port: int = 0
) -> AsyncIterator[MailServer]:
    """`tls` is offered by STARTTLS and asked for; `login` too."""
    kept = MailServer()

    def authenticate(
        server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        good = login is not None and (data.login.decode(), data.password.decode()) == login
        return AuthResult(success=good)

    def protocol() -> SMTP:
        return SMTP(
            kept,
            hostname="mx.example",
            enable_SMTPUTF8=True,
            tls_context=tls,
            require_starttls=tls is not None,
            authenticator=authenticate if login else None,
            auth_required=login is not None,
            auth_require_tls=tls is not None,
            loop=asyncio.get_running_loop(),
        )

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", port)
    kept.port = server.sockets[0].getsockname()[1]
    try:
        yield kept
    finally:
        server.close()
        await server.wait_closed()


class Broken:
    """Listens, and hangs up on everybody."""

    def __init__(self) -> None:
        self.calls = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.calls += 1
        writer.close()


@asynccontextmanager
async def broken() -> AsyncIterator[Broken]:
    kept = Broken()
    server = await asyncio.start_server(kept.serve, "127.0.0.1", 0)
    kept.port = server.sockets[0].getsockname()[1]
    try:
        yield kept
    finally:
        server.close()
        await server.wait_closed()


class Provider:
    """Takes JSON over HTTP once an `Idempotency-Key` or `webhook-id`; GET says what it has."""

    def __init__(self) -> None:
        self.how = ""
        self.taken: dict[str, dict[str, object]] = {}
        self.calls = self.asked = 0
        self.status = "delivered"
        self.headers: Mapping[str, str] = {}
        self.bodies: list[bytes] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/messages"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked, headers, body = await _read(reader)
            if asked.startswith("GET "):
                status, answer = self._told(asked.split()[1].rpartition("/")[2])
            else:
                status, answer = self._answer(headers, body)
            if status:
                data = json.dumps(answer).encode()
                later = "Retry-After: 120\r\n" if status == 429 else ""
                writer.write(
                    f"HTTP/1.1 {status} x\r\n{later}Content-Length: {len(data)}\r\n"
                    "Connection: close\r\n\r\n".encode()
                    + data
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _told(self, key: str) -> tuple[int, dict[str, object]]:
        """What became of a message."""
        self.asked += 1
        if self.how == "mute":
            return 500, {}
        if key not in self.taken:
            return 404, {}
        return 200, {"id": f"p-{key}", "status": self.status}

    def _answer(self, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, object]]:
        self.calls += 1
        match self.how:
            case "busy":
                return 429, {}
            case "refused":
                return 422, {"code": "no"}
            case "bad_address":
                return 422, {"code": "invalid_recipient"}
            case "opted_out":
                return 422, {"code": "opted_out"}
        self.headers = headers
        self.bodies.append(body)
        key = headers.get("idempotency-key") or headers["webhook-id"]
        self.taken.setdefault(key, json.loads(body))
        return (0 if self.how == "drops" else 202), {"id": f"p-{key}"}


async def _read(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    return first, headers, await reader.readexactly(int(headers.get("content-length", 0)))


@asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    kept = Provider()
    server = await asyncio.start_server(kept.serve, "127.0.0.1", 0)
    kept.port = server.sockets[0].getsockname()[1]
    try:
        yield kept
    finally:
        server.close()
        await server.wait_closed()


async def ask(request: Request) -> Reply:
    """An outbound client over a connection a request."""
    try:
        async with httpx2.AsyncClient() as client:
            answer = await client.request(
                request.method,
                request.url,
                headers=dict(request.headers),
                content=request.body,
                timeout=request.timeout_s,
            )
    except httpx2.ConnectError as failure:
        raise RequestError("unreachable", sent=False) from failure
    except httpx2.HTTPError as failure:
        raise RequestError("no_answer", sent=True) from failure
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Reply(answer.status_code, headers, answer.content)


def free_port() -> int:
    """Where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
