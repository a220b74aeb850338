"""Messages that others sign by Standard Webhooks: believed by their signature, acted on once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Literal, NamedTuple

import structlog
from fastapi import Request
from pydantic import BaseModel

from api.errors import Problem, ProblemError
from api.schemas import Wire
from tools.webhooks import Secrets, SeenMessages, WebhookError, verified
from tools.webhooks.signing import ID, SIGNATURE, TIMESTAMP

_HEADERS = (ID, TIMESTAMP, SIGNATURE)
_log = structlog.get_logger(__name__)


class HookBody(Wire):
    """`repeated`: it came before and was acted on then. `ignored`: nothing that concerns us."""

    status: Literal["accepted", "repeated", "ignored"]


class Named(NamedTuple):
    """A message of a sender."""

    tenant: str
    sender: str
    id: str


def documented(body: type[BaseModel]) -> dict[str, Any]:
    """What OpenAPI says of it: the route reads its body raw."""
    header = {"required": True, "in": "header", "schema": {"type": "string"}}
    return {
        "parameters": [{"name": name, **header} for name in _HEADERS],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": body.model_json_schema()}},
        },
    }


def verified_id(secrets: Secrets, request: Request, body: bytes, now: datetime) -> str:
    """The id of the message. Raises ProblemError for what is not signed by one of the secrets."""
    lists = {name: request.headers.getlist(name) for name in _HEADERS}
    headers = {name: found[0] for name, found in lists.items() if len(found) == 1}
    try:
        return verified(secrets, headers, body, now)
    except WebhookError as error:
        _log.warning("webhook.refused", reason=error.reason)
        told = "this message is not believed: check secret, clock and raw body"
        raise ProblemError(Problem(401, "webhook_refused", told)) from error


@asynccontextmanager
async def once(seen: SeenMessages, message: Named, now: datetime) -> AsyncIterator[bool]:
    """Whether it is here for the first time. What fails within is not done, and may come again."""
    if not await seen.take(*message, now):
        yield False
        return
    try:
        yield True
    except BaseException:
        await seen.give_back(*message)
        raise
