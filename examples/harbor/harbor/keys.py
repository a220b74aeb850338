"""API keys, deletions and exports of data."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from harbor.context import NOWHERE, Ctx, Here, hashed, page
from harbor.operations import body_of, operation
from harbor.problems import Problem
from harbor.store import Object

routes = APIRouter(tags=["API keys and data"])
Scope = Literal[
    "events:write", "data:read", "dashboards:read", "dashboards:write", "connections:write",
    "imports:write", "members:read", "members:write", "alerts:write", "audit:read", "billing:read",
]  # fmt: skip
KEYS = "api_keys.manage"
OVERLAP = timedelta(hours=24)


class NewKey(BaseModel):
    name: str = Field(min_length=1, max_length=100)
    scopes: list[Scope] = Field(min_length=1)
    expires_in_days: int = Field(default=90, ge=1, le=365)


class Deletion(BaseModel):
    user_ids: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        min_length=1, max_length=1000
    )


def _shown(key: Object) -> dict[str, Any]:
    body = body_of(key)
    del body["token_id"]
    return body


def _issue(ctx: Ctx, name: str, scopes: list[str], days: int) -> tuple[Object, str]:
    secret = f"hbr_key_{secrets.token_urlsafe(24)}"
    expires = (ctx.tx.now + timedelta(days=days)).isoformat(timespec="seconds")
    token = ctx.tx.create(
        NOWHERE, "token", "tok",
        {"kind": "api_key", "workspace": ctx.ws, "scopes": scopes, "expires": expires},
        natural=hashed(secret),
    )  # fmt: skip
    made = ctx.tx.create(
        ctx.ws, "api_key", "key",
        {"name": name, "scopes": scopes, "state": "active", "expires_at": expires,
         "last4": secret[-4:], "token_id": token.id},
    )  # fmt: skip
    return made, secret


def _active(ctx: Ctx) -> list[Object]:
    return [key for key in ctx.tx.all(ctx.ws, "api_key") if key["state"] == "active"]


@operation(routes, "GET /v1/api-keys", id="list_api_keys", permission=KEYS)
async def list_api_keys(ctx: Here, limit: int = 50, cursor: str | None = None) -> dict[str, Any]:
    return page([_shown(key) for key in _active(ctx)], limit, cursor)


@operation(routes, "POST /v1/api-keys", id="create_api_key", status=201, permission=KEYS,
           idempotent=True, fails=("HBR-901",))  # fmt: skip
async def create_api_key(body: NewKey, ctx: Here) -> dict[str, Any]:
    """The key is shown once."""
    if len(_active(ctx)) >= ctx.plan.api_keys:
        raise Problem("HBR-901", f"the {ctx.plan.name} plan has {ctx.plan.api_keys} keys")
    made, secret = _issue(ctx, body.name, list(body.scopes), body.expires_in_days)
    ctx.audit("api_key.created", made.id)
    ctx.track("API Key Created", scopes=list(body.scopes))
    ctx.effect(made.id)
    return ctx.shown(made, {**_shown(made), "key": secret})


@operation(routes, "POST /v1/api-keys/{key_id}/rotate", id="rotate_api_key", permission=KEYS,
           idempotent=True)  # fmt: skip
async def rotate_api_key(key_id: str, ctx: Here) -> dict[str, Any]:
    """A new secret; the old one works for 24 hours more."""
    old = ctx.get("api_key", key_id)
    if old["state"] != "active":
        raise Problem("HBR-704", "the key was revoked")
    made, secret = _issue(ctx, old["name"], old["scopes"], 90)
    token = ctx.tx.anywhere("token", old["token_id"])
    if token is not None:
        ctx.tx.save(token, expires=(ctx.tx.now + OVERLAP).isoformat())
    ctx.tx.save(old, state="rotated")
    ctx.effect(key_id)
    return ctx.shown(made, {**_shown(made), "key": secret})


@operation(routes, "DELETE /v1/api-keys/{key_id}", id="revoke_api_key", permission=KEYS)
async def revoke_api_key(key_id: str, ctx: Here) -> dict[str, Any]:
    key = ctx.get("api_key", key_id)
    token = ctx.tx.anywhere("token", key["token_id"])
    if token is not None:
        ctx.tx.delete(token)
    changed = ctx.tx.save(key, state="revoked")
    ctx.audit("api_key.revoked", key_id)
    ctx.track("API Key Revoked")
    ctx.effect(key_id)
    return ctx.shown(changed, _shown(changed))


# --- privacy ------------------------------------------------------------------------------------


@operation(routes, "POST /v1/privacy/deletions", id="request_deletion", status=202,
           permission="data.delete", idempotent=True)  # fmt: skip
async def request_deletion(body: Deletion, ctx: Here) -> dict[str, Any]:
    """In the sandbox it is done at once."""
    marks = ",".join("?" * len(body.user_ids))
    gone = ctx.tx.db.execute(
        f"DELETE FROM event WHERE workspace=? AND user_id IN ({marks})",
        (ctx.ws, *body.user_ids),
    ).rowcount
    made = ctx.tx.create(
        ctx.ws, "deletion", "del",
        {"users": len(body.user_ids), "hashes": [hashed(u) for u in body.user_ids],
         "events_deleted": gone, "state": "done"},
    )  # fmt: skip
    ctx.audit("data.deleted", made.id)
    ctx.effect(made.id)
    return body_of(made)


@operation(routes, "POST /v1/privacy/exports", id="request_export", status=202,
           permission="data.export", idempotent=True)  # fmt: skip
async def request_export(ctx: Here) -> dict[str, Any]:
    expires = (ctx.tx.now + timedelta(days=7)).isoformat(timespec="seconds")
    made = ctx.tx.create(
        ctx.ws, "export", "exp",
        {"state": "ready", "expires_at": expires,
         "url": f"{ctx.config.base_url}/exports/{secrets.token_urlsafe(12)}"},
    )  # fmt: skip
    ctx.audit("data.exported", made.id)
    ctx.track("Data Exported")
    ctx.effect(made.id)
    return body_of(made)
