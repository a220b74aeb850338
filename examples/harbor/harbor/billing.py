"""The plan, its seats and its usage; downgrades and the end of the trial, when they are due."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any, Literal

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

from harbor import telling
from harbor.context import NOWHERE, Ctx, Here, transaction
from harbor.facts import PAID_ROLES, PLANS
from harbor.operations import operation
from harbor.store import Object, Tx
from harbor.usage import used

routes = APIRouter(tags=["Billing"])
TRIAL = timedelta(days=14)
POLL_S = 1.0


class PlanChange(BaseModel):
    plan: Literal["free", "team", "growth", "enterprise"]
    interval: Literal["monthly", "yearly"] = "monthly"
    dry_run: bool = False


def seats(ctx: Ctx) -> int:
    """Paid seats in use: active members, and pending invites with a paid role."""
    members = [m for m in ctx.tx.all(ctx.ws, "member") if m.get("active", True)]
    pending = [i for i in ctx.tx.all(ctx.ws, "invite") if i["state"] == "pending"]
    return sum(each["role"] in PAID_ROLES for each in (*members, *pending))


@operation(routes, "GET /v1/billing", id="get_billing", permission="billing.view",
           scope="billing:read")  # fmt: skip
async def get_billing(ctx: Here) -> dict[str, Any]:
    body = {
        "plan": ctx.here["plan"], "interval": ctx.here["interval"], "trial": ctx.here["trial"],
        "month": ctx.tx.stamp[:7], "paid_seats": seats(ctx), "seat_limit": ctx.plan.seats,
        "events_used": used(ctx.tx, ctx.ws), "event_limit": ctx.plan.events,
        "seat_price": ctx.plan.price[ctx.here["interval"] == "yearly"],
        "invoices": ctx.here.get("invoices", []),
    }  # fmt: skip
    return ctx.shown(ctx.here, body)


@operation(routes, "PUT /v1/billing/plan", id="change_plan", permission="billing.manage")
async def change_plan(body: PlanChange, ctx: Here) -> dict[str, Any]:
    """Upgrades hold at once and are charged per remaining day; downgrades at the period's end."""
    old, new = PLANS[ctx.here["plan"]], PLANS[body.plan]
    order = list(PLANS)
    up = order.index(new.name) >= order.index(old.name)
    left = max(30 - ctx.tx.now.day, 0)
    price = new.price[body.interval == "yearly"] - (0 if ctx.here["trial"] else old.price[0])
    due = max(price, 0) * seats(ctx) * left // 30 if up else 0
    preview = {"plan": body.plan, "interval": body.interval, "due_now": due,
               "effective": "now" if up else "end_of_period"}  # fmt: skip
    if body.dry_run:
        return {**preview, "dry_run": True}
    if up:
        _become(ctx.tx, ctx.here, body.plan, interval=body.interval)
    else:
        at = _next_month(ctx.tx.now).isoformat()
        ctx.tx.save(ctx.here, next_plan=body.plan, next_plan_at=at, interval=body.interval)
    ctx.audit("billing.plan_changed", body.plan)
    ctx.track("Plan Changed", plan=body.plan, interval=body.interval,
              effective=preview["effective"])  # fmt: skip
    ctx.effect(body.plan)
    return preview


def _become(tx: Tx, workspace: Object, plan: str, **more: Any) -> None:
    none_waits = {"next_plan": None, "next_plan_at": None} if workspace.get("next_plan") else {}
    telling.group(tx, tx.save(workspace, plan=plan, trial=False, **none_waits, **more), None)


def _next_month(now: datetime) -> datetime:
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)


async def job(app: FastAPI) -> None:
    """Downgrades at the first of the month; Free after a trial that nobody has paid for."""
    while True:
        async with transaction(app) as tx:
            _turn(tx)
        await asyncio.sleep(POLL_S)


def _turn(tx: Tx) -> None:
    rows = tx.db.execute(
        "SELECT id, json_extract(body, '$.next_plan') next FROM object WHERE kind='workspace'"
        " AND (json_extract(body, '$.next_plan_at')<=? OR"
        " json_extract(body, '$.trial') AND created<=?)",
        (tx.stamp, (tx.now - TRIAL).isoformat(timespec="milliseconds")),
    )
    for id, following in rows.fetchall():
        workspace = tx.find(NOWHERE, "workspace", id)
        if workspace is not None:
            _become(tx, workspace, following or "free")
