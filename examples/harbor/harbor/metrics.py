"""Figures over imported events, as FACTS.md defines them; computed in SQL, samples only where
nothing else is there yet."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

SYSTEM = "system.%"
END_OF_TIME = "9999"
PAST_DUE_DAYS = 14
SMALLEST_COHORT = 5


@dataclass(frozen=True, slots=True)
class Data:
    """A workspace's events up to `until`; `sample` where only sample rows exist."""

    db: sqlite3.Connection
    workspace: str
    until: datetime

    @property
    def sample(self) -> int:
        row = self.db.execute(
            "SELECT min(sample) FROM event WHERE workspace=?", (self.workspace,)
        ).fetchone()
        return int(row[0] or 0)

    def _rows(self, query: str, *more: object) -> list[tuple[Any, ...]]:
        return [tuple(r) for r in self.db.execute(query, (self.workspace, self.sample, *more))]

    def count(self, until: datetime | None = None) -> int:
        query = "SELECT count(*) FROM event WHERE workspace=? AND sample=?"
        if until is None:
            return int(self._rows(query)[0][0])
        return int(self._rows(query + " AND at<=?", until.isoformat())[0][0])

    def first_event(self) -> datetime:
        found = self._rows("SELECT min(at) FROM event WHERE workspace=? AND sample=?")[0][0]
        return datetime.fromisoformat(found) if found else self.until

    def series(
        self, metric: str, period: str, since: datetime, until: datetime
    ) -> dict[datetime, int]:
        """Events, or for `dau` people, in each hour or day that begins in this time; UTC."""
        counted = "count(*)" if metric == "events" else "count(DISTINCT user_id)"
        length = 13 if period == "hour" else 10
        rows = self._rows(
            f"SELECT substr(at, 1, {length}) period, {counted} FROM event WHERE workspace=?"
            " AND sample=? AND at>=? AND at<? AND name NOT LIKE ? GROUP BY period",
            since.isoformat(), until.isoformat(), SYSTEM,
        )  # fmt: skip
        found = {period: int(number) for period, number in rows}
        step = timedelta(hours=1) if period == "hour" else timedelta(days=1)
        starts = [since + n * step for n in range(int((until - since) / step))]
        return {at: found.get(at.isoformat()[:length], 0) for at in starts}

    def last_event(self) -> datetime:
        """End of the data; figures look back from it."""
        found = self._rows("SELECT max(at) FROM event WHERE workspace=? AND sample=?")[0][0]
        return datetime.fromisoformat(found) if found else self.until

    def active_users(self, days: int, until: datetime) -> int:
        """Distinct users with an event within `days` before `until`, inclusive of its end."""
        since = (until - timedelta(days=days)).isoformat()
        return int(
            self._rows(
                "SELECT count(DISTINCT user_id) FROM event WHERE workspace=? AND sample=?"
                " AND at>? AND at<=? AND name NOT LIKE ?",
                since, until.isoformat(), SYSTEM,
            )[0][0]
        )  # fmt: skip

    def new_users(self, days: int) -> list[dict[str, Any]]:
        """First events by day, the last `days` days of the data."""
        since = (self.last_event() - timedelta(days=days)).date().isoformat()
        rows = self._rows(
            "SELECT substr(first, 1, 10) day, count(*) FROM (SELECT min(at) first FROM event"
            " WHERE workspace=? AND sample=? GROUP BY user_id) WHERE day > ? GROUP BY day"
            " ORDER BY day",
            since,
        )
        return [{"day": day, "users": users} for day, users in rows]

    def top_events(self, most: int = 10) -> list[dict[str, Any]]:
        rows = self._rows(
            "SELECT name, count(*) n, count(DISTINCT user_id) FROM event"
            " WHERE workspace=? AND sample=? AND name NOT LIKE ? GROUP BY name"
            " ORDER BY n DESC, name LIMIT ?",
            SYSTEM, most,
        )  # fmt: skip
        return [{"event": name, "count": n, "users": users} for name, n, users in rows]

    def funnel(self, steps: list[str], window_h: int = 168) -> list[dict[str, Any]]:
        """Users who did each step in order, all within the window from their first step."""
        reached = [0] * len(steps)
        for events in self._by_user().values():
            deepest = 0
            starts = [at for at, name in events if name == steps[0]]
            for start in starts:
                deepest = max(deepest, _depth(events, steps, start, timedelta(hours=window_h)))
            for place in range(deepest):
                reached[place] += 1
        return [{"step": s, "users": n} for s, n in zip(steps, reached, strict=True)]

    def _by_user(self) -> dict[str, list[tuple[datetime, str]]]:
        rows = self._rows(
            "SELECT user_id, at, name FROM event WHERE workspace=? AND sample=?"
            " ORDER BY user_id, at"
        )
        users: dict[str, list[tuple[datetime, str]]] = {}
        for user, at, name in rows:
            users.setdefault(user, []).append((datetime.fromisoformat(at), name))
        return users

    def retention(self, weeks: int = 4) -> list[dict[str, Any]]:
        """Weekly cohorts by first event; share active exactly in week N after it (bounded)."""
        cohorts: dict[str, list[set[int]]] = {}
        for events in self._by_user().values():
            first = events[0][0]
            monday = (first - timedelta(days=first.weekday())).date().isoformat()
            active = {(at - first).days // 7 for at, _ in events}
            cohorts.setdefault(monday, []).append(active)
        return [
            {"cohort": monday, "users": len(users), "small": len(users) < SMALLEST_COHORT,
             "weeks": [sum(n in seen for seen in users) for n in range(weeks + 1)]}
            for monday, users in sorted(cohorts.items())
        ]  # fmt: skip

    def mrr(self, until: datetime | None = None) -> int:
        """Cents a month of active subscriptions; yearly ones by twelve, past due for 14 days."""
        now = until or self.until
        rows = self._rows(
            "SELECT json_extract(properties,'$.amount'), json_extract(properties,'$.interval'),"
            " json_extract(properties,'$.status'), at FROM event WHERE workspace=? AND sample=?"
            " AND name='subscription_started' AND at<=?",
            until.isoformat() if until else END_OF_TIME,
        )
        total = 0.0
        for amount, interval, status, at in rows:
            late = now - datetime.fromisoformat(at) > timedelta(days=PAST_DUE_DAYS)
            if status == "active" or (status == "past_due" and not late):
                total += int(amount) / (12 if interval == "year" else 1)
        return round(total)

    def value(self, metric: str, at: datetime | None = None) -> int:
        """A metric's figure now, or at a time before. Raises KeyError for an unknown one."""
        end = at or self.last_event()
        return {
            "dau": lambda: self.active_users(1, end),
            "wau": lambda: self.active_users(7, end),
            "mau": lambda: self.active_users(28, end),
            "events": lambda: self.count(at),
            "mrr": lambda: self.mrr(at),
        }[metric]()


def _depth(
    events: list[tuple[datetime, str]], steps: list[str], start: datetime, window: timedelta
) -> int:
    """How many steps in order follow `start` within the window; other events may come between."""
    depth = 0
    for at, name in events:
        if at < start or at > start + window:
            continue
        if depth < len(steps) and name == steps[depth]:
            depth += 1
    return depth


METRICS = {
    "met_dau": ("dau", "Daily active users"),
    "met_wau": ("wau", "Weekly active users"),
    "met_mau": ("mau", "Monthly active users"),
    "met_events": ("events", "Events"),
    "met_mrr": ("mrr", "MRR"),
}
