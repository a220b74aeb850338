"""Product events over HTTP, in Segment's shape and on Segment's paths; answered once they are
durable.

A sender of Segment's or RudderStack's works by changing its host: the write key is the user name of
Basic, or a bearer token, and speaks for everybody of the tenant. The widget's signed-in person
sends too, and speaks of themself alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import orjson
from fastapi import APIRouter, Request, Response

from api.errors import InputError, NotHereError, Problem, ProblemError, TooLargeError
from api.identity import Identify, SignInError
from api.openapi import problem
from api.schemas import Wire
from onboarding.events.intake import Intake, Sender
from onboarding.events.messages import moment
from onboarding.events.verdicts import Code, Result, Status, Warned

MAX_EVENTS: Final = 500
MAX_BYTES: Final = 512 * 1024
"""Of a body, and of what a packed one unpacks to."""
SINGLE: Final = ("track", "identify", "page", "group")
PATHS: Final = ("events", "batch", *SINGLE)
_GZIP: Final = 16 + zlib.MAX_WBITS
_LEAST_KEY: Final = 16


class WriteKeys:
    """Keys of the host's backend, kept as digests. Raises ValueError for one that is guessed
    easily."""

    def __init__(self, keys: Iterable[str]) -> None:
        given = tuple(keys)
        if any(len(key) < _LEAST_KEY for key in given):
            raise ValueError(f"a write key has at least {_LEAST_KEY} characters")
        self._digests = tuple(hashlib.sha256(key.encode()).digest() for key in given)

    def __contains__(self, key: str) -> bool:
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
        return any([hmac.compare_digest(digest, each) for each in self._digests])  # noqa: C419


@dataclass(frozen=True, slots=True)
class EventDesk:
    """The intake of one tenant, and who may send. `identify` is of people; None: keys alone."""

    tenant: str
    intake: Intake
    keys: WriteKeys
    clock: Callable[[], datetime]
    identify: Identify | None = None

    async def sender(self, authorization: str | None) -> Sender:
        """Raises SignInError, and what `identify` raises."""
        scheme, _, value = (authorization or "").partition(" ")
        value = value.strip()
        match scheme.lower():
            case "basic":
                return self._by_key(_user_name(value))
            case "bearer" if value and value in self.keys:
                return Sender(self.tenant)
            case "bearer":
                return await self._person(value)
            case _:
                raise SignInError("write_key_required", "send a write key or a person's token")

    def _by_key(self, key: str) -> Sender:
        if key and key in self.keys:
            return Sender(self.tenant)
        raise SignInError("write_key_invalid", "this write key is not good", 'Basic realm="events"')

    async def _person(self, token: str) -> Sender:
        actor = await self.identify(token) if self.identify is not None and token else None
        if actor is None or actor.tenant != self.tenant:
            raise SignInError("auth_expired", "this token or key is not good (any more)")
        return Sender(self.tenant, actor.subject, actor.principal.account or None)


class ReasonBody(Wire):
    """`field` names the property or id that it is about."""

    code: Code
    field: str | None = None


class ResultBody(Wire):
    """Of one message, in the order sent. Everything but an error of the request is durable or
    decided: nothing needs to be sent again."""

    message_id: str
    status: Status
    reasons: list[ReasonBody]
    dropped: list[str]
    warnings: list[Warned]


class EventsBody(Wire):
    """`success` is what senders of Segment's look for."""

    success: Literal[True] = True
    results: list[ResultBody]


RESPONSES: dict[int | str, dict[str, Any]] = {
    400: problem("The body is no JSON"),
    401: problem("No write key and nobody signed in"),
    404: problem("No events are taken here"),
    413: problem("More than 512 KB"),
    415: problem("Packed in another way than gzip"),
    422: problem("No message, or more than 500 of them"),
    503: problem("Nothing was stored: send it again"),
    200: {"model": EventsBody, "description": "Durable, with one result a message"},
}
_MESSAGE: Final = {
    "type": "object",
    "properties": {
        "type": {"enum": [*SINGLE]},
        "messageId": {"type": "string"},
        "userId": {"type": "string"},
        "anonymousId": {"type": "string"},
        "event": {"type": "string"},
        "timestamp": {"type": "string", "format": "date-time"},
        "properties": {"type": "object"},
        "traits": {"type": "object"},
        "context": {"type": "object"},
    },
}
_BATCH: Final = {
    "type": "object",
    "required": ["batch"],
    "properties": {
        "batch": {"type": "array", "items": _MESSAGE, "minItems": 1, "maxItems": MAX_EVENTS},
        "sentAt": {"type": "string", "format": "date-time"},
    },
}


def router(desk: EventDesk | None) -> APIRouter:
    """`/v1/events`, and Segment's own `/v1/batch`, `/v1/track`, `/v1/identify`, `/v1/page` and
    `/v1/group`."""
    routes = APIRouter(prefix="/v1", tags=["events"], responses=RESPONSES)
    _add(routes, desk, "events", None, "Take one event or up to 500", {"anyOf": [_BATCH, _MESSAGE]})
    _add(routes, desk, "batch", None, "Take up to 500 events", _BATCH)
    for kind in SINGLE:
        _add(routes, desk, kind, kind, f"Take one message of kind {kind}", _MESSAGE)
    return routes


def _add(  # each is a fact of the route
    routes: APIRouter,
    desk: EventDesk | None,
    path: str,
    kind: str | None,
    summary: str,
    schema: dict[str, Any],
) -> None:
    content = {"application/json": {"schema": schema}}

    @routes.post(
        f"/{path}",
        summary=summary,
        name=f"take_{path}",
        response_model=None,  # built by hand: 500 results are checked by nobody
        openapi_extra={"requestBody": {"required": True, "content": content}},
    )
    async def take(request: Request) -> Response:
        here = _here(desk)
        sender = await here.sender(request.headers.get("authorization"))
        messages, sent_at = messages_of(await _unpacked(request), kind)
        results = await here.intake.take(sender, messages, here.clock(), sent_at)
        body = {"success": True, "results": [shown(each) for each in results]}
        return Response(orjson.dumps(body), media_type="application/json")


def messages_of(body: Any, kind: str | None = None) -> tuple[Sequence[Any], datetime | None]:
    """The messages of a body, and when the batch was sent. Raises InputError."""
    if isinstance(body, dict) and "batch" in body:
        batch = body["batch"]
        if not isinstance(batch, list) or not 1 <= len(batch) <= MAX_EVENTS:
            raise InputError("/batch", f"1 to {MAX_EVENTS} messages")
        return batch, moment(body.get("sentAt"))
    if not isinstance(body, dict):
        raise InputError("", "send a message, or `batch` with a list of them")
    return [body if kind is None else {**body, "type": kind}], None


def parsed(body: bytes | str) -> Any:
    """Raises ProblemError."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ProblemError(Problem(400, "malformed_json", "the body is not valid JSON")) from error


def shown(result: Result) -> dict[str, Any]:
    """As ResultBody."""
    reasons = [{"code": each.code, "field": each.field or None} for each in result.reasons]
    return {
        "messageId": result.message_id,
        "status": result.status,
        "reasons": reasons,
        "dropped": result.dropped,
        "warnings": result.warnings,
    }


def _here(desk: EventDesk | None) -> EventDesk:
    if desk is None:
        raise NotHereError("events_off", "no product events are taken here")
    return desk


async def _unpacked(request: Request) -> Any:
    body = await request.body()
    packed = request.headers.get("content-encoding", "identity").strip().lower()
    if packed == "gzip":
        body = _gunzipped(body)
    elif packed not in {"", "identity"}:
        told = "send the body as it is, or packed with gzip"
        raise ProblemError(Problem(415, "unsupported_encoding", told))
    if len(body) > MAX_BYTES:
        raise TooLargeError("the batch", MAX_BYTES)
    return parsed(body)


def _gunzipped(body: bytes) -> bytes:
    """No more than one byte above the cap, whatever it claims to be. Raises ProblemError."""
    unpacking = zlib.decompressobj(_GZIP)
    try:
        plain = unpacking.decompress(body, MAX_BYTES + 1)
    except zlib.error as error:
        raise ProblemError(Problem(400, "malformed_gzip", "the body is no gzip")) from error
    if len(plain) <= MAX_BYTES and not unpacking.eof:
        raise ProblemError(Problem(400, "malformed_gzip", "the body is cut off"))
    return plain


def _user_name(value: str) -> str:
    """Of Basic credentials (RFC 7617); Segment leaves the password empty."""
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""
