"""When a connection imports by itself next, and when it has failed too often.

The plan of runs lies beside the connection, whose version tells of people's changes alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from harbor.context import NOWHERE
from harbor.facts import PLANS
from harbor.store import Object, Tx

MINUTES = {"5m": 5, "15m": 15, "30m": 30, "1h": 60, "6h": 360, "12h": 720, "24h": 1440}
DAY = 1440
SATURDAY = 5
MOST_FAILURES = 5


def next_run(schedule: Mapping[str, Any], after: datetime, shortest_min: int) -> datetime:
    """Daily ones at their time of day, the others so long after. A plan may have become smaller
    than the schedule: `shortest_min` holds."""
    zone = ZoneInfo(schedule["timezone"])
    minutes = max(MINUTES[schedule["every"]], shortest_min)
    if minutes < DAY:
        at = after + timedelta(minutes=minutes)
        while schedule["skip_weekends"] and at.astimezone(zone).weekday() >= SATURDAY:
            at += timedelta(minutes=minutes)
        return at
    day = after.astimezone(zone).date()
    while True:
        at = _wall(day, schedule["at"], zone)
        if at > after and not (schedule["skip_weekends"] and day.weekday() >= SATURDAY):
            return at
        day += timedelta(days=1)


def _wall(day: date, time: str, zone: ZoneInfo) -> datetime:
    """That time on that day: the first of two, or the end of the hour that the day lacks."""
    hour, minute = map(int, time.split(":"))
    naive = datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001  # read on a clock
    while True:
        at = naive.replace(tzinfo=zone).astimezone(UTC)
        if at.astimezone(zone).replace(tzinfo=None) == naive:
            return at
        naive += timedelta(minutes=1)


def plan(tx: Tx, connection: Object) -> None:
    """The next run, from now on; failures of before count no more."""
    if connection["schedule"] is None:
        return
    tx.db.execute(
        "INSERT OR REPLACE INTO run_plan VALUES (?,?,?,NULL)",
        (connection.id, _stamp(_next(tx, connection)), tx.stamp),
    )


def move_on(tx: Tx, connection: Object) -> None:
    due = _stamp(_next(tx, connection))
    tx.db.execute("UPDATE run_plan SET due=? WHERE connection_id=?", (due, connection.id))


def skip(tx: Tx, connection: Object) -> None:
    """A run that was due while another was going."""
    tx.db.execute("UPDATE run_plan SET skipped=? WHERE connection_id=?",
                  (tx.stamp, connection.id))  # fmt: skip


def forget(tx: Tx, connection_id: str) -> None:
    tx.db.execute("DELETE FROM run_plan WHERE connection_id=?", (connection_id,))


def planned(tx: Tx, connection_id: str) -> sqlite3.Row | None:
    found: sqlite3.Row | None = tx.db.execute(
        "SELECT * FROM run_plan WHERE connection_id=?", (connection_id,)
    ).fetchone()
    return found


def due(tx: Tx) -> list[Object]:
    """Connections whose run is due; those that are gone are forgotten."""
    rows = tx.db.execute("SELECT connection_id FROM run_plan WHERE due<=? ORDER BY due",
                         (tx.stamp,)).fetchall()  # fmt: skip
    found = []
    for row in rows:
        connection = tx.anywhere("connection", row["connection_id"])
        if connection is None:
            forget(tx, row["connection_id"])
        else:
            found.append(connection)
    return found


def failed_runs(tx: Tx, connection: Object) -> int:
    """Scheduled runs that failed in a row. One run has an import for each table."""
    row = planned(tx, connection.id)
    since = row["since"] if row else ""
    runs: dict[str, bool] = {}
    for each in reversed(tx.all(connection.workspace, "import")):
        at = each.get("scheduled_at")
        if each["connection_id"] != connection.id or not at or at < since:
            continue
        if each["state"] in ("succeeded", "partial", "failed"):
            runs[at] = runs.get(at, False) or each["state"] == "failed"
    states = list(runs.values())
    return states.index(False) if False in states else len(states)


def is_worn_out(tx: Tx, connection: Object) -> bool:
    return failed_runs(tx, connection) >= MOST_FAILURES


def _next(tx: Tx, connection: Object) -> datetime:
    workspace = tx.find(NOWHERE, "workspace", connection.workspace)
    assert workspace is not None
    return next_run(connection["schedule"], tx.now, PLANS[workspace["plan"]].interval_min)


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")
