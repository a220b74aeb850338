"""Product events on their way to whoever listens: in order, in batches, tried again."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from datetime import datetime

import httpx
from fastapi import FastAPI

from harbor.store import Store

BATCH = 100
LONGEST_WAIT_S = 60.0


async def deliver(app: FastAPI) -> None:
    """Until cancelled. Without an address the events stay where they are, and are cut at 10,000."""
    config, store = app.state.config, app.state.store
    wait_s = 0.5
    async with httpx.AsyncClient(timeout=5) as client:
        while True:
            await asyncio.sleep(wait_s)
            async with app.state.lock:
                rows = _waiting(store, config.clock())
            if not rows or config.events_url is None:
                wait_s = 0.5
                continue
            try:
                answer = await client.post(
                    config.events_url,
                    json={"batch": [json.loads(row["body"]) for row in rows]},
                    headers={"authorization": f"Bearer {config.events_key}"},
                )
                answer.raise_for_status()
            except httpx.HTTPError:
                wait_s = min(wait_s * 2, LONGEST_WAIT_S)
                continue
            wait_s = 0.05
            async with app.state.lock:
                with store.transaction(config.clock()) as tx:
                    tx.db.execute("DELETE FROM outbox WHERE id <= ?", (rows[-1]["id"],))


def _waiting(store: Store, now: datetime) -> list[sqlite3.Row]:
    with store.transaction(now) as tx:
        tx.db.execute("DELETE FROM outbox WHERE id <= (SELECT max(id) FROM outbox) - 10000")
        return tx.db.execute("SELECT * FROM outbox ORDER BY id LIMIT ?", (BATCH,)).fetchall()
