"""How an operation of the API is declared, and what happens around every one of them.

sign-in -> permission -> lock and transaction -> repeated key? -> the operation -> commit -> answer
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from harbor.context import NOWHERE, Config, Ctx, hashed
from harbor.problems import MEANINGS, Problem
from harbor.store import Object, Store, Tx

PROBLEM_JSON = "application/problem+json"
_NOT_KEPT = frozenset({429, *range(500, 600)})
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Operation(APIRoute):
    """A route that opens its context. Options stand in `openapi_extra`."""

    def get_route_handler(self) -> Handler:
        inner = super().get_route_handler()
        extra = self.openapi_extra or {}

        async def handle(request: Request) -> Response:
            request.state.headers = {}
            state = request.app.state
            lock: asyncio.Lock = state.lock
            if extra.get("x-unlocked"):
                return await _answered(inner, request)
            async with lock:
                with state.store.transaction(state.config.clock()) as tx:
                    ctx = open_context(request, state.config, state.store, tx, extra)
                    request.state.ctx = ctx
                    return await _once(inner, request, ctx, extra)

        return handle


async def _once(inner: Handler, request: Request, ctx: Ctx, extra: Mapping[str, Any]) -> Response:
    """The operation, or what it answered to the same Idempotency-Key before."""
    key = request.headers.get("idempotency-key")
    if not key or not extra.get("x-idempotent"):
        return await _answered(inner, request)
    workspace = ctx.workspace.id if ctx.workspace else NOWHERE
    asked = hashed(f"{request.method} {request.url.path} {(await request.body()).hex()}")
    row = ctx.tx.db.execute(
        "SELECT * FROM idempotency WHERE workspace=? AND key=?", (workspace, key)
    ).fetchone()
    if row is not None:
        if row["request"] != asked:
            raise Problem("HBR-702", "the same key came with another request")
        headers = {**json.loads(row["headers"]), "idempotent-replayed": "true"}
        return Response(base64.b64decode(row["response"]), row["status"], headers)
    answer = await _answered(inner, request)
    if answer.status_code not in _NOT_KEPT:
        kept = {k: v for k, v in answer.headers.items() if k in ("content-type", "etag")}
        ctx.tx.db.execute(
            "INSERT INTO idempotency VALUES (?,?,?,?,?,?,?)",
            (workspace, key, asked, answer.status_code, json.dumps(kept),
             base64.b64encode(bytes(answer.body)), ctx.tx.stamp),
        )  # fmt: skip
    return answer


async def _answered(inner: Handler, request: Request) -> Response:
    answer = await inner(request)
    answer.headers.update(request.state.headers)
    return answer


def open_context(
    request: Request, config: Config, store: Store, tx: Tx, extra: Mapping[str, Any]
) -> Ctx:
    """Signed in and allowed, or a Problem."""
    ctx = Ctx(request, config, store, tx)
    _sign_in(ctx)
    if extra.get("x-public"):
        return ctx
    if ctx.workspace is None:
        raise Problem("unauthenticated", "send Authorization: Bearer with a user token or API key")
    scope = extra.get("x-scope")
    if ctx.scopes is not None and scope not in ctx.scopes:
        raise Problem("HBR-703", f"the key lacks {scope or 'what only people may do'}")
    if permission := extra.get("x-permission"):
        ctx.need(permission)
    if feature := extra.get("x-feature"):
        ctx.need_feature(feature)
    return ctx


def _sign_in(ctx: Ctx) -> None:
    kind, _, secret = ctx.request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not secret:
        secret = ctx.request.cookies.get("harbor_session", "")
    if not secret:
        return
    token = ctx.tx.natural(NOWHERE, "token", hashed(secret))
    if token is None or datetime.fromisoformat(token["expires"]) <= ctx.tx.now:
        raise Problem("HBR-704", "sign in again, or use a key that is valid")
    ctx.workspace = ctx.tx.find(NOWHERE, "workspace", token["workspace"])
    if token["kind"] == "api_key":
        ctx.scopes = frozenset(token["scopes"])
        return
    ctx.member = ctx.tx.find(token["workspace"], "member", token["member"])
    if ctx.member is None:
        raise Problem("HBR-704", "this member was removed")
    ctx.auth_time = token["auth_time"]


def operation(  # noqa: PLR0913  # each is a fact of the operation
    routes: APIRouter,
    call: str,
    *,
    id: str,
    status: int = 200,
    permission: str | None = None,
    scope: str | None = None,
    feature: str | None = None,
    idempotent: bool = False,
    public: bool = False,
    unlocked: bool = False,
    fails: tuple[str, ...] = (),
    summary: str | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare `METHOD /path`. `fails` are the HBR codes that the document names."""
    method, path = call.split(" ")
    extra: dict[str, Any] = {"x-idempotent": idempotent}
    options = {"x-permission": permission, "x-scope": scope, "x-feature": feature}
    extra |= {name: value for name, value in options.items() if value}
    extra |= {name: True for name, on in (("x-public", public), ("x-unlocked", unlocked)) if on}
    if public:
        extra["security"] = []

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        routes.add_api_route(
            path,
            function,
            methods=[method],
            operation_id=id,
            status_code=status,
            summary=summary or id.replace("_", " ").capitalize(),
            responses=_responses(fails),
            openapi_extra=extra,
            route_class_override=Operation,
        )
        return function

    return add


def _responses(codes: tuple[str, ...]) -> dict[int | str, dict[str, Any]]:
    found: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        status = MEANINGS[code].status
        said = f"{code}: {MEANINGS[code].title}"
        earlier = found.get(status, {}).get("description")
        found[status] = {
            "description": f"{earlier}; {said}" if earlier else said,
            "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    return found


def problem_response(problem: Problem) -> JSONResponse:
    headers = {}
    if problem.retry_after is not None:
        headers["retry-after"] = f"{problem.retry_after:g}"
    return JSONResponse(problem.body, problem.status, headers, media_type=PROBLEM_JSON)


def body_of(found: Object, **more: Any) -> dict[str, Any]:
    """An object as most answers show it."""
    return {"id": found.id, **found.body, "created_at": found.created,
            "updated_at": found.changed, **more}  # fmt: skip
