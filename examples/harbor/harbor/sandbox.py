"""What only the sandbox has: fault switches, counted effects, the whole state, a fresh start."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from harbor.context import transaction
from harbor.faults import Fault, Kind
from harbor.seed import seed
from harbor.store import Store

routes = APIRouter(prefix="/_sandbox", include_in_schema=False)
_VOLATILE = {"created_at", "updated_at", "expires_at", "token", "url", "at", "ip",
             "next_plan_at", "started_by", "mfa_since", "scheduled_at"}  # fmt: skip
_HIDDEN = {"token", "login", "audit", "device"}
_ID = re.compile(
    r"\b(ws|usr|inv|lnk|con|upl|imp|dsh|til|met|alr|key|whk|dom|kit|scm)_[0-9a-f]{16}\b"
)


class NewFault(BaseModel):
    operation_id: str
    fault: Kind
    times: int = 1
    after: int = 0
    retry_after: float = 1.0
    delay_ms: int = 1000


class Ahead(BaseModel):
    ahead_s: float = Field(ge=0, description="Seconds that Harbor's clock runs ahead")


class Record(BaseModel):
    name: str
    txt: str


def _store(request: Request) -> Store:
    store = request.app.state.store
    assert isinstance(store, Store)
    return store


@routes.put("/faults")
async def put_fault(body: NewFault, request: Request) -> list[dict[str, Any]]:
    switches = request.app.state.switches
    switches.faults.append(Fault(**body.model_dump()))
    return list(switches.listed())


@routes.get("/faults")
async def get_faults(request: Request) -> list[dict[str, Any]]:
    return list(request.app.state.switches.listed())


@routes.delete("/faults")
async def delete_faults(request: Request) -> list[dict[str, Any]]:
    request.app.state.switches.faults.clear()
    return []


@routes.get("/effects")
async def get_effects(request: Request, operation: str | None = None) -> dict[str, dict[str, int]]:
    """Operation -> natural key -> how often it happened."""
    found: dict[str, dict[str, int]] = {}
    async with transaction(request.app) as tx:
        for row in tx.db.execute("SELECT * FROM effect ORDER BY operation, natural"):
            if operation in (None, row["operation"]):
                found.setdefault(row["operation"], {})[row["natural"]] = row["count"]
    return found


@routes.get("/state")
async def get_state(request: Request, volatile: bool = False) -> dict[str, Any]:
    """Every object and the number of events, in a stable order; without `volatile` ids are
    numbered by their first appearance and times left out."""
    state: dict[str, list[Any]] = {}
    async with transaction(request.app) as tx:
        rows = tx.db.execute("SELECT * FROM object ORDER BY kind, created, natural, id").fetchall()
        for row in rows:
            if row["kind"] in _HIDDEN:
                continue
            body = json.loads(row["body"])
            kept = body if volatile else {k: v for k, v in body.items() if k not in _VOLATILE}
            state.setdefault(row["kind"], []).append({"id": row["id"], **kept})
        events = tx.db.execute(
            "SELECT workspace, sample, count(*) n, count(DISTINCT user_id) users FROM event"
            " GROUP BY workspace, sample ORDER BY workspace, sample"
        ).fetchall()
    whole = {**state, "event": [dict(row) for row in events]}
    return whole if volatile else _numbered(whole)


def _numbered(whole: dict[str, Any]) -> dict[str, Any]:
    seen: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        return seen.setdefault(found[0], f"{found[1]}_{len(seen) + 1}")

    renamed: dict[str, Any] = json.loads(_ID.sub(name, json.dumps(whole)))
    return renamed


@routes.post("/reset")
async def reset(request: Request) -> dict[str, Any]:
    """Everything away, and the demo workspace made anew."""
    store = _store(request)
    async with request.app.state.lock:
        store.reset()
        request.app.state.switches.faults.clear()
        request.app.state.rates.windows.clear()
        request.app.state.config.clock.ahead = timedelta()
        return seed(store, request.app.state.config)


@routes.put("/clock")
async def put_clock(body: Ahead, request: Request) -> dict[str, datetime]:
    """What is due by then happens: retries, checks of alerts, expiries."""
    clock = request.app.state.config.clock
    clock.ahead = timedelta(seconds=body.ahead_s)
    return {"now": clock()}


@routes.put("/dns")
async def put_record(body: Record, request: Request) -> dict[str, list[str]]:
    """A TXT record that domain verification will find."""
    records: dict[str, list[str]] = request.app.state.dns
    records.setdefault(body.name.lower().rstrip("."), []).append(body.txt)
    return records
