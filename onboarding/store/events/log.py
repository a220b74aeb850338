"""The log in SQL. Engines are opened by others, and `engine.upgrade` has made the tables."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from guardrails.store import Transactions
from onboarding.events import Addition, Appended, Membership, Numbered
from onboarding.events.keeping import Mac
from onboarding.events.log import READ, RECENT
from onboarding.store.events.appending import Appending, Written
from onboarding.store.events.dialects import statements_of
from onboarding.store.events.grouping import GroupCommit, Grouped
from onboarding.store.events.histories import read_history
from onboarding.store.events.reading import newer
from onboarding.store.events.rows import moment_of
from onboarding.store.events.tables import event_alias, event_member, event_reader, product_event
from onboarding.store.events.tail import Tail
from onboarding.types import History, Person

POLL_S: Final = 0.05
"""How often a reader looks for what another process appended; what this one did it is told."""


class SqlEventLog:
    """An EventLog. `mac` tells whether somebody was erased."""

    def __init__(self, engine: Engine, mac: Mac, pace: Grouped | None = None) -> None:
        self._engine = engine
        self._transactions = Transactions(engine)
        self._appending = Appending(statements_of(engine), mac)
        self._commits = GroupCommit(self._write, pace or Grouped())
        self._tail = Tail()
        self._grown: set[asyncio.Event] = set()

    async def append(self, tenant: str, additions: Sequence[Addition]) -> tuple[Appended, ...]:
        return await self._commits.append(tenant, additions) if additions else ()

    async def read(
        self,
        tenant: str,
        group: str,
        after: int | None = None,
        limit: int = READ,
        *,
        as_sent: bool = False,
    ) -> tuple[Numbered, ...]:
        held = () if after is None else self._tail.after(tenant, after, limit)
        if held and (as_sent or all(event.anonymous is None or event.user for _, event in held)):
            return held

        def work(connection: Connection) -> tuple[Numbered, ...]:
            start = _position(connection, tenant, group) if after is None else after
            return newer(connection, tenant, start, limit, as_sent=as_sent)

        return await self._transactions.read(tenant, work)

    async def ack(self, tenant: str, group: str, number: int) -> None:
        def work(connection: Connection) -> None:
            acked(connection, tenant, group, number)

        await self._transactions.write(tenant, work)

    async def position(self, tenant: str, group: str) -> int:
        return await self._transactions.read(tenant, lambda c: _position(c, tenant, group))

    async def changed(self, tenant: str, after: int, within_s: float) -> bool:
        grown = asyncio.Event()
        self._grown.add(grown)
        ends = asyncio.get_running_loop().time() + within_s
        is_newest = self._tail.last(tenant) == after  # then others are asked after a while
        try:
            while not self._tail.after(tenant, after, 1):
                left = ends - asyncio.get_running_loop().time()
                if not (is_newest and left > 0):
                    if await self._has_after(tenant, after):
                        break
                    if left <= 0:
                        return False
                is_newest = False
                await _woken(grown, min(left, POLL_S))
        finally:
            self._grown.discard(grown)
        return True

    async def history(self, person: Person, now: datetime, recent: int = RECENT) -> History:
        def work(connection: Connection) -> History:
            return read_history(connection, person, now, recent)

        return await self._transactions.read(person.tenant, work)

    async def aliases(self, tenant: str, user: str) -> tuple[str, ...]:
        c = event_alias.c
        own = select(c.anonymous).where(c.tenant == tenant, c.user == user).order_by(c.anonymous)
        found = await self._transactions.read(tenant, lambda db: db.execute(own).scalars().all())
        return tuple(found)

    async def accounts(self, tenant: str, user: str) -> tuple[Membership, ...]:
        c = event_member.c
        own = select(event_member).where(c.tenant == tenant, c.user == user)
        ordered = own.order_by(c.primary.desc(), c.account)
        rows = await self._transactions.read(tenant, lambda db: db.execute(ordered).all())
        return tuple(Membership(r.user, r.account, moment_of(r.at), r.primary) for r in rows)

    async def unmerge(self, tenant: str, anonymous: str) -> bool:
        c = event_alias.c
        gone = delete(event_alias).where(c.tenant == tenant, c.anonymous == anonymous)
        return await self._transactions.write(tenant, lambda db: db.execute(gone).rowcount > 0)

    def forget(self, tenant: str, user: str) -> None:
        """What this process remembers of an erased person."""
        self._appending.forget(tenant, user)
        self._tail.forget(tenant)

    async def _write(self, tenant: str, additions: Sequence[Addition]) -> tuple[Appended, ...]:
        def work(connection: Connection) -> Written:
            return self._appending(connection, tenant, additions)

        written = await self._transactions.write(tenant, work)
        self._tail.add(tenant, written.stored)
        for grown in self._grown:
            grown.set()
        return written.answers

    async def _has_after(self, tenant: str, after: int) -> bool:
        c = product_event.c
        there = select(c.number).where(c.tenant == tenant, c.number > after).limit(1)
        found = await self._transactions.read(tenant, lambda db: db.execute(there).first())
        return found is not None


def acked(connection: Connection, tenant: str, group: str, number: int) -> None:
    """In a transaction of whoever is done with what it read. It only moves on."""
    on_postgres = connection.dialect.name == "postgresql"
    insert: Any = (postgresql if on_postgres else sqlite).insert
    new = insert(event_reader).values(tenant=tenant, name=group, position=number)
    larger = func.greatest if on_postgres else func.max
    later = larger(event_reader.c.position, new.excluded.position)
    connection.execute(
        new.on_conflict_do_update(index_elements=["tenant", "name"], set_={"position": later})
    )


def _position(connection: Connection, tenant: str, group: str) -> int:
    c = event_reader.c
    own = select(c.position).where(c.tenant == tenant, c.name == group)
    return int(connection.execute(own).scalar() or 0)


async def _woken(grown: asyncio.Event, within_s: float) -> None:
    try:
        async with asyncio.timeout(within_s):
            await grown.wait()
    except TimeoutError:
        return
    grown.clear()
