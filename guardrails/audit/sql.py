"""The audit log in SQL: SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    RowMapping,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    update,
)

from guardrails.audit.log import BLOCK, PAGE, nameless
from guardrails.audit.tables import audit, audit_sweep
from guardrails.audit.types import EVERYTHING, Entry, Note, Wanted, What
from guardrails.refs import stamp
from guardrails.revisions import migrate
from guardrails.store import Transactions

_UPGRADE_LOCK = 0x61756469  # one process at a time makes the tables; any number serves


def upgrade(engine: Engine) -> None:
    """Bring the tables to the newest revision; nothing happens when they are there."""
    migrate(engine, "guardrails.audit:migrations", _UPGRADE_LOCK)


class SqlAudit:
    """Over an engine whose tables `upgrade` has made."""

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], datetime],
        pseudonym: Callable[[], str] = nameless,
    ) -> None:
        self._transactions = Transactions(engine)
        self._clock = clock
        self._pseudonym = pseudonym

    async def write(self, note: Note) -> Entry:
        def work(connection: Connection) -> Entry:
            _take(connection, note.tenant)
            entry = Entry(_last(connection, note.tenant) + 1, self._clock(), note)
            connection.execute(insert(audit).values(**_row(entry)))
            return entry

        return await self._transactions.write(note.tenant, work)

    async def page(
        self,
        tenant: str,
        wanted: Wanted = EVERYTHING,
        *,
        before: int | None = None,
        limit: int = PAGE,
    ) -> tuple[Entry, ...]:
        newest = select(audit).where(audit.c.tenant == tenant, *_meets(wanted))
        if before is not None:
            newest = newest.where(audit.c.seq < before)
        newest = newest.order_by(audit.c.seq.desc()).limit(limit)
        rows = await self._transactions.read(tenant, lambda c: c.execute(newest).mappings().all())
        return tuple(_entry(row) for row in rows)

    async def erase(self, tenant: str, subject: str) -> int:
        name = self._pseudonym()
        who = case((_approved(subject), name), else_=audit.c.who)
        whom = case((audit.c.whom == subject, name), else_=audit.c.whom)
        gone = update(audit).where(*_naming(tenant, subject)).values(who=who, whom=whom)
        return await self._transactions.write(tenant, lambda c: c.execute(gone).rowcount)

    async def naming(self, tenant: str, subject: str) -> int:
        counted = select(func.count()).select_from(audit).where(*_naming(tenant, subject))
        return await self._transactions.read(tenant, lambda c: int(c.scalar(counted) or 0))

    async def sweep(
        self, tenant: str, before: datetime, limit: int = BLOCK, keep: frozenset[str] = frozenset()
    ) -> int:
        oldest = select(audit.c.seq).where(*_due(tenant, before, keep)).order_by(audit.c.seq)

        def work(connection: Connection) -> int:
            _take(connection, tenant)
            doomed = list(connection.execute(oldest.limit(limit)).scalars())
            if doomed:
                _state(connection, tenant, self._clock(), doomed)
                gone = delete(audit).where(audit.c.tenant == tenant, audit.c.seq.in_(doomed))
                connection.execute(gone)
            return len(doomed)

        return await self._transactions.write(tenant, work)

    async def due(self, tenant: str, before: datetime, keep: frozenset[str] = frozenset()) -> int:
        counted = select(func.count()).select_from(audit).where(*_due(tenant, before, keep))
        return await self._transactions.read(tenant, lambda c: int(c.scalar(counted) or 0))


def _take(connection: Connection, tenant: str) -> None:
    """Until the transaction ends nobody else numbers rows of this tenant. SQLite has one writer
    anyway."""
    if connection.dialect.name == "postgresql":
        taken = text("SELECT pg_advisory_xact_lock(hashtextextended(:log, 0))")
        connection.execute(taken, {"log": f"audit:{tenant}"})


def _last(connection: Connection, tenant: str) -> int:
    """A number is given once, also when its row went by age."""
    newest = select(func.max(audit.c.seq)).where(audit.c.tenant == tenant)
    gone = select(func.max(audit_sweep.c.through)).where(audit_sweep.c.tenant == tenant)
    return max(connection.scalar(newest) or 0, connection.scalar(gone) or 0)


def _state(connection: Connection, tenant: str, now: datetime, doomed: list[int]) -> None:
    """What permits the rows to go, and stays in their place."""
    number = select(func.coalesce(func.max(audit_sweep.c.number), 0) + 1).where(
        audit_sweep.c.tenant == tenant
    )
    said = {"at": stamp(now), "through": max(doomed), "entries": len(doomed)}
    sweep = insert(audit_sweep).values(tenant=tenant, number=number.scalar_subquery(), **said)
    connection.execute(sweep)


def _approved(subject: str) -> ColumnElement[bool]:
    return (audit.c.who == subject) & (audit.c.what == What.APPROVAL.value)


def _naming(tenant: str, subject: str) -> tuple[ColumnElement[bool], ...]:
    return audit.c.tenant == tenant, or_(audit.c.whom == subject, _approved(subject))


def _meets(wanted: Wanted) -> list[ColumnElement[bool]]:
    c = audit.c
    what = None if wanted.what is None else wanted.what.value
    same = ((c.who, wanted.who), (c.what, what), (c.whom, wanted.whom))
    meets = [column == value for column, value in same if value is not None]
    if wanted.since is not None:
        meets.append(c.at >= stamp(wanted.since))
    if wanted.until is not None:
        meets.append(c.at < stamp(wanted.until))
    return meets


def _due(tenant: str, before: datetime, keep: frozenset[str]) -> tuple[ColumnElement[bool], ...]:
    free = or_(audit.c.whom.is_(None), audit.c.whom.not_in(sorted(keep)))
    return audit.c.tenant == tenant, audit.c.at < stamp(before), free


def _row(entry: Entry) -> dict[str, object]:
    note = entry.note
    return {
        "tenant": note.tenant,
        "seq": entry.seq,
        "at": stamp(entry.at),
        "who": note.who,
        "what": note.what.value,
        "whom": note.whom,
        "route": note.route,
        "request_id": note.request_id,
    }


def _entry(row: RowMapping) -> Entry:
    note = Note(
        tenant=row["tenant"],
        who=row["who"],
        what=What(row["what"]),
        whom=row["whom"],
        route=row["route"],
        request_id=row["request_id"],
    )
    return Entry(row["seq"], datetime.fromisoformat(row["at"]), note)
