"""Server-sent events as the AG-UI client reads them: LF only, since CRLF breaks its framing."""

from __future__ import annotations

from collections.abc import AsyncIterator

from ag_ui.core import BaseEvent
from fastapi.sse import KEEPALIVE_COMMENT
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from api.limits import Slot

PING = KEEPALIVE_COMMENT
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


def encode(event: BaseEvent, number: int | None = None) -> bytes:
    """One frame. JSON holds no raw line break, so the data is always a single line."""
    data = f"data: {event.model_dump_json(by_alias=True)}\n\n"
    return (data if number is None else f"id: {number}\n{data}").encode()


class EventStream(StreamingResponse):
    """A stream that holds a slot until the last byte is sent or the client is gone.

    FastAPI's generator endpoints put `id:` behind `data:`, run two extra tasks a stream and decide
    the status before the first event; a response of our own needs none of that.
    """

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncIterator[bytes], slot: Slot) -> None:
        super().__init__(frames, headers=HEADERS)
        self._slot = slot

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._slot.release()
