"""The record in SQL: SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    Table,
    delete,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from guardrails.decisions.record import (
    EVERYTHING,
    PAGE,
    Added,
    Cursor,
    Page,
    Recorded,
    Wanted,
    in_order,
    nameless,
    own,
)
from guardrails.decisions.rows import decision_of, decision_row, update_of, update_row
from guardrails.decisions.tables import decision, decision_outcome
from guardrails.decisions.types import Decision, Kind, OutcomeUpdate, Row
from guardrails.refs import stamp
from guardrails.revisions import migrate
from guardrails.store import Transactions
from guardrails.tenancy import EVERYBODY

_UPGRADE_LOCK = 0x64636973  # one process at a time makes the tables; any number serves


def upgrade(engine: Engine) -> None:
    """Bring the tables to the newest revision; nothing happens when they are there."""
    migrate(engine, "guardrails.decisions:migrations", _UPGRADE_LOCK)


class SqlDecisions:
    """Over an engine whose tables `upgrade` has made."""

    def __init__(self, engine: Engine, pseudonym: Callable[[], str] = nameless) -> None:
        self._transactions = Transactions(engine)
        self._pseudonym = pseudonym

    async def add(self, tenant: str, rows: Sequence[Row]) -> Added:
        decisions, updates = own(tenant, rows)

        def work(connection: Connection) -> Added:
            new = _insert(connection, decision, [decision_row(d) for d in decisions])
            there = _there(connection, tenant, {u.decision_id for u in updates})
            followed = [u for u in updates if u.decision_id in there]
            new += _insert(connection, decision_outcome, [update_row(u) for u in followed])
            orphans = len(updates) - len(followed)
            return Added(new, len(rows) - orphans - new, orphans)

        return await self._transactions.write(tenant, work)

    async def get(self, tenant: str, id: str) -> Recorded | None:
        one = select(decision).where(decision.c.tenant == tenant, decision.c.id == id)
        rows = await self._transactions.read(tenant, lambda c: _read(c, tenant, one))
        return rows[0] if rows else None

    async def query(
        self,
        tenant: str,
        wanted: Wanted = EVERYTHING,
        *,
        after: Cursor | None = None,
        limit: int = PAGE,
    ) -> Page:
        asked = page_of(tenant, wanted, after, limit + 1)
        found = await self._transactions.read(tenant, lambda c: _read(c, tenant, asked))
        if len(found) <= limit:
            return Page(tuple(found), None)
        last = found[limit - 1].decision
        return Page(tuple(found[:limit]), Cursor(last.at, last.id))

    async def erase(self, tenant: str, subject: str) -> int:
        theirs = (decision.c.tenant == tenant) & (decision.c.subject == subject)
        nowhere = {"thread_id": None, "run_id": None, "message_id": None}
        gone = update(decision).where(theirs).values(subject=self._pseudonym(), **nowhere)
        return await self._transactions.write(tenant, lambda c: c.execute(gone).rowcount)

    async def sweep(
        self,
        tenant: str,
        kind: Kind,
        before: datetime,
        limit: int = 1000,
        keep: frozenset[str] = frozenset(),
    ) -> int:
        due = select(decision.c.tenant, decision.c.id).where(*_due(tenant, kind, before, keep))
        oldest = due.order_by(decision.c.at).limit(limit)

        def work(connection: Connection) -> int:
            keys: dict[str, list[str]] = {}
            for row in connection.execute(oldest):
                keys.setdefault(row.tenant, []).append(row.id)
            return sum(_delete(connection, whose, ids) for whose, ids in keys.items())

        return await self._transactions.write(tenant, work)

    async def due(
        self, tenant: str, kind: Kind, before: datetime, keep: frozenset[str] = frozenset()
    ) -> int:
        due = _due(tenant, kind, before, keep)
        counted = select(func.count()).select_from(decision).where(*due)
        return await self._transactions.read(tenant, lambda c: int(c.scalar(counted) or 0))


def _due(
    tenant: str, kind: Kind, before: datetime, keep: frozenset[str]
) -> list[ColumnElement[bool]]:
    c = decision.c
    free = or_(c.subject.is_(None), c.subject.not_in(sorted(keep)))
    due = [c.kind == kind.value, c.at < stamp(before), free]
    return due if tenant == EVERYBODY else [*due, c.tenant == tenant]


def page_of(
    tenant: str, wanted: Wanted, after: Cursor | None, limit: int
) -> Select[tuple[object, ...]]:
    """Newest first, by keys alone: a page costs the same wherever it lies."""
    c = decision.c
    kind = None if wanted.kind is None else wanted.kind.value
    same = ((c.kind, kind), (c.subject, wanted.subject), (c.thread_id, wanted.thread_id))
    meets = [column == value for column, value in same if value is not None]
    if wanted.since is not None:
        meets.append(c.at >= stamp(wanted.since))
    if wanted.until is not None:
        meets.append(c.at < stamp(wanted.until))
    if after is not None:
        meets.append(tuple_(c.at, c.id) < (stamp(after.at), after.id))
    newest = select(decision).where(c.tenant == tenant, *meets)
    return newest.order_by(c.at.desc(), c.id.desc()).limit(limit)


def _insert(connection: Connection, table: Table, rows: Sequence[dict[str, object]]) -> int:
    """How many were new."""
    if not rows:
        return 0
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    new = dialect.insert(table).on_conflict_do_nothing().returning(table.c.id)
    return len(connection.execute(new, rows).all())


def _delete(connection: Connection, tenant: str, ids: list[str]) -> int:
    updates, mine = decision_outcome.c, decision.c
    theirs = (updates.tenant == tenant) & updates.decision_id.in_(ids)
    connection.execute(delete(decision_outcome).where(theirs))
    gone = delete(decision).where(mine.tenant == tenant, mine.id.in_(ids))
    return connection.execute(gone).rowcount


def _there(connection: Connection, tenant: str, ids: set[str]) -> frozenset[str]:
    if not ids:
        return frozenset()
    mine = (decision.c.tenant == tenant, decision.c.id.in_(sorted(ids)))
    return frozenset(connection.execute(select(decision.c.id).where(*mine)).scalars())


def _read(connection: Connection, tenant: str, asked: Select[tuple[object, ...]]) -> list[Recorded]:
    decisions = [decision_of(row) for row in connection.execute(asked).mappings()]
    updates = _updates(connection, tenant, decisions)
    return [Recorded(d, in_order(updates.get(d.id, ()))) for d in decisions]


def _updates(
    connection: Connection, tenant: str, decisions: Sequence[Decision]
) -> dict[str, list[OutcomeUpdate]]:
    ids = [d.id for d in decisions]
    theirs = select(decision_outcome).where(
        decision_outcome.c.tenant == tenant, decision_outcome.c.decision_id.in_(ids)
    )
    found: dict[str, list[OutcomeUpdate]] = {}
    for row in connection.execute(theirs).mappings() if ids else ():
        found.setdefault(row["decision_id"], []).append(update_of(row))
    return found
