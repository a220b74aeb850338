"""Product events on their way to whoever listens: in order, in batches, tried again.

What is here was committed with the deed and goes away once it was taken, so that nothing is lost
over a stop; what was taken just before one comes again under the same `messageId`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from dataclasses import dataclass

import httpx
from fastapi import FastAPI

from harbor.context import transaction
from harbor.store import Tx

BATCH = 100
KEPT = 10_000
POLL_S = 0.5
LONGEST_WAIT_S = 60.0
UNFIT = frozenset({400, 413, 422})
"""Answers that will not become better by waiting."""


@dataclass(slots=True)
class Pace:
    """How long to wait, and how many to send at once."""

    wait_s: float = POLL_S
    size: int = BATCH

    def refused(self, after_s: float | None = None) -> None:
        self.wait_s = min(max(self.wait_s * 2, after_s or 0), LONGEST_WAIT_S)

    def taken(self, count: int) -> None:
        self.wait_s = 0.0 if count == self.size else POLL_S
        self.size = BATCH


async def deliver(app: FastAPI) -> None:
    """Until cancelled. Without an address the last 10,000 events are kept."""
    config = app.state.config
    pace = Pace()
    async with httpx.AsyncClient(timeout=5) as client:
        while True:
            await asyncio.sleep(pace.wait_s)
            async with transaction(app) as tx:
                rows = _waiting(tx, pace.size, cut=config.events_url is None)
            if not rows or config.events_url is None:
                pace = Pace()
                continue
            if await _sent(client, config.events_url, config.events_key, rows, pace):
                async with transaction(app) as tx:
                    tx.db.execute("DELETE FROM outbox WHERE id <= ?", (rows[-1]["id"],))


async def _sent(
    client: httpx.AsyncClient, url: str, key: str, rows: list[sqlite3.Row], pace: Pace
) -> bool:
    """Whether the batch is done with. One that does not fit is sent in halves, down to the event
    that is to blame, which is left out: it would hold up all others for good."""
    body = {"batch": [json.loads(row["body"]) for row in rows]}
    try:
        answer = await client.post(url, json=body, headers={"authorization": f"Bearer {key}"})
    except httpx.HTTPError:
        pace.refused()
        return False
    if answer.is_success:
        pace.taken(len(rows))
        return True
    if answer.status_code in UNFIT and len(rows) > 1:
        pace.size = len(rows) // 2
        return False
    if answer.status_code in UNFIT:
        logging.getLogger("harbor").error("event %s: %s", rows[0]["body"], answer.text[:500])
        pace.taken(1)
        return True
    pace.refused(_seconds(answer.headers.get("retry-after", "")))
    return False


def _seconds(value: str) -> float | None:
    return float(value) if value.isdigit() else None


def _waiting(tx: Tx, most: int, *, cut: bool) -> list[sqlite3.Row]:
    if cut:
        tx.db.execute("DELETE FROM outbox WHERE id <= (SELECT max(id) FROM outbox) - ?", (KEPT,))
    return tx.db.execute("SELECT * FROM outbox ORDER BY id LIMIT ?", (most,)).fetchall()
