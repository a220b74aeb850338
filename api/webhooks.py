"""What the host product's backend tells us, signed: a user is gone, access or a page is taken away.

The body is read raw and believed only once its signature is good; each message is acted on once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.context import Context
from api.errors import InputError, NotHereError, Problem, ProblemError
from api.hooks import Deed, HostHooks
from api.openapi import problem
from api.signed import HookBody, Named, documented, once, verified_id
from guardrails.retention import UnderHoldError

SENDER = "host"
_Id = Annotated[str, Field(min_length=1, max_length=200)]


class OfSubject(BaseModel):
    """`user.deleted`: everything of them is erased. `access.revoked`: their sessions end."""

    model_config = ConfigDict(strict=True, extra="ignore")

    subject: _Id


class OfDocument(BaseModel):
    """`document.revoked`: this page is not shown any more."""

    model_config = ConfigDict(strict=True, extra="ignore")

    path: Annotated[str, Field(min_length=1, max_length=1000)]


class Told(BaseModel):
    """A CloudEvent, or any JSON with a type and data."""

    model_config = ConfigDict(strict=True, extra="ignore")

    type: Annotated[str, Field(min_length=1, max_length=200)]
    data: dict[str, Any]


def router(context: Context) -> APIRouter:
    """`/v1/webhooks/host`."""
    routes = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])

    @routes.post(
        "/host",
        summary="What the host's backend tells us, by Standard Webhooks",
        openapi_extra=documented(Told),
        responses={
            401: problem("Not signed with our secret, or not within five minutes"),
            404: problem("No secret of the host's webhooks is configured"),
            409: problem("What it asks for is not allowed now"),
            413: problem("The body is too large"),
            422: problem("Rightly signed, and nothing that we understand"),
            503: problem("It could not be done: send it again"),
        },
    )
    async def host(request: Request) -> HookBody:
        hooks = context.acts.hooks
        if hooks is None:
            raise NotHereError("webhooks_off", "no secret of the host's webhooks is set here")
        body = await request.body()
        message_id = verified_id(hooks.secrets, request, body, hooks.clock())
        deed, about = _deed(hooks, body)
        if deed is None:
            return HookBody(status="ignored")
        message = Named(context.tenant, SENDER, message_id)
        return await _once(hooks, message, lambda: deed(about))

    return routes


def _deed(hooks: HostHooks, body: bytes) -> tuple[Deed | None, str]:
    try:
        told = Told.model_validate_json(body)
        match told.type:
            case "user.deleted":
                return hooks.user_deleted, OfSubject.model_validate(told.data).subject
            case "access.revoked":
                return hooks.access_revoked, OfSubject.model_validate(told.data).subject
            case "document.revoked":
                return hooks.document_revoked, OfDocument.model_validate(told.data).path
            case _:
                return None, ""
    except ValidationError as error:
        where = "/".join(str(part) for part in error.errors()[0]["loc"])
        raise InputError(f"/{where}", "the message does not fit its type") from error


async def _once(hooks: HostHooks, message: Named, work: Callable[[], Awaitable[None]]) -> HookBody:
    try:
        async with once(hooks.seen, message, hooks.clock()) as first:
            if not first:
                return HookBody(status="repeated")
            await work()
    except UnderHoldError as failure:
        detail = "what is kept of this person has to be kept for now: a legal hold stands"
        raise ProblemError(Problem(409, "legal_hold", detail)) from failure
    return HookBody(status="accepted")
