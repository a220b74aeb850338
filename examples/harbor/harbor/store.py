"""One SQLite file; one transaction a request; every object with a version, its ETag."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

Body = dict[str, Any]
SCHEMA = """
CREATE TABLE IF NOT EXISTS object (
  workspace TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  natural TEXT, created TEXT NOT NULL, changed TEXT NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (workspace, kind, id)) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS object_natural ON object(workspace, kind, natural)
  WHERE natural IS NOT NULL;
CREATE INDEX IF NOT EXISTS object_id ON object(kind, id);
CREATE TABLE IF NOT EXISTS event (
  workspace TEXT NOT NULL, import_id TEXT NOT NULL, connection_id TEXT NOT NULL,
  dedupe TEXT NOT NULL, name TEXT NOT NULL, user_id TEXT NOT NULL, at TEXT NOT NULL,
  sample INTEGER NOT NULL, properties TEXT NOT NULL,
  PRIMARY KEY (workspace, connection_id, sample, dedupe)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS event_time ON event(workspace, at);
CREATE INDEX IF NOT EXISTS event_import ON event(workspace, import_id);
CREATE TABLE IF NOT EXISTS replaced (
  workspace TEXT NOT NULL, import_id TEXT NOT NULL, dedupe TEXT NOT NULL, row TEXT NOT NULL,
  PRIMARY KEY (workspace, import_id, dedupe)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS effect (
  operation TEXT NOT NULL, natural TEXT NOT NULL, count INTEGER NOT NULL,
  PRIMARY KEY (operation, natural)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS idempotency (
  workspace TEXT NOT NULL, key TEXT NOT NULL, request TEXT NOT NULL, status INTEGER NOT NULL,
  headers TEXT NOT NULL, response BLOB NOT NULL, created TEXT NOT NULL,
  PRIMARY KEY (workspace, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (
  id INTEGER PRIMARY KEY, body TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS hook (
  id TEXT PRIMARY KEY, secret TEXT NOT NULL, failing_since TEXT, off_since TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS delivery (
  id TEXT PRIMARY KEY, workspace TEXT NOT NULL, webhook_id TEXT NOT NULL, type TEXT NOT NULL,
  body TEXT NOT NULL, state TEXT NOT NULL, tries INTEGER NOT NULL, due TEXT NOT NULL,
  result TEXT, created TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS delivery_due ON delivery(due) WHERE state='waiting';
CREATE INDEX IF NOT EXISTS delivery_hook ON delivery(webhook_id, created);
CREATE TABLE IF NOT EXISTS usage (
  workspace TEXT NOT NULL, month TEXT NOT NULL, events INTEGER NOT NULL,
  PRIMARY KEY (workspace, month)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS watch (
  alert_id TEXT PRIMARY KEY, state TEXT NOT NULL DEFAULT 'normal', due TEXT NOT NULL,
  checked TEXT, told TEXT, said INTEGER NOT NULL DEFAULT 0, inside INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alert_change (
  id INTEGER PRIMARY KEY, alert_id TEXT NOT NULL, at TEXT NOT NULL, state TEXT NOT NULL,
  value REAL NOT NULL, threshold INTEGER, low REAL, high REAL, told INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS alert_changes ON alert_change(alert_id);
CREATE TABLE IF NOT EXISTS run_plan (
  connection_id TEXT PRIMARY KEY, due TEXT NOT NULL, since TEXT NOT NULL, skipped TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS run_due ON run_plan(due);
CREATE INDEX IF NOT EXISTS delivery_age ON delivery(created);
"""
TABLES = (
    "object", "event", "replaced", "effect", "idempotency", "outbox", "hook", "delivery",
    "watch", "alert_change", "usage", "run_plan",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Object:
    """A stored object. `etag` changes with every change of it."""

    workspace: str
    kind: str
    id: str
    version: int
    created: str
    changed: str
    body: Body

    @property
    def etag(self) -> str:
        return f'"{self.id}-{self.version}"'

    def __getitem__(self, name: str) -> Any:
        return self.body[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self.body.get(name, default)


class Taken(Exception):
    """Another object of this kind has the natural key."""


class Store:
    """All of Harbor's data. One connection, used from the event loop alone."""

    def __init__(self, file: Path | str) -> None:
        self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(SCHEMA)

    @contextmanager
    def transaction(self, now: datetime) -> Iterator[Tx]:
        """Committed when the block ends well, taken back when it raises."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield Tx(self._db, now)
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def reset(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        for table in TABLES:
            self._db.execute(f"DELETE FROM {table}")
        self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(8)}"


class Tx:
    """What may be done inside one transaction."""

    def __init__(self, db: sqlite3.Connection, now: datetime) -> None:
        self.db = db
        self.now = now

    @property
    def stamp(self) -> str:
        return self.now.isoformat(timespec="milliseconds")

    def create(
        self,
        workspace: str,
        kind: str,
        prefix: str,
        body: Mapping[str, Any],
        natural: str | None = None,
    ) -> Object:
        """Raises Taken."""
        made = Object(workspace, kind, new_id(prefix), 1, self.stamp, self.stamp, dict(body))
        try:
            self.db.execute(
                "INSERT INTO object VALUES (?,?,?,?,?,?,?,?)",
                (
                    workspace,
                    kind,
                    made.id,
                    1,
                    natural,
                    self.stamp,
                    self.stamp,
                    json.dumps(made.body),
                ),
            )
        except sqlite3.IntegrityError as failure:
            raise Taken(natural) from failure
        return made

    def save(self, old: Object, natural: str | None = None, **changes: Any) -> Object:
        """The object with these members changed and a new version."""
        body = {**old.body, **changes}
        if body == old.body and natural is None:
            return old
        self.db.execute(
            "UPDATE object SET body=?, version=version+1, changed=?, natural=coalesce(?, natural)"
            " WHERE workspace=? AND kind=? AND id=?",
            (json.dumps(body), self.stamp, natural, old.workspace, old.kind, old.id),
        )
        return Object(
            old.workspace, old.kind, old.id, old.version + 1, old.created, self.stamp, body
        )

    def release(self, old: Object) -> None:
        """Give the natural key free for another object."""
        self.db.execute(
            "UPDATE object SET natural=NULL WHERE workspace=? AND kind=? AND id=?",
            (old.workspace, old.kind, old.id),
        )

    def delete(self, old: Object) -> None:
        self.db.execute(
            "DELETE FROM object WHERE workspace=? AND kind=? AND id=?",
            (old.workspace, old.kind, old.id),
        )

    def find(self, workspace: str, kind: str, id: str) -> Object | None:
        row = self.db.execute(
            "SELECT * FROM object WHERE workspace=? AND kind=? AND id=?", (workspace, kind, id)
        ).fetchone()
        return None if row is None else _object(row)

    def anywhere(self, kind: str, id: str) -> Object | None:
        """By id alone, for what is found before the workspace is known: tokens, hooks."""
        row = self.db.execute("SELECT * FROM object WHERE kind=? AND id=?", (kind, id)).fetchone()
        return None if row is None else _object(row)

    def natural(self, workspace: str, kind: str, natural: str) -> Object | None:
        row = self.db.execute(
            "SELECT * FROM object WHERE workspace=? AND kind=? AND natural=?",
            (workspace, kind, natural),
        ).fetchone()
        return None if row is None else _object(row)

    def all(self, workspace: str, kind: str) -> list[Object]:
        """Oldest first."""
        rows = self.db.execute(
            "SELECT * FROM object WHERE workspace=? AND kind=? ORDER BY created, id",
            (workspace, kind),
        )
        return [_object(row) for row in rows]

    def effect(self, operation: str, natural: str) -> None:
        """Counted in the transaction of the effect itself: what a doubled call cannot hide."""
        self.db.execute(
            "INSERT INTO effect VALUES (?,?,1)"
            " ON CONFLICT(operation, natural) DO UPDATE SET count=count+1",
            (operation, natural),
        )

    def tell(self, message: Mapping[str, Any]) -> None:
        """A product event for whoever listens, sent after the commit."""
        self.db.execute("INSERT INTO outbox(body) VALUES (?)", (json.dumps(message),))


def _object(row: sqlite3.Row) -> Object:
    return Object(
        row["workspace"],
        row["kind"],
        row["id"],
        row["version"],
        row["created"],
        row["changed"],
        json.loads(row["body"]),
    )
