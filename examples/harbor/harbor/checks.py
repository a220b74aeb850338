"""Alerts checked as often as the plan says: fired, told, resolved.

What a check finds lies beside the alert, so that an alert's version tells only of people's changes.
"""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fastapi import FastAPI

from harbor.anomaly import ALARMS_A_DAY, usual
from harbor.context import NOWHERE, transaction
from harbor.deliveries import notify
from harbor.facts import ALERT_CHECK_MIN
from harbor.metrics import METRICS, Data
from harbor.store import Object, Tx

COOLDOWN_MIN = 60
NORMAL_CHECKS = 2
MOST_MESSAGES = 2  # the first, and one reminder
LEARNS = timedelta(days=28)
WEEK = timedelta(days=7)
PERIODS = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class Reading:
    """`outside` is None while there is too little history to tell."""

    value: float
    outside: bool | None
    low: float | None = None
    high: float | None = None


def read(data: Data, alert: Object) -> Reading:
    """The figure that the alert watches, and whether it is outside."""
    condition, threshold = alert["condition"], alert["threshold"]
    if condition == "anomaly":
        return _anomaly(data, alert)
    metric = METRICS[alert["metric_id"]][0]
    value = data.value(metric)
    if condition == "change_percent":
        return Reading(value, _changed(value, data.value(metric, data.last_event() - WEEK),
                                       threshold))  # fmt: skip
    return Reading(value, value > threshold if condition == "above" else value < threshold)


def _changed(now: int, week_ago: int, percent: int) -> bool:
    """By more than this either way; a negative one means a fall alone."""
    if week_ago == 0:
        return False
    change = 100 * (now - week_ago) / week_ago
    return change < percent if percent < 0 else abs(change) > percent


def _anomaly(data: Data, alert: Object) -> Reading:
    """The last whole hour or day of the data against the four weeks before it."""
    period = PERIODS[alert["period"]]
    end = _whole(data.last_event(), alert["period"])
    begin = end - period
    counts = data.series(METRICS[alert["metric_id"]][0], alert["period"], begin - LEARNS, end)
    value = counts[begin]
    if data.first_event() > begin - LEARNS:
        return Reading(value, None)
    left_out = set(alert["excluded_dates"])
    history = [(_slot(at, alert["period"]), count) for at, count in counts.items()
               if at < begin and at.date().isoformat() not in left_out]  # fmt: skip
    share = ALARMS_A_DAY[alert["sensitivity"]] * (period / PERIODS["day"])
    found = usual(history, _slot(begin, alert["period"]), share, alert["direction"])
    if found is None:
        return Reading(value, None)
    outside = found.leaves(value, alert["direction"])
    excluded = begin.date().isoformat() in left_out
    return Reading(value, outside and not excluded, found.low, found.high)


def _whole(at: datetime, period: str) -> datetime:
    hour = at.replace(minute=0, second=0, microsecond=0)
    return hour if period == "hour" else hour.replace(hour=0)


def _slot(at: datetime, period: str) -> int:
    return at.weekday() * 24 + at.hour if period == "hour" else at.weekday()


def is_muted(tx: Tx, alert: Object) -> bool:
    until = alert["muted_until"]
    return until is not None and datetime.fromisoformat(until) > tx.now


# --- the job ------------------------------------------------------------------------------------


async def job(app: FastAPI) -> None:
    """Until cancelled: what is due, one alert at a time."""
    while True:
        async with transaction(app) as tx:
            more = _check_next(tx)
        await asyncio.sleep(0 if more else POLL_S)


def _check_next(tx: Tx) -> bool:
    row = tx.db.execute(
        "SELECT o.workspace, o.id FROM object o LEFT JOIN watch w ON w.alert_id=o.id"
        " WHERE o.kind='alert' AND (w.due IS NULL OR w.due<=?) ORDER BY w.due LIMIT 1",
        (tx.stamp,),
    ).fetchone()
    if row is None:
        return False
    alert = tx.find(row["workspace"], "alert", row["id"])
    workspace = tx.find(NOWHERE, "workspace", row["workspace"])
    if alert is not None and workspace is not None:
        _check(tx, alert, timedelta(minutes=ALERT_CHECK_MIN[workspace["plan"]]))
    return True


def _check(tx: Tx, alert: Object, every: timedelta) -> None:
    found = read(Data(tx.db, alert.workspace, tx.now), alert)
    row = tx.db.execute(
        "INSERT INTO watch(alert_id, due, checked) VALUES (?,?,?) ON CONFLICT(alert_id)"
        " DO UPDATE SET due=excluded.due, checked=excluded.checked RETURNING *",
        (alert.id, _stamp(tx.now + every), tx.stamp),
    ).fetchone()
    if found.outside is None:
        _set(tx, alert.id, state="learning")
    elif found.outside:
        _outside(tx, alert, row, found)
    elif row["state"] == "fired":
        _inside(tx, alert, row, found)
    elif row["state"] == "learning":
        _set(tx, alert.id, state="normal")


def _outside(tx: Tx, alert: Object, row: sqlite3.Row, found: Reading) -> None:
    said = row["said"]
    if row["state"] != "fired":
        said = 0
        _record(tx, alert, "fired", found)
    _set(tx, alert.id, state="fired", inside=0, said=said)
    if said < MOST_MESSAGES and _may_tell(tx, alert, row["told"]):
        _set(tx, alert.id, told=tx.stamp, said=said + 1)
        _tell(tx, alert, "alert.fired", found, reminder=said > 0)


def _inside(tx: Tx, alert: Object, row: sqlite3.Row, found: Reading) -> None:
    inside = row["inside"] + 1
    _set(tx, alert.id, inside=inside)
    if inside < NORMAL_CHECKS:
        return
    _set(tx, alert.id, state="resolved")
    _record(tx, alert, "resolved", found)
    if row["said"]:
        _tell(tx, alert, "alert.resolved", found)


def _may_tell(tx: Tx, alert: Object, told: str | None) -> bool:
    if is_muted(tx, alert):
        return False
    cooldown = timedelta(minutes=alert.get("cooldown_minutes", COOLDOWN_MIN))
    return told is None or tx.now - datetime.fromisoformat(told) >= cooldown


def _tell(tx: Tx, alert: Object, type: str, found: Reading, **more: Any) -> None:
    """By webhook; the change in the history is marked as told."""
    tx.db.execute(
        "UPDATE alert_change SET told=1 WHERE id=(SELECT max(id) FROM alert_change"
        " WHERE alert_id=?)",
        (alert.id,),
    )
    about = {name: alert[name] for name in ("name", "metric_id", "condition", "severity")}
    limits = {"threshold": alert["threshold"], "low": found.low, "high": found.high}
    told = {"alert_id": alert.id, **about, "value": found.value, **limits, **more}
    notify(tx, alert.workspace, type, told)


def _record(tx: Tx, alert: Object, state: str, found: Reading) -> None:
    tx.db.execute(
        "INSERT INTO alert_change(alert_id, at, state, value, threshold, low, high, told)"
        " VALUES (?,?,?,?,?,?,?,0)",
        (alert.id, tx.stamp, state, found.value, alert["threshold"], found.low, found.high),
    )


def _set(tx: Tx, alert_id: str, **columns: Any) -> None:
    names = ", ".join(f"{name}=?" for name in columns)
    tx.db.execute(f"UPDATE watch SET {names} WHERE alert_id=?", (*columns.values(), alert_id))


# --- what others ask ----------------------------------------------------------------------------


def watch(tx: Tx, alert_id: str) -> sqlite3.Row | None:
    """What the last check left; None before the first."""
    found: sqlite3.Row | None = tx.db.execute(
        "SELECT * FROM watch WHERE alert_id=?", (alert_id,)
    ).fetchone()
    return found


def soon(tx: Tx, alert_id: str) -> None:
    """Check it next, as after a change of what it watches."""
    _set(tx, alert_id, due=tx.stamp)


def forget(tx: Tx, alert_id: str) -> None:
    for table in ("watch", "alert_change"):
        tx.db.execute(f"DELETE FROM {table} WHERE alert_id=?", (alert_id,))


def history(tx: Tx, alert_id: str) -> list[dict[str, Any]]:
    """Newest first."""
    rows = tx.db.execute("SELECT * FROM alert_change WHERE alert_id=? ORDER BY id DESC",
                         (alert_id,))  # fmt: skip
    return [{"at": row["at"], "state": row["state"], "value": row["value"],
             "threshold": row["threshold"], "low": row["low"], "high": row["high"],
             "told": bool(row["told"])} for row in rows]  # fmt: skip


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")
