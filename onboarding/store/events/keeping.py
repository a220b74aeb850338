"""The end of what the log keeps: when a person is forgotten, and when its time is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, func, select, text
from sqlalchemy.dialects import postgresql, sqlite

from guardrails.store import Transactions
from guardrails.tenancy import EVERYBODY
from onboarding.events import Numbered
from onboarding.events.keeping import Due, Mac
from onboarding.store.events.partitions import drop_partitions
from onboarding.store.events.reading import OF_USER, found
from onboarding.store.events.rows import micros
from onboarding.store.events.tables import (
    event_alias,
    event_member,
    event_message,
    event_quarantine,
    event_tombstone,
)

WINDOW: Final = timedelta(days=7)
"""For so long at least the second copy of a message is known as one."""


class SqlEventKeeping:
    """An EventKeeping."""

    def __init__(self, engine: Engine, mac: Mac) -> None:
        self._engine = engine
        self._transactions = Transactions(engine)
        self._mac = mac
        self._insert: Any = (sqlite if engine.dialect.name == "sqlite" else postgresql).insert

    async def kept(
        self, tenant: str, user: str, after: int = 0, limit: int = 500
    ) -> tuple[Numbered, ...]:
        given = {"tenant": tenant, "user": user, "after": after}
        where = f"{OF_USER} AND e.number > :after"
        return await self._transactions.read(tenant, lambda c: found(c, where, given, limit))

    async def forget(self, tenant: str, user: str, now: datetime) -> int:
        def work(connection: Connection) -> int:
            names = _names(connection, tenant, user)
            gone = connection.execute(_events("DELETE"), {"tenant": tenant, "user": user}).rowcount
            for own in _others(tenant, user, names):
                gone += connection.execute(delete(own[0]).where(*own[1])).rowcount
            for name in names:
                self._bury(connection, tenant, self._mac(tenant, name), now)
            return int(gone)

        return await self._transactions.write(tenant, work)

    async def residue(self, tenant: str, user: str) -> int:
        def work(connection: Connection) -> int:
            names = _names(connection, tenant, user)
            given = {"tenant": tenant, "user": user}
            left = int(connection.execute(_events("SELECT count(*)"), given).scalar_one())
            for table, own in _others(tenant, user, names):
                counted = select(func.count()).select_from(table).where(*own)
                left += int(connection.execute(counted).scalar_one())
            return left

        return await self._transactions.read(tenant, work)

    async def sweep(self, tenant: str, due: Due, limit: int) -> int:
        """Whole months at once where nothing in them has to stay."""
        gone = 0
        if self._engine.dialect.name == "postgresql" and not due.keep:
            gone = await self._transactions.write(
                EVERYBODY, lambda c: drop_partitions(c, tenant, due.before)
            )
        where, given = _due(tenant, due)
        numbers = f"SELECT e.number FROM product_event e WHERE {where} LIMIT :limit"
        swept = text(f"DELETE FROM product_event WHERE number IN ({numbers})")
        given["limit"] = limit
        gone += await self._transactions.write(tenant, lambda c: c.execute(swept, given).rowcount)
        return gone

    async def due(self, tenant: str, due: Due) -> int:
        where, given = _due(tenant, due)
        counted = text(f"SELECT count(*) FROM product_event e WHERE {where}")
        return await self._transactions.read(
            tenant, lambda c: int(c.execute(counted, given).scalar_one())
        )

    async def sweep_quarantine(
        self, tenant: str, before: datetime, keep: Sequence[str], limit: int
    ) -> int:
        c = event_quarantine.c
        old = select(c.message_id).where(*_old(tenant, before, keep)).limit(limit)
        gone = delete(event_quarantine).where(c.tenant == tenant, c.message_id.in_(old))
        return await self._transactions.write(tenant, lambda db: db.execute(gone).rowcount)

    async def due_quarantine(self, tenant: str, before: datetime, keep: Sequence[str]) -> int:
        counted = (
            select(func.count()).select_from(event_quarantine).where(*_old(tenant, before, keep))
        )
        return await self._transactions.read(
            tenant, lambda db: int(db.execute(counted).scalar_one())
        )

    async def sweep_messages(self, tenant: str, now: datetime) -> int:
        """Ids that are out of the window of duplicates."""
        c = event_message.c
        gone = delete(event_message).where(c.tenant == tenant, c.received_at < micros(now - WINDOW))
        return await self._transactions.write(tenant, lambda db: db.execute(gone).rowcount)

    def _bury(self, connection: Connection, tenant: str, mac: str, now: datetime) -> None:
        new = self._insert(event_tombstone).values(tenant=tenant, subject_mac=mac, at=micros(now))
        connection.execute(
            new.on_conflict_do_update(
                index_elements=["tenant", "subject_mac"], set_={"at": new.excluded.at}
            )
        )


def _events(verb: str) -> Any:
    """DELETE or a count of the events of a user."""
    own = (
        'tenant = :tenant AND ("user" = :user OR "user" IS NULL AND anonymous IN'
        ' (SELECT anonymous FROM event_alias WHERE tenant = :tenant AND "user" = :user))'
    )
    return text(f"{verb} FROM product_event WHERE {own}")


def _names(connection: Connection, tenant: str, user: str) -> list[str]:
    """Under which the person may have sent: as the user, and as the visitor before."""
    c = event_alias.c
    own = select(c.anonymous).where(c.tenant == tenant, c.user == user)
    return [user, *(f"~{each}" for each in connection.execute(own).scalars())]


def _others(tenant: str, user: str, names: Sequence[str]) -> list[tuple[Any, list[Any]]]:
    q, a, m = event_quarantine.c, event_alias.c, event_member.c
    return [
        (event_quarantine, [q.tenant == tenant, q.subject.in_(names)]),
        (event_alias, [a.tenant == tenant, a.user == user]),
        (event_member, [m.tenant == tenant, m.user == user]),
    ]


def _old(tenant: str, before: datetime, keep: Sequence[str]) -> list[Any]:
    c = event_quarantine.c
    return [c.tenant == tenant, c.received_at < micros(before), c.subject.not_in(list(keep))]


def _due(tenant: str, due: Due) -> tuple[str, dict[str, Any]]:
    """Where, and what fills it."""
    given: dict[str, Any] = {"tenant": tenant, "before": micros(due.before)}
    parts = ["e.received_at < :before"]
    for place, (name, at) in enumerate(sorted(due.sooner.items())):
        given |= {f"name{place}": name, f"at{place}": micros(at)}
        parts.append(f"e.name = :name{place} AND e.received_at < :at{place}")
    where = f"e.tenant = :tenant AND ({' OR '.join(parts)})"
    for place, user in enumerate(sorted(due.keep)):
        given[f"keep{place}"] = user
        held = f":keep{place}"
        theirs = f'SELECT anonymous FROM event_alias WHERE tenant = :tenant AND "user" = {held}'
        where += f" AND coalesce(e.\"user\", '') <> {held}"
        where += f" AND NOT (e.\"user\" IS NULL AND coalesce(e.anonymous, '') IN ({theirs}))"
    return where, given
