"""Imports: queued, read in batches in the background, and taken back when asked."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from fastapi import APIRouter, FastAPI, Response
from pydantic import BaseModel, Field

from harbor import schedules
from harbor.connections import source_of
from harbor.context import NOWHERE, Ctx, Here, hashed, page
from harbor.deliveries import notify
from harbor.intake import forgotten, moment
from harbor.operations import body_of, operation
from harbor.problems import Problem
from harbor.reading import CsvSource, Row, Source, properties_of
from harbor.store import Object, Store, Tx
from harbor.telling import track
from harbor.usage import count, need_room

routes = APIRouter(tags=["Imports"])
RUN = "imports.run"
WRITE = "imports:write"
SAMPLE_ROWS = 1000
MOST_REJECTED = 1000
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
    if body.mode != "sample":
        need_room(ctx.tx, ctx.here, 1)
    who = ctx.member.id if ctx.member else None
    asked = {**body.model_dump(), "started_by": who, "scheduled_at": None}
    made = queue(ctx.tx, ctx.ws, asked)
    ctx.track("Import Started", mode=body.mode)
    ctx.effect(made.id)
    _wake(ctx)
    return ctx.shown(made, shown(made))


def queue(tx: Tx, workspace: str, asked: dict[str, Any]) -> Object:
    blank = {"state": "queued", "rows": 0, "read": 0, "bad_rows": 0, "rejected": [],
             "error": None, "ended_at": None}  # fmt: skip
    return tx.create(workspace, "import", "imp", {**asked, **blank})


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
    ctx.track("Import Cancelled")
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
    batches = _batches(source, work)
    if app.state.switches.due("start_import", ("partial",)) is not None:
        batches = _cut_off(batches)
    failure: Problem | None = None
    try:
        async for batch in batches:
            if not await _locked(app, _commit, work, batch):
                return
            await asyncio.sleep(0)
    except Problem as refused:
        failure = refused
    await _locked(app, _finish, work, failure)


async def _batches(source: Source, work: Object) -> AsyncIterator[list[Row]]:
    """What is still to be read: an earlier run may have committed some of it."""
    limit = SAMPLE_ROWS if work["mode"] == "sample" else None
    batch: list[Row] = []
    left = work["read"]
    async for row in source.rows(work["table"] or "file", limit):
        if left > 0:
            left -= 1
            continue
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


async def _cut_off(batches: AsyncIterator[list[Row]]) -> AsyncIterator[list[Row]]:
    """The fault `partial`: the source stops after one full batch."""
    first: list[Row] = await anext(batches, [])
    if len(first) == BATCH:
        yield first
    raise Problem("HBR-107", "the source stopped halfway")


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
        rejected: list[dict[str, Any]] = []
        gone = forgotten(tx, work.workspace)
        rows = 0
        for place, row in enumerate(batch, now["read"] + 1):
            reason = _bad(row)
            if reason:
                rejected.append({"row": place, "reason": reason})
            elif hashed(str(row["user_id"])) not in gone:
                rows += _store_row(tx, now, row)
        if work["mode"] != "sample":
            _count(tx, now, rows)
        tx.save(now, read=now["read"] + len(batch), rows=now["rows"] + rows,
                bad_rows=now["bad_rows"] + len(rejected),
                rejected=[*now["rejected"], *rejected][:MOST_REJECTED])  # fmt: skip
    return True


def _count(tx: Tx, work: Object, rows: int) -> None:
    """Against the month's limit. Raises Problem."""
    workspace = tx.find(NOWHERE, "workspace", work.workspace)
    if workspace is not None:
        need_room(tx, workspace, rows)
    count(tx, work.workspace, rows)


def _bad(row: Row) -> str:
    if not row.get("event"):
        return "event is empty"
    if not row.get("user_id"):
        return "user_id is empty"
    try:
        moment(row.get("occurred_at"))
    except ValueError:
        return "occurred_at is no ISO 8601 time"
    return ""


def _store_row(tx: Tx, work: Object, row: Row) -> bool:
    """Whether it counts: what an incremental import meets unchanged does not."""
    stamp = moment(row["occurred_at"]).isoformat()
    parts = f"{row['user_id']}\0{row['event']}\0{stamp}"
    dedupe = str(row.get(work["dedupe_key"] or "event_id") or "")
    dedupe = dedupe or hashlib.sha256(parts.encode()).hexdigest()
    origin = work["connection_id"] or "csv"
    sample = int(work["mode"] == "sample")
    key = (work.workspace, origin, sample, dedupe)
    old = tx.db.execute(
        "SELECT * FROM event WHERE workspace=? AND connection_id=? AND sample=? AND dedupe=?", key
    ).fetchone()
    new = (work.workspace, work.id, origin, dedupe, str(row["event"]), str(row["user_id"]), stamp,
           sample, properties_of(row))  # fmt: skip
    if old is not None and old["import_id"] != work.id:
        known = work["mode"] == "incremental" and tuple(old)[2:] == new[2:]
        if known or work["on_duplicate"] == "keep_first":
            return False
        tx.db.execute(
            "INSERT OR IGNORE INTO replaced VALUES (?,?,?,?)",
            (work.workspace, work.id, dedupe, json.dumps(tuple(old))),
        )
    tx.db.execute("INSERT OR REPLACE INTO event VALUES (?,?,?,?,?,?,?,?,?)", new)
    return True


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
        told = {"import_id": now.id, "connection_id": now["connection_id"], "mode": now["mode"],
                "rows": now["rows"], "bad_rows": now["bad_rows"], "state": state,
                "error": error}  # fmt: skip
        notify(tx, now.workspace, "import.failed" if failure else "import.completed", told)
        event = "Import Failed" if failure else "Import Finished"
        said = {"mode": now["mode"], "rows": now["rows"], "state": state}
        if failure:
            said |= {"connector": _connector(tx, now), "error_code": failure.code}
        track(tx, now.workspace, now.get("started_by"), event, said)


def _connector(tx: Tx, work: Object) -> str:
    """What kind of source the rows come from."""
    found = tx.find(work.workspace, "connection", work["connection_id"] or "")
    return str(found["kind"]) if found is not None else "csv"


def _after(tx: Tx, work: Object, *, failed: bool) -> None:
    """The connection's state, and samples that a full import replaces."""
    if not failed and work["mode"] == "full":
        origin = work["connection_id"] or "csv"
        tx.db.execute(
            "DELETE FROM event WHERE workspace=? AND connection_id=? AND sample=1",
            (work.workspace, origin),
        )
    connection = tx.find(work.workspace, "connection", work["connection_id"] or "")
    if connection is None:
        return
    tx.save(connection, state=_state_after(tx, connection, failed=failed))
    if failed and connection["state"] != "failing":
        told = {"connection_id": connection.id, "name": connection["name"], "import_id": work.id}
        notify(tx, work.workspace, "connection.failing", told)


def _state_after(tx: Tx, connection: Object, *, failed: bool) -> str:
    if connection["state"] == "paused":
        return "paused"
    if not failed:
        return "active"
    return "paused" if schedules.is_worn_out(tx, connection) else "failing"
