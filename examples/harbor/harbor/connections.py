"""Connections to where data is: made as a draft, checked, scheduled, paused, deleted."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from fastapi import APIRouter, File, Form, UploadFile
from fastapi.requests import Request
from pydantic import BaseModel, Field

from harbor import schedules
from harbor.context import Ctx, Here, page, transaction
from harbor.operations import body_of, open_context, operation
from harbor.problems import Problem
from harbor.reading import CsvSource, HubspotSource, PostgresSource, Source, StripeSource
from harbor.sealing import seal, unseal
from harbor.store import Object

routes = APIRouter(tags=["Connections"])
MANAGE = "connections.manage"
WRITE = "connections:write"
Kind = Literal["postgresql", "stripe", "hubspot", "webhook"]
Every = Literal["5m", "15m", "30m", "1h", "6h", "12h", "24h"]
FIELDS: dict[str, list[str]] = {
    "csv": ["file", "delimiter"],
    "postgresql": ["host", "port", "database", "schema", "username", "password", "ssl_mode"],
    "stripe": ["restricted_key", "objects", "backfill_months"],
    "hubspot": ["authorization_code", "objects"],
    "webhook": ["name"],
}
_NEEDED = {
    "postgresql": (("host", "database", "username"), ("password",)),
    "stripe": ((), ("restricted_key",)),
    "hubspot": ((), ("authorization_code",)),
    "webhook": ((), ()),
}


class Settings(BaseModel):
    """What a connector is set to; which of it is needed depends on the kind."""

    host: str | None = Field(default=None, max_length=253, examples=["db.example.com"])
    port: int | None = Field(default=None, ge=1, le=65535)
    database: str | None = Field(default=None, max_length=63)
    schema_: str | None = Field(default=None, alias="schema", max_length=63)
    username: str | None = Field(default=None, max_length=63)
    ssl_mode: Literal["require", "verify-full"] | None = None
    objects: list[str] | None = None
    backfill_months: int | None = Field(default=None, ge=1, le=36)


class Credentials(BaseModel):
    """Never returned by any operation."""

    password: str | None = Field(default=None, max_length=500)
    restricted_key: str | None = Field(default=None, max_length=500)
    authorization_code: str | None = Field(default=None, max_length=500)


class NewConnection(BaseModel):
    kind: Kind
    name: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    config: Settings = Field(default_factory=Settings)
    credentials: Credentials = Field(default_factory=Credentials)


class ConnectionChange(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    config: Settings | None = None
    credentials: Credentials | None = None


class Schedule(BaseModel):
    every: Every
    at: str = Field(default="02:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    timezone: str = "UTC"
    skip_weekends: bool = False


def _shown(found: Object) -> dict[str, Any]:
    body = body_of(found)
    del body["credentials"]
    return body


def sealed(ctx: Ctx, credentials: dict[str, Any]) -> dict[str, str]:
    return {name: seal(ctx.ws, value) for name, value in credentials.items()}


def source_of(ctx: Ctx, connection: Object) -> Source:
    """The connector, ready to read."""
    plain = {name: unseal(ctx.ws, value) for name, value in connection["credentials"].items()}
    base = ctx.config.base_url + "/_sources"
    match connection["kind"]:
        case "postgresql":
            return PostgresSource(connection["config"], plain["password"], plain=ctx.config.sandbox)
        case "stripe":
            return StripeSource(base + "/stripe", plain["restricted_key"])
        case "hubspot":
            return HubspotSource(base + "/hubspot", plain["authorization_code"])
        case _:
            raise Problem("conflict", "an inbound webhook has nothing to read from")


# --- connectors and connections -----------------------------------------------------------------


@operation(routes, "GET /v1/connectors", id="list_connectors")
async def list_connectors(ctx: Here) -> dict[str, Any]:
    """Kinds of sources with their fields, and whether the plan has them."""
    items = [
        {"kind": kind, "fields": fields, "in_plan": kind in ctx.plan.connectors}
        for kind, fields in FIELDS.items()
    ]
    return {"items": items, "next_cursor": None}


@operation(routes, "GET /v1/connections", id="list_connections", scope="data:read")
async def list_connections(ctx: Here, limit: int = 50, cursor: str | None = None) -> dict[str, Any]:
    return page([_shown(c) for c in ctx.tx.all(ctx.ws, "connection")], limit, cursor)


@operation(routes, "GET /v1/connections/{connection_id}", id="get_connection", scope="data:read")
async def get_connection(connection_id: str, ctx: Here) -> dict[str, Any]:
    found = ctx.get("connection", connection_id)
    return ctx.shown(found, _shown(found))


@operation(routes, "POST /v1/connections", id="create_connection", status=201,
           permission=MANAGE, scope=WRITE, idempotent=True, fails=("HBR-901",))  # fmt: skip
async def create_connection(body: NewConnection, ctx: Here) -> dict[str, Any]:
    """A draft: nothing is read before it is checked."""
    if body.kind not in ctx.plan.connectors:
        raise Problem("HBR-901", f"{body.kind} is not in the {ctx.plan.name} plan")
    if len(ctx.tx.all(ctx.ws, "connection")) >= ctx.plan.connections:
        raise Problem("HBR-901", f"the {ctx.plan.name} plan has {ctx.plan.connections} connections")
    config = body.config.model_dump(exclude_none=True, by_alias=True)
    credentials = body.credentials.model_dump(exclude_none=True)
    for where, needed, given in zip(
        ("config", "credentials"), _NEEDED[body.kind], (config, credentials), strict=True
    ):
        for name in needed:
            if name not in given:
                raise Problem("invalid", f"{where}.{name}: is needed for {body.kind}")
    name = body.name or body.kind.capitalize()
    made = ctx.tx.create(
        ctx.ws, "connection", "con",
        {"kind": body.kind, "name": name, "config": config, "state": "draft", "warnings": [],
         "credentials": sealed(ctx, credentials), "schedule": None},
    )  # fmt: skip
    ctx.audit("connection.created", made.id)
    ctx.track("Connection Created", connector=body.kind)
    ctx.effect(made.id)
    return ctx.shown(made, _shown(made))


@operation(routes, "PATCH /v1/connections/{connection_id}", id="update_connection",
           permission=MANAGE, scope=WRITE, fails=("HBR-701", "HBR-705"))  # fmt: skip
async def update_connection(
    connection_id: str, body: ConnectionChange, ctx: Here
) -> dict[str, Any]:
    found = ctx.changeable("connection", connection_id)
    changes: dict[str, Any] = {}
    if body.name is not None:
        changes["name"] = body.name
    if body.config is not None:
        config = body.config.model_dump(exclude_none=True, by_alias=True)
        changes["config"] = {**found["config"], **config}
    if body.credentials is not None:
        given = body.credentials.model_dump(exclude_none=True)
        changes["credentials"] = {**found["credentials"], **sealed(ctx, given)}
        ctx.audit("connection.credentials_replaced", connection_id)
    changed = ctx.tx.save(found, **changes)
    ctx.effect(f"{connection_id}:{changed.version}")
    return ctx.shown(changed, _shown(changed))


@operation(routes, "DELETE /v1/connections/{connection_id}", id="delete_connection", status=204,
           permission=MANAGE, scope=WRITE, fails=("HBR-701", "HBR-705"))  # fmt: skip
async def delete_connection(connection_id: str, ctx: Here, delete_data: bool = False) -> None:
    """Imported data stays unless `delete_data` is set."""
    found = ctx.changeable("connection", connection_id)
    if delete_data:
        ctx.tx.db.execute(
            "DELETE FROM event WHERE workspace=? AND connection_id=?", (ctx.ws, connection_id)
        )
    ctx.tx.delete(found)
    schedules.forget(ctx.tx, connection_id)
    ctx.track("Connection Deleted", connector=found["kind"])
    ctx.effect(connection_id)


@operation(routes, "PUT /v1/connections/{connection_id}/schedule", id="set_connection_schedule",
           permission=MANAGE, scope=WRITE, fails=("HBR-701", "HBR-705", "HBR-901"))  # fmt: skip
async def set_connection_schedule(connection_id: str, body: Schedule, ctx: Here) -> dict[str, Any]:
    found = ctx.changeable("connection", connection_id)
    if schedules.MINUTES[body.every] < ctx.plan.interval_min:
        raise Problem("HBR-901", f"the shortest interval of {ctx.plan.name} is"
                      f" {ctx.plan.interval_min} minutes")  # fmt: skip
    if body.timezone not in available_timezones():
        raise Problem("invalid", f"timezone: {body.timezone} is no IANA time zone")
    changed = ctx.tx.save(found, schedule=body.model_dump())
    if changed != found:
        schedules.plan(ctx.tx, changed)
    ctx.track("Connection Scheduled", connector=found["kind"], every=body.every)
    ctx.effect(f"{connection_id}:{body.every}:{body.at}:{body.timezone}:{body.skip_weekends}")
    return ctx.shown(changed, _shown(changed))


def _used(ctx: Ctx, connection_id: str) -> Object:
    """The connection, which is no draft any more."""
    found = ctx.changeable("connection", connection_id, strict=False)
    if found["state"] == "draft":
        raise Problem("conflict", "check the connection first")
    return found


def _in_state(ctx: Ctx, found: Object, state: str) -> Object:
    changed = ctx.tx.save(found, state=state)
    ctx.effect(f"{found.id}:{state}")
    return changed


@operation(routes, "POST /v1/connections/{connection_id}/pause", id="pause_connection",
           permission=MANAGE, scope=WRITE)  # fmt: skip
async def pause_connection(connection_id: str, ctx: Here) -> dict[str, Any]:
    changed = _in_state(ctx, _used(ctx, connection_id), "paused")
    return ctx.shown(changed, _shown(changed))


# --- talking to the source: outside the lock, which it must not hold ----------------------------


@asynccontextmanager
async def _context(request: Request) -> AsyncIterator[Ctx]:
    app = request.app.state
    async with transaction(request.app) as tx:
        yield open_context(request, app.config, app.store, tx, {"x-permission": MANAGE,
                                                                "x-scope": WRITE})  # fmt: skip


async def _opened(request: Request, connection_id: str) -> Source:
    async with _context(request) as ctx:
        return source_of(ctx, ctx.get("connection", connection_id))


@operation(routes, "POST /v1/connections/{connection_id}/check", id="check_connection",
           permission=MANAGE, scope=WRITE, unlocked=True,
           fails=("HBR-101", "HBR-102", "HBR-103", "HBR-104", "HBR-105", "HBR-201", "HBR-202",
                  "HBR-211", "HBR-212", "HBR-301"))  # fmt: skip
async def check_connection(connection_id: str, request: Request) -> dict[str, Any]:
    """Credential checks in their order; the first that fails is the answer."""
    source = await _opened(request, connection_id)
    failure: Problem | None = None
    warnings: list[str] = []
    try:
        warnings = await source.check()
    except Problem as refused:
        failure = refused
    async with _context(request) as ctx:
        found = ctx.get("connection", connection_id)
        state = found["state"]
        if failure is None and state == "draft":
            state = "checked"
        changed = ctx.tx.save(found, state=state, warnings=warnings,
                              last_check=failure.code if failure else "ok")  # fmt: skip
        if failure is None:
            ctx.track("Connection Checked", connector=found["kind"], warnings=warnings)
        else:
            ctx.track("Connection Check Failed", connector=found["kind"],
                      error_code=failure.code)  # fmt: skip
    if failure is not None:
        raise failure
    return ctx.shown(changed, {"ok": True, "state": state, "warnings": warnings})


@operation(routes, "POST /v1/connections/{connection_id}/resume", id="resume_connection",
           permission=MANAGE, scope=WRITE, unlocked=True,
           fails=("HBR-101", "HBR-103", "HBR-201", "HBR-211", "HBR-301"))  # fmt: skip
async def resume_connection(connection_id: str, request: Request) -> dict[str, Any]:
    """Runs the check first; what was due during the pause is not made up for."""
    async with _context(request) as ctx:
        found = _used(ctx, connection_id)
        source = source_of(ctx, found) if found["kind"] != "webhook" else None
    if source is not None:
        await source.check()
    async with _context(request) as ctx:
        changed = _in_state(ctx, _used(ctx, connection_id), "active")
        schedules.plan(ctx.tx, changed)
        return ctx.shown(changed, _shown(changed))


@operation(routes, "POST /v1/connections/{connection_id}/discover", id="discover_connection",
           permission=MANAGE, scope=WRITE, unlocked=True, fails=("HBR-101", "HBR-103"))  # fmt: skip
async def discover_connection(connection_id: str, request: Request) -> dict[str, Any]:
    """Tables with their columns and a guess of each type."""
    source = await _opened(request, connection_id)
    tables = await source.tables()
    items = [{"name": table.name, "columns": dict(table.columns)} for table in tables]
    return {"items": items, "next_cursor": None}


# --- uploads ------------------------------------------------------------------------------------


@operation(routes, "POST /v1/uploads", id="create_upload", status=201, permission="imports.run",
           scope="imports:write", idempotent=True,
           fails=("HBR-401", "HBR-402", "HBR-408"))  # fmt: skip
async def create_upload(
    ctx: Here,
    file: Annotated[UploadFile, File(description="CSV with a header row, UTF-8")],
    delimiter: Annotated[str | None, Form()] = None,
) -> dict[str, Any]:
    """A CSV file; kept until 7 days after its import ended."""
    data = await file.read()
    if len(data) > ctx.plan.csv_bytes:
        raise Problem("HBR-408", f"at most {ctx.plan.csv_bytes // 1_000_000} MB")
    await CsvSource(data, delimiter).check()
    made = ctx.tx.create(
        ctx.ws, "upload", "upl",
        {"name": file.filename or "file.csv", "bytes": len(data), "delimiter": delimiter,
         "data": base64.b64encode(data).decode()},
    )  # fmt: skip
    ctx.effect(made.id)
    return ctx.shown(made, {"id": made.id, "name": made["name"], "bytes": len(data)})
