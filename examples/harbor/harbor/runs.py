"""Imports that start by themselves, as the schedules of connections say."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, FastAPI

from harbor import schedules
from harbor.context import Here, transaction
from harbor.imports import RUNNING, queue
from harbor.operations import operation
from harbor.store import Object, Tx
from harbor.telling import track

routes = APIRouter(tags=["Connections"])
POLL_S = 0.5
RUNS = ("active", "failing")
KEPT = ("table", "dedupe_key", "on_duplicate", "max_bad_rows_percent")


@operation(routes, "GET /v1/connections/{connection_id}/runs", id="get_connection_runs",
           scope="data:read")  # fmt: skip
async def get_connection_runs(connection_id: str, ctx: Here) -> dict[str, Any]:
    """The schedule's next run, the last that was skipped, and how many have failed in a row."""
    found = ctx.get("connection", connection_id)
    row = schedules.planned(ctx.tx, connection_id)
    waits = found["state"] in RUNS and bool(_full(ctx.tx, found))
    return {
        "schedule": found["schedule"],
        "next_run_at": row["due"] if row and waits else None,
        "skipped_at": row["skipped"] if row else None,
        "failed_runs": schedules.failed_runs(ctx.tx, found),
    }


async def job(app: FastAPI) -> None:
    """Queues what is due; imports run in their own job."""
    async with transaction(app) as tx:
        _adopt(tx)
    while True:
        async with transaction(app) as tx:
            started = [_run(tx, each) for each in schedules.due(tx)]
        if any(started):
            app.state.imports.set()
        await asyncio.sleep(POLL_S)


def _adopt(tx: Tx) -> None:
    """Schedules of a database that is older than the plan of runs."""
    rows = tx.db.execute(
        "SELECT id FROM object WHERE kind='connection' AND json_extract(body, '$.schedule')"
        " IS NOT NULL AND id NOT IN (SELECT connection_id FROM run_plan)"
    )
    for row in rows.fetchall():
        connection = tx.anywhere("connection", row["id"])
        if connection is not None:
            schedules.plan(tx, connection)


def _run(tx: Tx, connection: Object) -> bool:
    """Whether anything was queued. Runs that were missed are not made up for."""
    schedules.move_on(tx, connection)
    if connection["state"] not in RUNS:
        return False
    imports = [i for i in tx.all(connection.workspace, "import")
               if i["connection_id"] == connection.id]  # fmt: skip
    if any(i["state"] in RUNNING for i in imports):
        schedules.skip(tx, connection)
        return False
    full = _full(tx, connection)
    for before in full:
        kept = {name: before[name] for name in KEPT}
        made = queue(tx, connection.workspace, {
            "connection_id": connection.id, "upload_id": None, "mode": "incremental", **kept,
            "started_by": None, "scheduled_at": tx.stamp,
        })  # fmt: skip
        track(tx, connection.workspace, None, "Import Started", {"mode": "incremental"})
        tx.effect("scheduled_import", f"{connection.workspace}:{made.id}")
    return bool(full)


def _full(tx: Tx, connection: Object) -> list[Object]:
    """The last full import of each table that went well: schedules start after the first."""
    found = {i["table"]: i for i in tx.all(connection.workspace, "import")
             if i["connection_id"] == connection.id and i["mode"] == "full"
             and i["state"] in ("succeeded", "partial")}  # fmt: skip
    return list(found.values())
