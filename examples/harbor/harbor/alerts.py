"""Alerts on metrics, and starter kits that bring dashboards and alerts."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from harbor import checks
from harbor.anomaly import Direction, Sensitivity
from harbor.context import Ctx, Here, page
from harbor.dashboards import Tile, data_of, make_dashboard
from harbor.metrics import METRICS
from harbor.operations import body_of, operation
from harbor.problems import Problem
from harbor.store import Object

routes = APIRouter(tags=["Alerts and kits"])
job = checks.job
MANAGE = "alerts.manage"
WRITE = "alerts:write"
MUTE_DAYS = 30
UNDO_DAYS = 7
Severity = Literal["normal", "critical"]
Cooldown = Annotated[int, Field(ge=15, le=7 * 24 * 60)]
Kit = Literal["ecommerce", "fintech", "healthcare", "b2b-saas"]


class NewAlert(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    metric_id: str = Field(pattern=r"^met_", examples=["met_wau"])
    condition: Literal["above", "below", "change_percent"]
    threshold: int
    severity: Severity = "normal"
    cooldown_minutes: Cooldown | None = Field(
        default=None, description="Least time between two messages; 60 where it is left out"
    )


class NewAnomalyAlert(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    metric_id: Literal["met_dau", "met_events"]
    direction: Direction = "both"
    sensitivity: Sensitivity = "medium"
    period: Literal["hour", "day"] = "hour"
    excluded_dates: list[date] = Field(default_factory=list, max_length=60)
    severity: Severity = "normal"
    cooldown_minutes: Cooldown | None = None


class AlertChange(BaseModel):
    threshold: int | None = None
    name: Annotated[str, Field(min_length=1, max_length=100)] | None = None


class Mute(BaseModel):
    until: datetime


class ApplyKit(BaseModel):
    dry_run: bool = False


class AppliedKit(BaseModel):
    """A kit that was put together elsewhere, of objects that are there."""

    name: Literal["ecommerce", "fintech", "healthcare", "saas"]
    dashboards: list[Annotated[str, Field(pattern=r"^dsh_")]] = Field(max_length=24)
    alerts: list[Annotated[str, Field(pattern=r"^alr_")]] = Field(max_length=24)


def _metric(metric_id: str) -> str:
    if metric_id not in METRICS:
        raise Problem("invalid", f"metric_id: one of {', '.join(METRICS)}")
    return METRICS[metric_id][0]


def make_alert(ctx: Ctx, body: dict[str, Any]) -> Object:
    if len(ctx.tx.all(ctx.ws, "alert")) >= ctx.plan.alerts:
        raise Problem("HBR-901", f"the {ctx.plan.name} plan has {ctx.plan.alerts} alerts")
    return ctx.tx.create(ctx.ws, "alert", "alr",
                         {"muted_until": None, "sent": 0, **body})  # fmt: skip


def shown(ctx: Ctx, alert: Object) -> dict[str, Any]:
    """With its figure now. It has fired as soon as that is outside; the checks resolve it."""
    found = checks.read(data_of(ctx), alert)
    last = checks.watch(ctx.tx, alert.id)
    state = last["state"] if last else "normal"
    if found.outside is not False:
        state = "fired" if found.outside else "learning"
    if checks.is_muted(ctx.tx, alert):
        state = "muted"
    return body_of(alert, value=found.value, state=state,
                   checked_at=last["checked"] if last else None)  # fmt: skip


@operation(routes, "GET /v1/alerts", id="list_alerts", permission="alerts.subscribe")
async def list_alerts(ctx: Here, limit: int = 50, cursor: str | None = None) -> dict[str, Any]:
    return page([shown(ctx, alert) for alert in ctx.tx.all(ctx.ws, "alert")], limit, cursor)


@operation(routes, "GET /v1/alerts/{alert_id}", id="get_alert", permission="alerts.subscribe")
async def get_alert(alert_id: str, ctx: Here) -> dict[str, Any]:
    found = ctx.get("alert", alert_id)
    return ctx.shown(found, shown(ctx, found))


@operation(routes, "POST /v1/alerts", id="create_alert", status=201, permission=MANAGE,
           scope=WRITE, idempotent=True, fails=("HBR-901",))  # fmt: skip
async def create_alert(body: NewAlert, ctx: Here) -> dict[str, Any]:
    _metric(body.metric_id)
    name = body.name or f"{METRICS[body.metric_id][1]} {body.condition} {body.threshold}"
    return _created(ctx, {**body.model_dump(exclude_none=True), "name": name})


def _created(ctx: Ctx, body: dict[str, Any]) -> dict[str, Any]:
    made = make_alert(ctx, body)
    ctx.track("Alert Created", condition=body["condition"])
    ctx.effect(made.id)
    return ctx.shown(made, shown(ctx, made))


@operation(routes, "POST /v1/alerts/anomaly", id="create_anomaly_alert", status=201,
           permission=MANAGE, scope=WRITE, feature="anomaly", idempotent=True,
           fails=("HBR-901",))  # fmt: skip
async def create_anomaly_alert(body: NewAnomalyAlert, ctx: Here) -> dict[str, Any]:
    """Learns from 28 days what is usual for the hour of the week, or for the weekday."""
    name = body.name or f"{METRICS[body.metric_id][1]} unusual"
    fixed = {"name": name, "condition": "anomaly", "threshold": None}
    return _created(ctx, {**body.model_dump(mode="json", exclude_none=True), **fixed})


@operation(routes, "GET /v1/alerts/{alert_id}/history", id="list_alert_history",
           permission="alerts.subscribe")  # fmt: skip
async def list_alert_history(
    alert_id: str, ctx: Here, limit: int = 50, cursor: str | None = None
) -> dict[str, Any]:
    """When it fired and was resolved, and whether anybody was told; newest first."""
    ctx.get("alert", alert_id)
    return page(checks.history(ctx.tx, alert_id), limit, cursor)


async def _saved(ctx: Ctx, alert_id: str, *, strict: bool, **changes: Any) -> dict[str, Any]:
    changed = ctx.tx.save(ctx.changeable("alert", alert_id, strict=strict), **changes)
    ctx.effect(f"{alert_id}:{changed.version}")
    return ctx.shown(changed, shown(ctx, changed))


@operation(routes, "PATCH /v1/alerts/{alert_id}", id="update_alert", permission=MANAGE,
           scope=WRITE, fails=("HBR-701", "HBR-705"))  # fmt: skip
async def update_alert(alert_id: str, body: AlertChange, ctx: Here) -> dict[str, Any]:
    if body.threshold is not None and ctx.get("alert", alert_id)["condition"] == "anomaly":
        raise Problem("invalid", "threshold: an anomaly alert has none")
    checks.soon(ctx.tx, alert_id)
    return await _saved(ctx, alert_id, strict=True, **body.model_dump(exclude_none=True))


@operation(routes, "DELETE /v1/alerts/{alert_id}", id="delete_alert", status=204,
           permission=MANAGE, scope=WRITE, fails=("HBR-701", "HBR-705"))  # fmt: skip
async def delete_alert(alert_id: str, ctx: Here) -> None:
    ctx.tx.delete(ctx.changeable("alert", alert_id))
    checks.forget(ctx.tx, alert_id)
    ctx.effect(alert_id)


@operation(routes, "POST /v1/alerts/{alert_id}/mute", id="mute_alert", permission=MANAGE,
           scope=WRITE)  # fmt: skip
async def mute_alert(alert_id: str, body: Mute, ctx: Here) -> dict[str, Any]:
    if body.until.tzinfo is None:
        raise Problem("invalid", "until: say the time zone, such as 2026-12-01T00:00:00Z")
    if body.until - ctx.tx.now > timedelta(days=MUTE_DAYS):
        raise Problem("invalid", f"until: at most {MUTE_DAYS} days from now")
    return await _saved(ctx, alert_id, strict=False, muted_until=body.until.isoformat())


@operation(routes, "POST /v1/alerts/{alert_id}/unmute", id="unmute_alert", permission=MANAGE,
           scope=WRITE)  # fmt: skip
async def unmute_alert(alert_id: str, ctx: Here) -> dict[str, Any]:
    return await _saved(ctx, alert_id, strict=False, muted_until=None)


@operation(routes, "POST /v1/alerts/{alert_id}/test", id="test_alert", permission=MANAGE,
           scope=WRITE)  # fmt: skip
async def test_alert(alert_id: str, ctx: Here) -> dict[str, Any]:
    """Sends one message; deliberately without an idempotency key."""
    alert = ctx.get("alert", alert_id)
    ctx.tx.save(alert, sent=alert["sent"] + 1)
    ctx.effect(alert_id)
    return {"sent": alert["sent"] + 1}


# --- kits ---------------------------------------------------------------------------------------

KITS: dict[str, dict[str, Any]] = {
    "ecommerce": {"dashboards": ("Store overview", "Checkout"),
                  "alerts": (("Orders per hour", "met_events", "below", 50),
                             ("Checkout conversion", "met_wau", "below", 15))},
    "fintech": {"dashboards": ("Onboarding and KYC", "Transactions"),
                "alerts": (("KYC completion", "met_wau", "below", 60),
                           ("Failed transactions", "met_events", "above", 3))},
    "healthcare": {"dashboards": ("Patient portal use", "Appointments"),
                   "alerts": (("No-show rate", "met_events", "above", 15),)},
    "b2b-saas": {"dashboards": ("Account activation", "Revenue"),
                 "alerts": (("MRR change", "met_mrr", "below", 1),)},
}  # fmt: skip


@operation(routes, "GET /v1/kits", id="list_kits", permission="dashboards.view")
async def list_kits() -> dict[str, Any]:
    items = [
        {"id": name, "name": name, "dashboards": list(kit["dashboards"]),
         "alerts": [alert[0] for alert in kit["alerts"]]}
        for name, kit in KITS.items()
    ]  # fmt: skip
    return {"items": items, "next_cursor": None}


@operation(routes, "GET /v1/kits/applied", id="list_applied_kits", permission="dashboards.view")
async def list_applied_kits(ctx: Here) -> dict[str, Any]:
    return page([body_of(kit) for kit in ctx.tx.all(ctx.ws, "kit")], 200, None)


@operation(routes, "POST /v1/kits/{name}/apply", id="apply_kit", status=201,
           permission="kits.apply", idempotent=True, fails=("HBR-901",))  # fmt: skip
async def apply_kit(name: Kit, ctx: Here, body: ApplyKit | None = None) -> dict[str, Any]:
    """Dashboards and alerts of an industry; alerts start muted for a day."""
    kit = KITS[name]
    if body is not None and body.dry_run:
        return {"id": None, "name": name, "dry_run": True, "dashboards": list(kit["dashboards"])}
    taken = {d["name"] for d in ctx.tx.all(ctx.ws, "dashboard") if not d["deleted_at"]}
    why = "Part of the kit."
    tiles = [
        Tile(kind="number", title="Weekly active users", query="wau", why=why),
        Tile(kind="bar", title="Top events", query="top_events", why=why),
    ]
    dashboards = [
        make_dashboard(ctx, f"{n} (kit)" if n in taken else n, [t.model_dump() for t in tiles])
        for n in kit["dashboards"]
    ]
    until = (ctx.tx.now + timedelta(days=1)).isoformat()
    alerts = [
        make_alert(ctx, {"name": n, "metric_id": m, "condition": c, "threshold": t,
                         "severity": "normal", "muted_until": until})
        for n, m, c, t in kit["alerts"]
    ]  # fmt: skip
    made = ctx.tx.create(
        ctx.ws, "kit", "kit",
        {"name": name, "dashboards": [d.id for d in dashboards], "alerts": [a.id for a in alerts]},
    )  # fmt: skip
    ctx.track("Kit Applied", kit=name)
    ctx.effect(made.id)
    return ctx.shown(made, body_of(made))


@operation(routes, "POST /v1/kits/applied", id="record_kit", status=201,
           permission="kits.apply", idempotent=True)  # fmt: skip
async def record_kit(body: AppliedKit, ctx: Here) -> dict[str, Any]:
    """A kit that somebody made piece by piece counts as applied, and is removed as one."""
    for kind, ids in (("dashboard", body.dashboards), ("alert", body.alerts)):
        for id in ids:
            ctx.get(kind, id)
    made = ctx.tx.create(ctx.ws, "kit", "kit", body.model_dump())
    ctx.track("Kit Applied", kit=body.name)
    ctx.effect(made.id)
    return ctx.shown(made, body_of(made))


@operation(routes, "DELETE /v1/kits/applied/{kit_id}", id="forget_kit", status=204,
           permission="kits.apply")  # fmt: skip
async def forget_kit(kit_id: str, ctx: Here) -> None:
    """The record goes; dashboards and alerts stay."""
    kit = ctx.get("kit", kit_id)
    ctx.tx.delete(kit)
    ctx.track("Kit Removed", kit=kit["name"])
    ctx.effect(kit_id)


@operation(routes, "DELETE /v1/kits/{kit_id}", id="remove_kit", permission="kits.apply")
async def remove_kit(kit_id: str, ctx: Here) -> dict[str, Any]:
    """Removes what nobody edited, within 7 days."""
    kit = ctx.get("kit", kit_id)
    if ctx.tx.now - datetime.fromisoformat(kit.created) > timedelta(days=UNDO_DAYS):
        raise Problem("conflict", f"a kit can be removed for {UNDO_DAYS} days")
    kept = []
    for kind, ids in (("dashboard", kit["dashboards"]), ("alert", kit["alerts"])):
        for id in ids:
            found = ctx.tx.find(ctx.ws, kind, id)
            if found is not None and found.version > 1:
                kept.append(id)
            elif found is not None:
                ctx.tx.delete(found)
                checks.forget(ctx.tx, id)
    ctx.tx.delete(kit)
    ctx.track("Kit Removed", kit=kit["name"])
    ctx.effect(kit_id)
    return {"id": kit_id, "kept": kept}
