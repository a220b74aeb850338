"""Dashboards that compute, the Day-1 dashboard, alerts and starter kits."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from harbor.context import Ctx, Here, page
from harbor.metrics import METRICS, Data
from harbor.operations import body_of, operation
from harbor.problems import Problem
from harbor.store import Object, new_id

routes = APIRouter(tags=["Dashboards"])
EDIT = "dashboards.edit"
WRITE = "dashboards:write"
MOST_TILES = 24
BIN_DAYS = 30
VERSIONS = 50
Kind = Literal["number", "line", "bar", "funnel", "cohort", "table", "text"]
Name = Annotated[str, Field(min_length=1, max_length=100)]


class Tile(BaseModel):
    kind: Kind
    title: Name
    query: str = Field(description="wau, dau, mau, mrr, events, new_users, top_events, funnel, "
                       "retention or text")  # fmt: skip
    options: dict[str, Any] = Field(default_factory=dict)
    why: str = ""


class NewDashboard(BaseModel):
    name: Name
    tiles: list[Tile] = Field(default_factory=list, max_length=MOST_TILES)


class DashboardChange(BaseModel):
    name: Name | None = None
    tiles: list[Tile] | None = Field(default=None, max_length=MOST_TILES)


class Sharing(BaseModel):
    visibility: Literal["private", "workspace", "public"]
    expires_in_days: int = Field(default=30, ge=1, le=365)


class Digest(BaseModel):
    frequency: Literal["daily", "weekly"]
    weekday: Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"] = "mon"
    at: str = Field(default="08:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    recipients: list[str] = Field(min_length=1, max_length=50)


class DryRun(BaseModel):
    dry_run: bool = False


def data_of(ctx: Ctx) -> Data:
    return Data(ctx.tx.db, ctx.ws, ctx.tx.now)


def _live(ctx: Ctx, dashboard_id: str) -> Object:
    found = ctx.get("dashboard", dashboard_id)
    if found["deleted_at"]:
        raise Problem("not_found", f"dashboard {dashboard_id} lies in the bin")
    return found


def make_dashboard(ctx: Ctx, name: str, tiles: list[dict[str, Any]], **more: Any) -> Object:
    live = [d for d in ctx.tx.all(ctx.ws, "dashboard") if not d["deleted_at"]]
    if ctx.plan.dashboards is not None and len(live) >= ctx.plan.dashboards:
        raise Problem("HBR-901", f"the {ctx.plan.name} plan has {ctx.plan.dashboards} dashboards")
    placed = [{"id": new_id("til"), "touched": False, **tile} for tile in tiles]
    return ctx.tx.create(
        ctx.ws, "dashboard", "dsh",
        {"name": name, "tiles": placed, "visibility": "private", "digest": None,
         "deleted_at": None, "history": [], "day_one": False, **more},
    )  # fmt: skip


def shown(found: Object) -> dict[str, Any]:
    body = body_of(found)
    del body["history"]
    return body


def _changed(ctx: Ctx, old: Object, **changes: Any) -> dict[str, Any]:
    history = [*old["history"], {"at": old.changed, "name": old["name"], "tiles": old["tiles"]}]
    changed = ctx.tx.save(old, history=history[-VERSIONS:], **changes)
    ctx.effect(f"{old.id}:{changed.version}")
    return ctx.shown(changed, shown(changed))


@operation(routes, "GET /v1/dashboards", id="list_dashboards", permission="dashboards.view",
           scope="dashboards:read")  # fmt: skip
async def list_dashboards(ctx: Here, limit: int = 50, cursor: str | None = None) -> dict[str, Any]:
    live = [d for d in ctx.tx.all(ctx.ws, "dashboard") if not d["deleted_at"]]
    return page([shown(d) for d in live], limit, cursor)


@operation(routes, "POST /v1/dashboards", id="create_dashboard", status=201, permission=EDIT,
           scope=WRITE, idempotent=True, fails=("HBR-901",))  # fmt: skip
async def create_dashboard(body: NewDashboard, ctx: Here) -> dict[str, Any]:
    made = make_dashboard(ctx, body.name, [tile.model_dump() for tile in body.tiles])
    ctx.track("Dashboard Created")
    ctx.effect(made.id)
    return ctx.shown(made, shown(made))


def day_one_tiles(data: Data) -> list[dict[str, Any]]:
    """What the imported data can show, each tile with its reason."""
    names = [row["event"] for row in data.top_events()]
    tiles = [
        Tile(kind="number", title="Weekly active users", query="wau",
             why="Whether people come back is the first thing to know."),
        Tile(kind="line", title="New users per day", query="new_users", options={"days": 30},
             why="Your data has the first event of every user."),
        Tile(kind="bar", title="Top events", query="top_events",
             why=f"{len(names)} kinds of events were imported."),
    ]  # fmt: skip
    if len(names) >= 3:
        tiles.append(Tile(kind="funnel", title="Activation funnel", query="funnel",
                          options={"steps": names[:3]},
                          why="There are at least three kinds of events."))  # fmt: skip
    first = data.last_event() - timedelta(days=14)
    if data.active_users(365, first):
        tiles.append(Tile(kind="cohort", title="Week-1 retention", query="retention",
                          options={"weeks": 1}, why="There are 14 days of data."))  # fmt: skip
    if "subscription_started" in names:
        tiles.append(Tile(kind="number", title="MRR", query="mrr", why="Stripe is connected."))
    return [tile.model_dump() for tile in tiles]


@operation(routes, "POST /v1/dashboards/day-one", id="create_day_one_dashboard", status=201,
           permission=EDIT, scope=WRITE, idempotent=True)  # fmt: skip
async def create_day_one_dashboard(ctx: Here, body: DryRun | None = None) -> dict[str, Any]:
    """Made from what was imported; where one is there, untouched tiles are made anew."""
    data = data_of(ctx)
    if data.count() == 0:
        raise Problem("conflict", "import something first; a sample is enough")
    tiles = day_one_tiles(data)
    if body is not None and body.dry_run:
        return {"id": None, "name": "Day 1", "tiles": tiles, "dry_run": True}
    live = (d for d in ctx.tx.all(ctx.ws, "dashboard") if d["day_one"] and not d["deleted_at"])
    old = next(live, None)
    if old is None:
        made = make_dashboard(ctx, "Day 1", tiles, day_one=True)
        ctx.track("Dashboard Created", day_one=True)
        ctx.effect(made.id)
        return ctx.shown(made, shown(made))
    kept = [tile for tile in old["tiles"] if tile["touched"]]
    titles = {tile["title"] for tile in kept}
    fresh = [
        {"id": new_id("til"), "touched": False, **t} for t in tiles if t["title"] not in titles
    ]
    return _changed(ctx, old, tiles=kept + fresh)


@operation(routes, "GET /v1/dashboards/day-one/preview", id="preview_day_one_dashboard",
           permission="dashboards.view")  # fmt: skip
async def preview_day_one_dashboard(ctx: Here) -> dict[str, Any]:
    """The tiles that it would have, and why."""
    data = data_of(ctx)
    return {"events": data.count(), "tiles": day_one_tiles(data) if data.count() else []}


@operation(routes, "GET /v1/dashboards/{dashboard_id}", id="get_dashboard",
           permission="dashboards.view", scope="dashboards:read")  # fmt: skip
async def get_dashboard(dashboard_id: str, ctx: Here) -> dict[str, Any]:
    found = _live(ctx, dashboard_id)
    return ctx.shown(found, shown(found))


@operation(routes, "GET /v1/dashboards/{dashboard_id}/data", id="get_dashboard_data",
           permission="dashboards.view", scope="dashboards:read")  # fmt: skip
async def get_dashboard_data(dashboard_id: str, ctx: Here) -> dict[str, Any]:
    """Every tile's figures, computed now."""
    data = data_of(ctx)
    tiles = _live(ctx, dashboard_id)["tiles"]
    return {
        "computed_at": ctx.tx.stamp,
        "sample": bool(data.sample),
        "tiles": [{"id": t["id"], "title": t["title"], "kind": t["kind"], "why": t["why"],
                   "data": _figures(data, t)} for t in tiles],
    }  # fmt: skip


def _figures(data: Data, tile: dict[str, Any]) -> Any:
    options = tile["options"]
    match tile["query"]:
        case "new_users":
            return data.new_users(int(options.get("days", 30)))
        case "top_events":
            return data.top_events()
        case "funnel":
            return data.funnel(list(options["steps"]), int(options.get("window_h", 168)))
        case "retention":
            return data.retention(int(options.get("weeks", 4)))
        case "text":
            return options.get("text", "")
        case metric:
            return data.value(metric)


@operation(routes, "PATCH /v1/dashboards/{dashboard_id}", id="update_dashboard", permission=EDIT,
           scope=WRITE, fails=("HBR-701", "HBR-705"))  # fmt: skip
async def update_dashboard(dashboard_id: str, body: DashboardChange, ctx: Here) -> dict[str, Any]:
    _live(ctx, dashboard_id)
    old = ctx.changeable("dashboard", dashboard_id)
    changes: dict[str, Any] = {} if body.name is None else {"name": body.name}
    if body.tiles is not None:
        changes["tiles"] = [
            {"id": new_id("til"), "touched": True, **tile.model_dump()} for tile in body.tiles
        ]
    return _changed(ctx, old, **changes)


@operation(routes, "DELETE /v1/dashboards/{dashboard_id}", id="delete_dashboard", status=204,
           permission=EDIT, scope=WRITE, fails=("HBR-701", "HBR-705"))  # fmt: skip
async def delete_dashboard(dashboard_id: str, ctx: Here) -> None:
    """Into the bin, for 30 days."""
    _live(ctx, dashboard_id)
    ctx.tx.save(ctx.changeable("dashboard", dashboard_id), deleted_at=ctx.tx.stamp)
    ctx.effect(dashboard_id)


@operation(routes, "POST /v1/dashboards/{dashboard_id}/restore", id="restore_dashboard",
           permission=EDIT, scope=WRITE)  # fmt: skip
async def restore_dashboard(dashboard_id: str, ctx: Here) -> dict[str, Any]:
    found = ctx.get("dashboard", dashboard_id)
    if found["deleted_at"] is not None:
        gone = ctx.tx.now - datetime.fromisoformat(found["deleted_at"])
        if gone > timedelta(days=BIN_DAYS):
            raise Problem("not_found", f"the bin keeps dashboards for {BIN_DAYS} days")
        found = ctx.tx.save(found, deleted_at=None)
        ctx.effect(dashboard_id)
    return ctx.shown(found, shown(found))


@operation(routes, "PUT /v1/dashboards/{dashboard_id}/sharing", id="share_dashboard",
           permission=EDIT, scope=WRITE, fails=("HBR-701", "HBR-705", "HBR-901"))  # fmt: skip
async def share_dashboard(dashboard_id: str, body: Sharing, ctx: Here) -> dict[str, Any]:
    _live(ctx, dashboard_id)
    old = ctx.changeable("dashboard", dashboard_id)
    changes: dict[str, Any] = {"visibility": body.visibility, "public_url": None}
    if body.visibility == "public":
        ctx.need_feature("public_links")
        token = new_id("pub")
        until = (ctx.tx.now + timedelta(days=body.expires_in_days)).isoformat(timespec="seconds")
        changes |= {"public_url": f"{ctx.config.base_url}/public/{token}", "public_until": until}
        ctx.audit("dashboard.shared_publicly", dashboard_id)
    ctx.track("Dashboard Shared", visibility=body.visibility)
    return _changed(ctx, old, **changes)


@operation(routes, "PUT /v1/dashboards/{dashboard_id}/digest", id="set_digest", permission=EDIT,
           scope=WRITE, fails=("HBR-701", "HBR-705"))  # fmt: skip
async def set_digest(dashboard_id: str, body: Digest, ctx: Here) -> dict[str, Any]:
    _live(ctx, dashboard_id)
    found = ctx.changeable("dashboard", dashboard_id)
    ctx.track("Digest Scheduled", frequency=body.frequency)
    return _changed(ctx, found, digest=body.model_dump())


@operation(routes, "GET /v1/metrics", id="list_metrics", permission="dashboards.view",
           scope="data:read")  # fmt: skip
async def list_metrics(ctx: Here) -> dict[str, Any]:
    """What can be watched, with its figure now."""
    data = data_of(ctx)
    items = [{"id": id, "name": name, "value": data.value(q)} for id, (q, name) in METRICS.items()]
    return {"items": items, "next_cursor": None}
