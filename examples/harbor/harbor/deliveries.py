"""Outbound webhooks on their way: written in the transaction of what they tell, sent after it,
tried again for a day (FACTS.md, "API")."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sqlite3
import ssl
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx
from fastapi import FastAPI

from harbor.context import transaction
from harbor.sealing import unseal
from harbor.store import Object, Tx, new_id

TIMEOUT_S = 10.0
PAUSES = tuple(timedelta(minutes=m) for m in (1, 4, 10, 30, 75, 180, 420, 720))
"""Before each of the eight retries; together 24 hours."""
OFF_AFTER = timedelta(days=3)
KEPT = timedelta(days=14)
AT_ONCE = 20
POLL_S = 0.2


def notify(tx: Tx, workspace: str, type: str, data: Mapping[str, Any]) -> None:
    """One delivery to each webhook of the workspace that wants this type and is on."""
    for hook in tx.all(workspace, "webhook"):
        if type in hook["events"] and _is_on(tx, hook.id):
            _write(tx, hook, type, data)


def _is_on(tx: Tx, hook_id: str) -> bool:
    row = tx.db.execute("SELECT off_since FROM hook WHERE id=?", (hook_id,)).fetchone()
    return row is not None and row["off_since"] is None


def _write(tx: Tx, hook: Object, type: str, data: Mapping[str, Any]) -> None:
    body = message(tx, hook.workspace, type, data)
    tx.db.execute(
        "INSERT INTO delivery VALUES (?,?,?,?,?,'waiting',0,?,NULL,?)",
        (body["id"], hook.workspace, hook.id, type, json.dumps(body), tx.stamp, tx.stamp),
    )


def message(tx: Tx, workspace: str, type: str, data: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": new_id("dlv"), "type": type, "at": tx.stamp, "workspace": workspace,
            "data": dict(data)}  # fmt: skip


def signature(secret: str, at: int, body: bytes) -> str:
    """Value of `Harbor-Signature`, as for inbound webhooks."""
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256)
    return f"t={at},v1={mac.hexdigest()}"


async def post(url: str, secret: str, now: datetime, id: str, body: bytes) -> str:
    """What came of it: the status, or in a word why there is none. Redirects are not followed."""
    headers = {
        "content-type": "application/json",
        "harbor-delivery": id,
        "harbor-signature": signature(secret, int(now.timestamp()), body),
    }
    try:
        async with asyncio.timeout(TIMEOUT_S), httpx.AsyncClient(timeout=TIMEOUT_S) as client:
            answer = await client.post(url, content=body, headers=headers)
    except (TimeoutError, httpx.TimeoutException):
        return "timeout"
    except (httpx.HTTPError, httpx.InvalidURL) as failure:
        return "TLS error" if _is_tls(failure) else "connection error"
    return str(answer.status_code)


def _is_tls(failure: BaseException | None) -> bool:
    while failure is not None:
        if isinstance(failure, ssl.SSLError):
            return True
        failure = failure.__cause__ or failure.__context__
    return False


def arrived(result: str) -> bool:
    return len(result) == 3 and result.startswith("2")


async def job(app: FastAPI) -> None:
    """Until cancelled. What a stop left waiting goes out after the next start."""
    going: set[str] = set()
    async with asyncio.TaskGroup() as tasks:
        while True:
            async with transaction(app) as tx:
                due = _due(tx, going)
            for row in due:
                going.add(row["id"])
                tasks.create_task(_send(app, row, going))
            await asyncio.sleep(POLL_S)


def _due(tx: Tx, going: set[str]) -> list[sqlite3.Row]:
    tx.db.execute("DELETE FROM delivery WHERE created < ?", (_stamp(tx.now - KEPT),))
    rows = tx.db.execute(
        "SELECT d.*, h.secret, json_extract(o.body, '$.url') url FROM delivery d"
        " JOIN hook h ON h.id=d.webhook_id JOIN object o ON o.kind='webhook' AND o.id=h.id"
        " WHERE d.state='waiting' AND d.due<=? ORDER BY d.due LIMIT ?",
        (tx.stamp, AT_ONCE),
    ).fetchall()
    return [row for row in rows if row["id"] not in going][: AT_ONCE - len(going)]


async def _send(app: FastAPI, row: sqlite3.Row, going: set[str]) -> None:
    secret = unseal(row["workspace"], row["secret"])
    now = app.state.config.clock()
    try:
        result = await post(row["url"], secret, now, row["id"], row["body"].encode())
        async with transaction(app) as tx:
            if arrived(result):
                _succeeded(tx, row, result)
            else:
                _failed(tx, row, result)
    finally:
        going.discard(row["id"])


def _succeeded(tx: Tx, row: sqlite3.Row, result: str) -> None:
    _set(tx, row["id"], "delivered", row["tries"] + 1, result)
    tx.db.execute("UPDATE hook SET failing_since=NULL WHERE id=?", (row["webhook_id"],))


def _failed(tx: Tx, row: sqlite3.Row, result: str) -> None:
    """Waits for the next try, where one is left; after three days the webhook is switched off."""
    tries = row["tries"] + 1
    last = tries > len(PAUSES)
    due = tx.stamp if last else _stamp(tx.now + PAUSES[tries - 1])
    _set(tx, row["id"], "failed" if last else "waiting", tries, result, due)
    hook = (row["webhook_id"],)
    tx.db.execute(
        "UPDATE hook SET failing_since=coalesce(failing_since, ?) WHERE id=?", (tx.stamp, *hook)
    )
    found = tx.db.execute("SELECT failing_since FROM hook WHERE id=?", hook).fetchone()
    if found is None or tx.now - datetime.fromisoformat(found[0]) < OFF_AFTER:
        return
    tx.db.execute("UPDATE hook SET off_since=? WHERE id=?", (tx.stamp, *hook))
    tx.db.execute("UPDATE delivery SET state='failed' WHERE webhook_id=? AND state='waiting'", hook)


def _set(
    tx: Tx, id: str, state: str, tries: int, result: str | None, due: str | None = None
) -> None:
    tx.db.execute(
        "UPDATE delivery SET state=?, tries=?, result=?, due=? WHERE id=?",
        (state, tries, result, due or tx.stamp, id),
    )


def again(tx: Tx, id: str) -> None:
    """The same delivery once more from its first try, at once."""
    _set(tx, id, "waiting", 0, None)


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")
