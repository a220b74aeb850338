"""Imports: queued, read in batches in the background, and taken back when asked."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar

from fastapi import APIRouter, FastAPI, Response
from pydantic import BaseModel, Field

from harbor.connections import source_of
from harbor.context import NOWHERE, Ctx, Here, page
from harbor.operations import body_of, operation
from harbor.problems import Problem
from harbor.reading import CsvSource, Row, Source, properties_of
from harbor.store import Object, Store, Tx

routes = APIRouter(tags=["Imports"])
RUN = "imports.run"
WRITE = "imports:write"
SAMPLE_ROWS = 1000
BATCH = 500  # FACTS says 10,000; smaller here so that an import can be watched and interrupted
ROLLBACK_DAYS = 7
RUNNING = ("queued", "running")
_T = TypeVar("_T")
ENDED = ("succeeded", "partial", "failed", "cancelled", "rolled_back")


class NewImport(BaseModel):
    connection_id: str | None = None
    upload_id: str | None = None
    table: str | None = Field(default=None, max_length=200)
    mode: Literal["sample", "full", "incremental"]
    dedupe_key: str | None = None
    on_duplicate: Literal["keep_last", "keep_first"] = "keep_last"
    max_bad_rows_percent: int = Field(default=5, ge=0, le=20)


def shown(found: Object) -> dict[str, Any]:
    return body_of(found)


@operation(routes, "GET /v1/imports", id="list_imports", scope="data:read")
async def list_imports(
    ctx: Here,
    connection_id: str | None = None,
    state: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Newest first."""
    found = [
        shown(i)
        for i in reversed(ctx.tx.all(ctx.ws, "import"))
        if connection_id in (None, i["connection_id"]) and state in (None, i["state"])
    ]
    return page(found, limit, cursor)


@operation(routes, "GET /v1/imports/{import_id}", id="get_import", scope="data:read")
async def get_import(import_id: str, ctx: Here) -> dict[str, Any]:
    found = ctx.get("import", import_id)
    return ctx.shown(found, shown(found))


@operation(routes, "POST /v1/imports", id="start_import", status=202, permission=RUN, scope=WRITE,
           idempotent=True, fails=("HBR-406", "HBR-407"))  # fmt: skip
async def start_import(body: NewImport, ctx: Here) -> dict[str, Any]:
    """Runs in the background; look at it with `get_import`."""
    if (body.connection_id is None) == (body.upload_id is None):
        raise Problem("invalid", "say either connection_id or upload_id")
    source = body.connection_id or body.upload_id or ""
    kind = "connection" if body.connection_id else "upload"
    found = ctx.get(kind, source)
    if kind == "connection" and found["state"] == "draft":
        raise Problem("conflict", "check the connection first")
    _none_running(ctx, source)
    made = ctx.tx.create(
        ctx.ws, "import", "imp",
        {**body.model_dump(), "state": "queued", "rows": 0, "read": 0, "bad_rows": 0,
         "rejected": [], "error": None, "ended_at": None},
    )  # fmt: skip
    ctx.track("Import Started", mode=body.mode)
    ctx.effect(made.id)
    _wake(ctx)
    return ctx.shown(made, shown(made))


def _none_running(ctx: Ctx, source: str) -> None:
    imports = ctx.tx.all(ctx.ws, "import")
    running = [i for i in imports if i["state"] in RUNNING]
    if any(source in (i["connection_id"], i["upload_id"]) for i in running):
        raise Problem("HBR-407", "wait for it, or cancel it")
    if len(running) >= ctx.plan.running_imports:
        raise Problem("HBR-407", f"{ctx.plan.running_imports} imports are running")


def _wake(ctx: Ctx) -> None:
    ctx.request.app.state.imports.set()


@operation(routes, "POST /v1/imports/{import_id}/retry", id="retry_import", status=202,
           permission=RUN, scope=WRITE, idempotent=True, fails=("HBR-407",))  # fmt: skip
async def retry_import(import_id: str, ctx: Here) -> dict[str, Any]:
    """Goes on at the last committed batch."""
    found = ctx.get("import", import_id)
    if found["state"] not in ("failed", "cancelled", "partial"):
        raise Problem("conflict", f"the import is {found['state']}")
    _none_running(ctx, found["connection_id"] or found["upload_id"])
    changed = ctx.tx.save(found, state="queued", error=None, ended_at=None)
    ctx.effect(f"{import_id}:{changed.version}")
    _wake(ctx)
    return ctx.shown(changed, shown(changed))


@operation(routes, "POST /v1/imports/{import_id}/cancel", id="cancel_import", permission=RUN,
           scope=WRITE)  # fmt: skip
async def cancel_import(import_id: str, ctx: Here) -> dict[str, Any]:
    found = ctx.get("import", import_id)
    if found["state"] == "cancelled":
        return ctx.shown(found, shown(found))
    if found["state"] not in RUNNING:
        raise Problem("conflict", f"the import is {found['state']}")
    changed = ctx.tx.save(found, state="cancelled", ended_at=ctx.tx.stamp)
    ctx.effect(import_id)
    return ctx.shown(changed, shown(changed))


@operation(routes, "POST /v1/imports/{import_id}/rollback", id="rollback_import", permission=RUN,
           scope=WRITE)  # fmt: skip
async def rollback_import(import_id: str, ctx: Here) -> dict[str, Any]:
    """Its rows go, those it had overwritten come back as they were; a running one is stopped."""
    found = ctx.get("import", import_id)
    if found["state"] == "rolled_back":
        return ctx.shown(found, shown(found))
    # one that runs stops here: its worker looks at the state before each batch
    ended = datetime.fromisoformat(found["ended_at"] or ctx.tx.stamp)
    if ctx.tx.now - ended > timedelta(days=ROLLBACK_DAYS):
        raise Problem("conflict", f"a rollback is possible for {ROLLBACK_DAYS} days")
    take_back(ctx.tx, found)
    changed = ctx.tx.save(found, state="rolled_back", ended_at=found["ended_at"] or ctx.tx.stamp)
    ctx.audit("import.rolled_back", import_id)
    ctx.track("Import Rolled Back")
    ctx.effect(import_id)
    return ctx.shown(changed, shown(changed))


@operation(routes, "GET /v1/imports/{import_id}/rejected", id="get_rejected_rows",
           scope="data:read")  # fmt: skip
async def get_rejected_rows(import_id: str, ctx: Here) -> Response:
    """CSV of the rows that were left out, with the reason of each."""
    lines = ["row,reason"]
    lines += [f'{r["row"]},"{r["reason"]}"' for r in ctx.get("import", import_id)["rejected"]]
    return Response("\n".join(lines) + "\n", media_type="text/csv")


# --- the work -----------------------------------------------------------------------------------


def take_back(tx: Tx, found: Object) -> None:
    key = (found.workspace, found.id)
    tx.db.execute("DELETE FROM event WHERE workspace=? AND import_id=?", key)
    rows = tx.db.execute("SELECT row FROM replaced WHERE workspace=? AND import_id=?", key)
    for row in rows.fetchall():
        tx.db.execute("INSERT OR REPLACE INTO event VALUES (?,?,?,?,?,?,?,?,?)", json.loads(row[0]))
    tx.db.execute("DELETE FROM replaced WHERE workspace=? AND import_id=?", key)


async def job(app: FastAPI) -> None:
    """Takes queued imports one after the other; what a stop left running goes on."""
    state = app.state
    wake: asyncio.Event = state.imports
    while True:
        wake.clear()
        while (work := await _locked(app, _next)) is not None:
            await _run(app, work)
        try:
            await asyncio.wait_for(wake.wait(), timeout=1)
        except TimeoutError:
            continue


async def _locked(app: FastAPI, step: Callable[..., _T], *given: Any) -> _T:
    """One step of an import between two operations, which hold their transaction over pauses."""
    async with app.state.lock:
        return step(app, *given)


def _next(app: FastAPI) -> Object | None:
    store: Store = app.state.store
    with store.transaction(app.state.config.clock()) as tx:
        rows = tx.db.execute(
            "SELECT workspace, id FROM object WHERE kind='import' ORDER BY created"
        )
        for workspace, id in rows.fetchall():
            found = tx.find(workspace, "import", id)
            if found is not None and found["state"] in RUNNING:
                return tx.save(found, state="running")
    return None


async def _run(app: FastAPI, work: Object) -> None:
    source = await _locked(app, _source, work)
    fault = app.state.switches.due("start_import", ("partial",))
    batch: list[Row] = []
    limit = SAMPLE_ROWS if work["mode"] == "sample" else None
    read = 0
    try:
        async for row in source.rows(work["table"] or "file", limit):
            read += 1
            if read <= work["read"]:
                continue  # committed by an earlier run
            batch.append(row)
            if len(batch) == BATCH:
                if not await _locked(app, _commit, work, batch):
                    return
                batch = []
                await asyncio.sleep(0)
                if fault is not None:
                    raise Problem("HBR-107", "the source stopped halfway")
        if fault is not None:
            raise Problem("HBR-107", "the source stopped halfway")
        if await _locked(app, _commit, work, batch):
            await _locked(app, _finish, work, None)
    except Problem as failure:
        await _locked(app, _finish, work, failure)


def _source(app: FastAPI, work: Object) -> Source:
    with app.state.store.transaction(app.state.config.clock()) as tx:
        if work["upload_id"]:
            upload = tx.find(work.workspace, "upload", work["upload_id"])
            data = base64.b64decode(upload["data"]) if upload else b""
            return CsvSource(data, upload["delimiter"] if upload else None)
        connection = tx.find(work.workspace, "connection", work["connection_id"])
        if connection is None:
            return CsvSource(b"")
        ctx = Ctx(None, app.state.config, app.state.store, tx,  # type: ignore[arg-type]
                  tx.find(NOWHERE, "workspace", work.workspace))  # fmt: skip
        return source_of(ctx, connection)


def _commit(app: FastAPI, work: Object, batch: list[Row]) -> bool:
    """One batch; False when the import was cancelled meanwhile."""
    with app.state.store.transaction(app.state.config.clock()) as tx:
        now = tx.find(work.workspace, "import", work.id)
        if now is None or now["state"] != "running":
            return False
        rejected = list(now["rejected"])
        rows = 0
        for place, row in enumerate(batch, now["read"] + 1):
            reason = _bad(row)
            if reason:
                rejected.append({"row": place, "reason": reason})
            else:
                rows += 1
                _store_row(tx, now, row)
        tx.save(now, read=now["read"] + len(batch), rows=now["rows"] + rows,
                bad_rows=len(rejected), rejected=rejected[:1000])  # fmt: skip
    return True


def _bad(row: Row) -> str:
    if not row.get("event"):
        return "event is empty"
    if not row.get("user_id"):
        return "user_id is empty"
    try:
        datetime.fromisoformat(str(row.get("occurred_at")))
    except ValueError:
        return "occurred_at is no ISO 8601 time"
    return ""


def _store_row(tx: Tx, work: Object, row: Row) -> None:
    at = datetime.fromisoformat(str(row["occurred_at"]))
    stamp = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    parts = f"{row['user_id']}\0{row['event']}\0{stamp}"
    dedupe = str(row.get(work["dedupe_key"] or "event_id") or "")
    dedupe = dedupe or hashlib.sha256(parts.encode()).hexdigest()
    origin = work["connection_id"] or "csv"
    sample = int(work["mode"] == "sample")
    key = (work.workspace, origin, sample, dedupe)
    old = tx.db.execute(
        "SELECT * FROM event WHERE workspace=? AND connection_id=? AND sample=? AND dedupe=?", key
    ).fetchone()
    if old is not None and old["import_id"] != work.id:
        if work["on_duplicate"] == "keep_first":
            return
        tx.db.execute(
            "INSERT OR IGNORE INTO replaced VALUES (?,?,?,?)",
            (work.workspace, work.id, dedupe, json.dumps(tuple(old))),
        )
    tx.db.execute(
        "INSERT OR REPLACE INTO event VALUES (?,?,?,?,?,?,?,?,?)",
        (work.workspace, work.id, origin, dedupe, str(row["event"]), str(row["user_id"]), stamp,
         sample, properties_of(row)),
    )  # fmt: skip


def _finish(app: FastAPI, work: Object, failure: Problem | None) -> None:
    with app.state.store.transaction(app.state.config.clock()) as tx:
        now = tx.find(work.workspace, "import", work.id)
        if now is None or now["state"] != "running":
            return
        share = 100 * now["bad_rows"] / max(now["read"], 1)
        if failure is None and share > now["max_bad_rows_percent"]:
            failure = Problem("HBR-403", f"{now['bad_rows']} of {now['read']} rows are bad")
            take_back(tx, now)
        state = "failed" if failure else "partial" if now["bad_rows"] else "succeeded"
        error = {"code": failure.code, "detail": str(failure.body["detail"])} if failure else None
        tx.save(now, state=state, error=error, ended_at=tx.stamp)
        _after(tx, now, failed=failure is not None)
        tx.tell(
            {"type": "track", "event": "Import Failed" if failure else "Import Completed",
             "messageId": f"{now.id}-{now.version}", "timestamp": tx.stamp,
             "properties": {"mode": now["mode"], "rows": now["rows"],
                            **({"error_code": failure.code} if failure else {})},
             "context": {"groupId": now.workspace}},
        )  # fmt: skip


def _after(tx: Tx, work: Object, *, failed: bool) -> None:
    """The connection's state, and samples that a full import replaces."""
    if not failed and work["mode"] == "full":
        origin = work["connection_id"] or "csv"
        tx.db.execute(
            "DELETE FROM event WHERE workspace=? AND connection_id=? AND sample=1",
            (work.workspace, origin),
        )
    connection = tx.find(work.workspace, "connection", work["connection_id"] or "")
    if connection is not None:
        tx.save(connection, state="failing" if failed else "active")
