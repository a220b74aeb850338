"""How an operation of the API is declared, and what happens around every one of them.

sign-in -> permission -> lock and transaction -> repeated key? -> the operation -> commit -> answer
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from typing_extensions import override

from harbor.context import NOWHERE, Config, Ctx, hashed
from harbor.problems import MEANINGS, Problem
from harbor.requirements import mfa_due
from harbor.store import Object, Store, Tx
from harbor.telling import DENIED, LIMITED, refused

INTAKE = "events:write"
SCIM_TOKEN = "hbr_scim_"
PROBLEM_JSON = "application/problem+json"
KEPT = timedelta(hours=24)
_NOT_KEPT = frozenset({429, *range(500, 600)})
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Operation(APIRoute):
    """A route that opens its context. Options stand in `openapi_extra`."""

    @override
    def get_route_handler(self) -> Handler:
        inner = super().get_route_handler()
        extra = self.openapi_extra or {}

        async def handle(request: Request) -> Response:
            try:
                return await attempt(request)
            except Problem as refusal:
                await _tell(request, refusal)
                raise

        async def attempt(request: Request) -> Response:
            request.state.headers, request.state.rate, request.state.cookies = {}, {}, []
            state = request.app.state
            if extra.get("x-unlocked"):
                answer = await _answered(inner, request)
            else:
                # all of it before the lock, which a slow sender must not hold
                await _body(request, extra.get("x-most-bytes"))
                lock: asyncio.Lock = state.lock
                async with lock:
                    with state.store.transaction(state.config.clock()) as tx:
                        ctx = open_context(request, state.config, state.store, tx, extra)
                        request.state.ctx = ctx
                        answer = await _once(inner, request, ctx, extra)
            answer.headers.update(request.state.rate)
            return answer

        return handle


async def _tell(request: Request, refusal: Problem) -> None:
    """After the transaction that it ended: what was refused left no trace in it."""
    ctx: Ctx | None = getattr(request.state, "ctx", None)
    if ctx is None or ctx.workspace is None or refusal.code not in DENIED | LIMITED:
        return
    async with request.app.state.lock:
        with request.app.state.store.transaction(request.app.state.config.clock()) as tx:
            member = ctx.member.id if ctx.member is not None else None
            refused(tx, ctx.ws, member, ctx.operation, refusal.code, refusal.retry_after)


async def _body(request: Request, most: int | None) -> None:
    """Reads it, where it is not too long."""
    said = int(request.headers.get("content-length") or 0)
    if most is not None and (said > most or len(await request.body()) > most):
        raise Problem("HBR-408", f"at most {most // 1000:,} kB")
    await request.body()


async def _once(inner: Handler, request: Request, ctx: Ctx, extra: Mapping[str, Any]) -> Response:
    """The operation, or what it answered to the same Idempotency-Key before."""
    key = request.headers.get("idempotency-key")
    if not key or not extra.get("x-idempotent"):
        return await _answered(inner, request)
    workspace = ctx.workspace.id if ctx.workspace else NOWHERE
    asked = hashed(f"{request.method} {request.url.path} {(await request.body()).hex()}")
    ctx.tx.db.execute(
        "DELETE FROM idempotency WHERE workspace=? AND key=? AND created<?",
        (workspace, key, (ctx.tx.now - KEPT).isoformat(timespec="milliseconds")),
    )
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
    for cookie in request.state.cookies:
        answer.headers.append("set-cookie", cookie)
    return answer


def open_context(
    request: Request, config: Config, store: Store, tx: Tx, extra: Mapping[str, Any]
) -> Ctx:
    """Signed in and allowed, or a Problem."""
    ctx = Ctx(request, config, store, tx)
    request.state.ctx = ctx  # who was refused is told too
    if extra.get("x-public"):  # a session that is over must not stop a new sign-in
        return ctx
    _sign_in(ctx)
    if ctx.workspace is None:
        raise Problem("unauthenticated", "send Authorization: Bearer with a user token or API key")
    if ctx.scopes is not None:
        _key_may(ctx, extra.get("x-scope"))
    elif not extra.get("x-before-mfa"):
        _has_second_factor(ctx)
    if permission := extra.get("x-permission"):
        ctx.need(permission)
    if feature := extra.get("x-feature"):
        ctx.need_feature(feature)
    return ctx


def _has_second_factor(ctx: Ctx) -> None:
    """Raises Problem where one is required and the grace is over."""
    due = mfa_due(ctx)
    if due is not None and due <= ctx.tx.now:
        raise Problem("HBR-613", "set up a second factor first: POST /v1/me/mfa")


def _key_may(ctx: Ctx, scope: str | None) -> None:
    """Raises Problem."""
    assert ctx.scopes is not None
    ctx.request.app.state.rates.take(ctx)
    if scope not in ctx.scopes:
        raise Problem("HBR-703", f"the key lacks {scope or 'what only people may do'}")
    reads = ctx.request.method in ("GET", "HEAD") or scope == INTAKE
    if not reads and "write_api" not in ctx.plan.features:
        raise Problem("HBR-901", f"keys of the {ctx.plan.name} plan only read and send events")


def _sign_in(ctx: Ctx) -> None:
    kind, _, secret = ctx.request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not secret:
        secret = ctx.request.cookies.get("harbor_session", "")
    if not secret or secret.startswith(SCIM_TOKEN):
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
    most_bytes: int | None = None,
    unlocked: bool = False,
    before_mfa: bool = False,
    fails: tuple[str, ...] = (),
    summary: str | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare `METHOD /path`. `fails` are the HBR codes that the document names; `before_mfa`
    is open to whoever has yet to set up a second factor."""
    method, path = call.split(" ")
    extra: dict[str, Any] = {"x-idempotent": idempotent}
    options = {"x-permission": permission, "x-scope": scope, "x-feature": feature,
               "x-most-bytes": most_bytes}  # fmt: skip
    extra |= {name: value for name, value in options.items() if value}
    marks = {"x-public": public, "x-unlocked": unlocked, "x-before-mfa": before_mfa}
    extra |= {name: True for name, on in marks.items() if on}
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
