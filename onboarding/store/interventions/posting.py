"""A request to a provider, and what its answer means for the message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Final, NamedTuple

from onboarding.interventions.channel import Again, Refused, Result, Sent, Unsure

_BUSY: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_ERROR: Final = 500
_REDIRECT: Final = 300
_DIGITS: Final = 7


class Request(NamedTuple):
    """As it goes out; `timeout_s` covers it from the first byte to the last."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whatever its status. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class RequestError(Exception):
    """No usable answer came. `sent`: the request may have reached the target."""

    def __init__(self, code: str, *, sent: bool) -> None:
        super().__init__(code)
        self.code = code
        self.sent = sent


Ask = Callable[[Request], Awaitable[Reply]]
"""The outbound client. Raises RequestError."""


async def posted(ask: Ask, request: Request) -> Reply | Again | Unsure:
    try:
        return await ask(request)
    except RequestError as failure:
        return Unsure() if failure.sent else Again()


def meaning(reply: Reply, provider_id: str | None = None) -> Result:
    """An error of the server may come after it did its part."""
    if reply.status < _REDIRECT:
        return Sent(provider_id)
    if reply.status in _BUSY:
        return Again(after=_asked(reply))
    return Unsure() if reply.status >= _ERROR else Refused()


def _asked(reply: Reply) -> timedelta | None:
    seconds = reply.headers.get("retry-after", "")
    return (
        timedelta(seconds=int(seconds)) if seconds.isdecimal() and len(seconds) < _DIGITS else None
    )
