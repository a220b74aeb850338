"""Product events over a WebSocket, `/v1/events/stream`: each is acknowledged by its message id once
it is durable.

    -> {"auth": "KEY OR TOKEN"}             where no Authorization header can be sent
    <- {"ready": true}
    -> a message, or {"batch": [...]}
    <- {"acks": [a result by message id]}
    <- {"error": {"code", "retryAfter"}}    nothing of the frame was stored: send it again

What was not acknowledged when the connection ends is sent again: a second copy changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

import orjson
import structlog
from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from api.errors import RETRY_AFTER_S, IdentityUnavailableError, ProblemError
from api.events import MAX_BYTES, MAX_EVENTS, EventDesk, messages_of, parsed, shown
from api.sessions import CREDENTIAL_PREFIX, is_bound_to
from guardrails.store import StoreUnavailableError
from onboarding.events.intake import Sender

AUTH_S: Final = 10.0
"""How long a connection may stay without saying whose it is."""
SEEN_S: Final = 60.0
"""After it whose it is, is asked again: a session that ended ends its stream."""
WAITING: Final = 32
"""Frames that are read ahead; then the sender waits."""
_GOING_AWAY, _POLICY, _TOO_BIG, _MALFORMED = 1001, 1008, 1009, 1007
_log = structlog.get_logger(__name__)


class _Frame(NamedTuple):
    messages: Sequence[Any]


class _EndError(Exception):
    """The connection ends with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def router(desk: EventDesk | None) -> APIRouter:
    """The stream; without a desk it is refused."""
    routes = APIRouter(prefix="/v1")

    @routes.websocket("/events/stream")
    async def stream(socket: WebSocket) -> None:
        if desk is None:
            await socket.close(_POLICY, "events_off")
            return
        await socket.accept()
        try:
            await _Stream(socket, desk).run()
        except WebSocketDisconnect:
            return
        except _EndError as end:
            with suppress(RuntimeError):  # it is closed already
                await socket.close(end.code, end.reason)

    return routes


class _Stream:
    """One connection. Frames are taken in order; those that wait share one append."""

    def __init__(self, socket: WebSocket, desk: EventDesk) -> None:
        self._socket = socket
        self._desk = desk
        self._frames: asyncio.Queue[_Frame] = asyncio.Queue(WAITING)
        self._authorization = ""
        self._sender = Sender(desk.tenant)
        self._seen = 0.0

    async def run(self) -> None:
        """Until it ends. Raises WebSocketDisconnect, _EndError."""
        await self._sign_in()
        await self._socket.send_text('{"ready":true}')
        reading = asyncio.create_task(self._read(), name="event stream")
        taking = asyncio.create_task(self._take(), name="event intake")
        try:
            await asyncio.wait({reading, taking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reading, taking):
                task.cancel()
            ended = await asyncio.gather(reading, taking, return_exceptions=True)
        for failure in ended:
            if isinstance(failure, Exception):
                raise failure

    async def _sign_in(self) -> None:
        self._authorization = self._socket.headers.get("authorization", "")
        if not self._authorization:
            try:
                async with asyncio.timeout(AUTH_S):
                    said = _loaded(await self._text())
            except TimeoutError as late:
                raise _EndError(_POLICY, "sign_in_required") from late
            token = said.get("auth") if isinstance(said, dict) else None
            if not isinstance(token, str):
                raise _EndError(_POLICY, "sign_in_required")
            self._authorization = f"Bearer {token}"
        await self._ask()

    async def _ask(self) -> None:
        """Whose it is, now. A credential of ours is good on the page alone that it was given to."""
        credential = self._authorization.partition(" ")[2].strip()
        origin = self._socket.headers.get("origin", "")
        if credential.startswith(CREDENTIAL_PREFIX) and not is_bound_to(credential, origin):
            raise _EndError(_POLICY, "wrong_origin")
        try:
            self._sender = await self._desk.sender(self._authorization)
        except ProblemError as refused:
            raise _EndError(_POLICY, refused.problem.code) from refused
        except IdentityUnavailableError as away:
            raise _EndError(_GOING_AWAY, "identity_unavailable") from away
        self._seen = asyncio.get_running_loop().time()

    async def _text(self) -> str:
        text = await self._socket.receive_text()
        if len(text) > MAX_BYTES:
            raise _EndError(_TOO_BIG, "too_large")
        return text

    async def _read(self) -> None:
        while True:
            try:
                messages, _ = messages_of(_loaded(await self._text()))
            except ProblemError as wrong:
                raise _EndError(_MALFORMED, wrong.problem.code) from wrong
            await self._frames.put(_Frame(messages))

    async def _take(self) -> None:
        held: _Frame | None = None
        while True:
            frame = held or await self._frames.get()
            messages = list(frame.messages)
            held = None
            while held is None and not self._frames.empty():
                more = self._frames.get_nowait()
                if len(messages) + len(more.messages) > MAX_EVENTS:
                    held = more
                else:
                    messages += more.messages
            await self._answer(messages)

    async def _answer(self, messages: Sequence[Any]) -> None:
        if asyncio.get_running_loop().time() - self._seen > SEEN_S:
            await self._ask()
        try:
            results = await self._desk.intake.take(self._sender, messages, self._desk.clock())
            said: dict[str, Any] = {"acks": [shown(each) for each in results]}
        except StoreUnavailableError:
            _log.warning("events.not_stored", messages=len(messages))
            said = {"error": {"code": "database_unavailable", "retryAfter": RETRY_AFTER_S}}
        await self._socket.send_text(orjson.dumps(said).decode())


def _loaded(text: str) -> Any:
    try:
        return parsed(text)
    except ProblemError as wrong:
        raise _EndError(_MALFORMED, wrong.problem.code) from wrong
