"""Outbound webhooks: made, listed, switched on again; their deliveries, and sending by hand."""

from __future__ import annotations

import json
import secrets
import sqlite3
from typing import Any, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from harbor import deliveries
from harbor.context import Ctx, Here, hashed, page, transaction
from harbor.operations import body_of, open_context, operation
from harbor.problems import Problem
from harbor.sealing import seal, unseal
from harbor.store import Object, Tx

routes = APIRouter(tags=["API keys and webhooks"])
job = deliveries.job
KEYS = "api_keys.manage"
EventType = Literal[
    "import.completed", "import.failed", "connection.failing", "alert.fired", "alert.resolved",
    "member.joined", "invite.expired",
]  # fmt: skip


class NewWebhook(BaseModel):
    url: str = Field(examples=["https://hooks.example.com/harbor"])
    events: list[EventType] = Field(min_length=1)


def _shown(tx: Tx, hook: Object) -> dict[str, Any]:
    row = tx.db.execute("SELECT * FROM hook WHERE id=?", (hook.id,)).fetchone()
    off = row["off_since"] if row else hook.created
    body = body_of(hook, state="off" if off else "on", off_since=off)
    del body["hash"]
    return body


@operation(routes, "GET /v1/webhooks", id="list_webhooks", permission=KEYS)
async def list_webhooks(ctx: Here, limit: int = 50, cursor: str | None = None) -> dict[str, Any]:
    return page([_shown(ctx.tx, hook) for hook in ctx.tx.all(ctx.ws, "webhook")], limit, cursor)


@operation(routes, "POST /v1/webhooks", id="create_webhook", status=201, permission=KEYS,
           idempotent=True)  # fmt: skip
async def create_webhook(body: NewWebhook, ctx: Here) -> dict[str, Any]:
    """HTTPS only; the signing secret is shown once."""
    _reachable(ctx, body.url)
    secret = f"whsec_{secrets.token_urlsafe(24)}"
    made = ctx.tx.create(ctx.ws, "webhook", "whk", {**body.model_dump(), "hash": hashed(secret)})
    ctx.tx.db.execute("INSERT INTO hook VALUES (?,?,NULL,NULL)", (made.id, seal(ctx.ws, secret)))
    ctx.track("Webhook Created", events=list(body.events))
    ctx.effect(made.id)
    return ctx.shown(made, {**_shown(ctx.tx, made), "signing_secret": secret})


def _reachable(ctx: Ctx, url: str) -> None:
    parts = urlsplit(url)
    here = ctx.config.sandbox and (parts.scheme, parts.hostname) == ("http", "127.0.0.1")
    if not here and (parts.scheme != "https" or not parts.hostname):
        raise Problem("invalid", "url: must be an https address")


@operation(routes, "DELETE /v1/webhooks/{webhook_id}", id="delete_webhook", status=204,
           permission=KEYS)  # fmt: skip
async def delete_webhook(webhook_id: str, ctx: Here) -> None:
    ctx.tx.delete(ctx.get("webhook", webhook_id))
    ctx.tx.db.execute("DELETE FROM hook WHERE id=?", (webhook_id,))
    ctx.tx.db.execute("DELETE FROM delivery WHERE webhook_id=?", (webhook_id,))
    ctx.effect(webhook_id)


@operation(routes, "POST /v1/webhooks/{webhook_id}/enable", id="enable_webhook", permission=KEYS,
           unlocked=True)  # fmt: skip
async def enable_webhook(webhook_id: str, request: Request) -> dict[str, Any]:
    """Switches it on again, once a test delivery has arrived."""
    app = request.app
    may = {"x-permission": KEYS}
    async with transaction(app) as tx:
        ctx = open_context(request, app.state.config, app.state.store, tx, may)
        hook = ctx.get("webhook", webhook_id)
        secret = unseal(ctx.ws, _row(tx, webhook_id)["secret"])
        test = deliveries.message(tx, ctx.ws, "webhook.test", {})
    result = await deliveries.post(
        hook["url"], secret, tx.now, test["id"], json.dumps(test).encode()
    )
    if not deliveries.arrived(result):
        raise Problem("conflict", f"the test delivery did not arrive: {result}")
    async with transaction(app) as tx:
        ctx = open_context(request, app.state.config, app.state.store, tx, may)
        tx.db.execute(
            "UPDATE hook SET failing_since=NULL, off_since=NULL WHERE id=?", (webhook_id,)
        )
        ctx.effect(webhook_id)
        return ctx.shown(hook, _shown(tx, ctx.get("webhook", webhook_id)))


def _row(tx: Tx, webhook_id: str) -> sqlite3.Row:
    row = tx.db.execute("SELECT * FROM hook WHERE id=?", (webhook_id,)).fetchone()
    if row is None:
        raise Problem("conflict", "its secret is not known any more; delete it and make it anew")
    assert isinstance(row, sqlite3.Row)
    return row


# --- deliveries ---------------------------------------------------------------------------------


def _delivery(row: sqlite3.Row) -> dict[str, Any]:
    waits = row["state"] == "waiting"
    return {"id": row["id"], "type": row["type"], "state": row["state"], "tries": row["tries"],
            "result": row["result"], "next_try_at": row["due"] if waits else None,
            "created_at": row["created"]}  # fmt: skip


@operation(routes, "GET /v1/webhooks/{webhook_id}/deliveries", id="list_webhook_deliveries",
           permission=KEYS)  # fmt: skip
async def list_webhook_deliveries(
    webhook_id: str, ctx: Here, limit: int = 50, cursor: str | None = None
) -> dict[str, Any]:
    """Those of the last 14 days, newest first."""
    ctx.get("webhook", webhook_id)
    rows = ctx.tx.db.execute(
        "SELECT * FROM delivery WHERE webhook_id=? ORDER BY created DESC, id", (webhook_id,)
    )
    return page([_delivery(row) for row in rows], limit, cursor)


@operation(routes, "POST /v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver",
           id="redeliver", status=202, permission=KEYS)  # fmt: skip
async def redeliver(webhook_id: str, delivery_id: str, ctx: Here) -> dict[str, Any]:
    """Sends it again under the same id."""
    ctx.get("webhook", webhook_id)
    if _row(ctx.tx, webhook_id)["off_since"] is not None:
        raise Problem("conflict", "the webhook is switched off; switch it on first")
    find = ("SELECT * FROM delivery WHERE id=? AND webhook_id=?", (delivery_id, webhook_id))
    if ctx.tx.db.execute(*find).fetchone() is None:
        raise Problem("not_found", f"there is no delivery {delivery_id}")
    deliveries.again(ctx.tx, delivery_id)
    ctx.effect(delivery_id)
    return _delivery(ctx.tx.db.execute(*find).fetchone())
