"""Facts, questions and self-models in SQL: SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, delete, func, select, union, update
from sqlalchemy.dialects import postgresql, sqlite

from guardrails.consent import Purpose
from guardrails.refs import stamp
from guardrails.revisions import migrate
from guardrails.store import Transactions
from onboarding.profile.keeping import BLOCK, StoredModel
from onboarding.profile.questions import Asked, Reply
from onboarding.store.profile.rows import (
    asked_of,
    asked_row,
    fact_of,
    fact_row,
    model_of,
    model_row,
)
from onboarding.store.profile.tables import profile_asked, profile_fact, profile_self
from onboarding.types import Fact, Source

_UPGRADE_LOCK = 0x70726F66  # one process at a time makes the tables; any number serves
KEY = ["tenant", "subject"]
OWN = (profile_fact, profile_asked, profile_self)


def upgrade(engine: Engine) -> None:
    """Bring the tables to the newest revision; nothing happens when they are there."""
    migrate(engine, "onboarding.store.profile:migrations", _UPGRADE_LOCK)


def added(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> int:
    """How many were not there; those that were stay as they are."""
    if not rows:
        return 0
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    put = dialect.insert(table).on_conflict_do_nothing()
    counted = connection.execution_options(preserve_rowcount=True)
    return counted.execute(put, list(rows)).rowcount


class SqlProfiles:
    """Over an engine whose tables `upgrade` has made."""

    def __init__(self, engine: Engine) -> None:
        self._transactions = Transactions(engine)

    async def add(self, tenant: str, facts: Sequence[Fact]) -> int:
        rows = [fact_row(tenant, fact) for fact in facts]
        return await self._transactions.write(tenant, lambda c: added(c, profile_fact, rows))

    async def facts(self, tenant: str, subject: str) -> tuple[Fact, ...]:
        wanted = (
            select(profile_fact)
            .where(_own(profile_fact, tenant, subject))
            .order_by(profile_fact.c.valid_from, profile_fact.c.id)
        )
        rows = await self._transactions.read(tenant, lambda c: c.execute(wanted).mappings().all())
        return tuple(fact_of(row) for row in rows)

    async def remove(
        self, tenant: str, subject: str, names: Sequence[str], source: Source | None = None
    ) -> int:
        named: ColumnElement[bool] = profile_fact.c.name.in_(list(names))
        if source is not None:
            named &= profile_fact.c.source == source.value
        gone = delete(profile_fact).where(_own(profile_fact, tenant, subject), named)
        return await self._transactions.write(tenant, lambda c: c.execute(gone).rowcount)

    async def withdraw(self, tenant: str, subject: str, purpose: Purpose) -> int:
        serves = (profile_fact.c.purpose == purpose.value) & ~profile_fact.c.name.startswith("~")
        own = [delete(profile_fact).where(_own(profile_fact, tenant, subject), serves)]
        if purpose is Purpose.PRODUCT_ANALYTICS:
            rest = (profile_asked, profile_self)
            own += [delete(table).where(_own(table, tenant, subject)) for table in rest]
        return await self._transactions.write(
            tenant, lambda c: sum(c.execute(each).rowcount for each in own)
        )

    async def subjects(self, tenant: str, after: str = "", limit: int = BLOCK) -> tuple[str, ...]:
        each = [select(t.c.subject).where(t.c.tenant == tenant, t.c.subject > after) for t in OWN]
        every = union(*each).subquery()
        wanted = select(every.c.subject).order_by(every.c.subject).limit(limit)
        rows = await self._transactions.read(tenant, lambda c: c.execute(wanted).scalars().all())
        return tuple(rows)

    async def ask(self, tenant: str, subject: str, asked: Asked) -> bool:
        row = asked_row(tenant, subject, asked)
        return bool(
            await self._transactions.write(tenant, lambda c: added(c, profile_asked, [row]))
        )

    async def reply(
        self, tenant: str, subject: str, session: str, question: str, reply: Reply
    ) -> bool:
        changed = (
            update(profile_asked)
            .where(
                _own(profile_asked, tenant, subject),
                profile_asked.c.session == session,
                profile_asked.c.question == question,
                profile_asked.c.reply == Reply.OPEN.value,
            )
            .values(reply=reply.value)
        )
        return await self._transactions.write(tenant, lambda c: c.execute(changed).rowcount > 0)

    async def asked(self, tenant: str, subject: str) -> tuple[Asked, ...]:
        wanted = (
            select(profile_asked)
            .where(_own(profile_asked, tenant, subject))
            .order_by(profile_asked.c.at, profile_asked.c.question)
        )
        rows = await self._transactions.read(tenant, lambda c: c.execute(wanted).mappings().all())
        return tuple(asked_of(row) for row in rows)

    async def keep_model(self, tenant: str, subject: str, stored: StoredModel) -> None:
        row = model_row(tenant, subject, stored)

        def work(connection: Connection) -> None:
            dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
            put = dialect.insert(profile_self).values(row)
            newer = {"at": put.excluded.at, "model": put.excluded.model}
            connection.execute(put.on_conflict_do_update(index_elements=KEY, set_=newer))

        await self._transactions.write(tenant, work)

    async def model(self, tenant: str, subject: str) -> StoredModel | None:
        wanted = select(profile_self).where(_own(profile_self, tenant, subject))
        row = await self._transactions.read(tenant, lambda c: c.execute(wanted).mappings().first())
        return None if row is None else model_of(row)

    async def erase(self, tenant: str, subject: str) -> int:
        gone = [delete(table).where(_own(table, tenant, subject)) for table in OWN]
        return await self._transactions.write(
            tenant, lambda c: sum(c.execute(each).rowcount for each in gone)
        )

    async def count(self, tenant: str, subject: str) -> int:
        counted = [select(func.count()).select_from(t).where(_own(t, tenant, subject)) for t in OWN]
        return await self._transactions.read(
            tenant, lambda c: sum(c.scalar(each) or 0 for each in counted)
        )

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = BLOCK
    ) -> int:
        def work(connection: Connection) -> int:
            gone = 0
            for table, old in _old(tenant, before, keep):
                keys = [column for column in table.primary_key.columns if column.name != "tenant"]
                due = select(*keys).where(old).order_by(*keys).limit(limit - gone)
                for key in connection.execute(due).all() if gone < limit else ():
                    this = [column == value for column, value in zip(keys, key, strict=True)]
                    mine = delete(table).where(table.c.tenant == tenant, *this)
                    gone += connection.execute(mine).rowcount
            return gone

        return await self._transactions.write(tenant, work)

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        counted = [
            select(func.count()).select_from(table).where(old)
            for table, old in _old(tenant, before, keep)
        ]
        return await self._transactions.read(
            tenant, lambda c: sum(c.scalar(each) or 0 for each in counted)
        )


def _own(table: Table, tenant: str, subject: str) -> ColumnElement[bool]:
    return (table.c.tenant == tenant) & (table.c.subject == subject)


def _old(
    tenant: str, before: datetime, keep: frozenset[str]
) -> tuple[tuple[Table, ColumnElement[bool]], ...]:
    """Inferred facts, self-models and questions; a question that was answered shows in its fact."""
    times = (
        (profile_fact, profile_fact.c.valid_from),
        (profile_asked, profile_asked.c.at),
        (profile_self, profile_self.c.at),
    )
    found = []
    for table, at in times:
        old = (table.c.tenant == tenant) & (at < stamp(before)) & table.c.subject.not_in(list(keep))
        if table is profile_fact:
            old &= table.c.source == Source.INFERRED.value
        found.append((table, old))
    return tuple(found)
