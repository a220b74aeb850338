"""Next steps in SQL: SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    Engine,
    Select,
    Table,
    delete,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from guardrails.refs import stamp
from guardrails.revisions import migrate
from guardrails.store import Transactions
from onboarding.ranking import Mute, mute_of
from onboarding.store.ranking.rows import (
    decision_row,
    loaded,
    mute_from,
    mute_row,
    outcome_of,
    outcome_row,
)
from onboarding.store.ranking.store import BLOCK
from onboarding.store.ranking.tables import next_step_decision, next_step_mute, next_step_outcome
from onboarding.types import Decision, Outcome

_UPGRADE_LOCK = 0x6E787374  # one process at a time makes the tables; any number serves
_AGING = (next_step_decision, next_step_outcome)
_ALL = (*_AGING, next_step_mute)


def upgrade(engine: Engine) -> None:
    """Bring the tables to the newest revision; nothing happens when they are there."""
    migrate(engine, "onboarding.store.ranking:migrations", _UPGRADE_LOCK)


class SqlNextSteps:
    """Over an engine whose tables `upgrade` has made."""

    def __init__(self, engine: Engine) -> None:
        self._transactions = Transactions(engine)

    async def add(self, decision: Decision) -> None:
        row = decision_row(decision)
        await self._transactions.write(
            decision.person.tenant, lambda c: _insert(c, next_step_decision, row)
        )

    async def decision(self, tenant: str, decision_id: str) -> Decision | None:
        table = next_step_decision.c
        found = await self._decisions(
            tenant, select(table.body).where(table.tenant == tenant, table.id == decision_id)
        )
        return found[0] if found else None

    async def latest(self, tenant: str, subject: str) -> Decision | None:
        table = next_step_decision.c
        newest = select(table.body).where(_own(next_step_decision, tenant, subject))
        newest = newest.order_by(table.at.desc(), table.id.desc()).limit(1)
        found = await self._decisions(tenant, newest)
        return found[0] if found else None

    async def decisions(
        self, tenant: str, since: datetime, until: datetime
    ) -> tuple[Decision, ...]:
        table = next_step_decision.c
        wanted = select(table.body).where(_between(next_step_decision, tenant, since, until))
        return await self._decisions(tenant, wanted.order_by(table.at, table.id))

    async def decisions_of(self, tenant: str, subject: str) -> tuple[Decision, ...]:
        table = next_step_decision.c
        wanted = select(table.body).where(_own(next_step_decision, tenant, subject))
        return await self._decisions(tenant, wanted.order_by(table.at, table.id))

    async def note(self, outcome: Outcome) -> bool:
        mute = mute_of(outcome)

        def work(connection: Connection) -> bool:
            new = _insert(connection, next_step_outcome, outcome_row(outcome)) > 0
            if new and mute is not None:
                _put_mute(connection, mute)
            return new

        return await self._transactions.write(outcome.person.tenant, work)

    async def outcomes(self, tenant: str, since: datetime, until: datetime) -> tuple[Outcome, ...]:
        wanted = select(next_step_outcome).where(_between(next_step_outcome, tenant, since, until))
        return await self._outcomes(tenant, wanted)

    async def outcomes_of(self, tenant: str, subject: str) -> tuple[Outcome, ...]:
        wanted = select(next_step_outcome).where(_own(next_step_outcome, tenant, subject))
        return await self._outcomes(tenant, wanted)

    async def mutes(self, tenant: str, subject: str) -> tuple[Mute, ...]:
        own = select(next_step_mute).where(_own(next_step_mute, tenant, subject))
        wanted = own.order_by(next_step_mute.c.action)
        rows = await self._transactions.read(tenant, lambda c: c.execute(wanted).mappings().all())
        return tuple(mute_from(row) for row in rows)

    async def undo(self, tenant: str, subject: str, action: str) -> bool:
        own = _own(next_step_mute, tenant, subject) & (next_step_mute.c.action == action)
        gone = delete(next_step_mute).where(own)
        return await self._transactions.write(tenant, lambda c: _gone(c.execute(gone)) > 0)

    async def erase(self, tenant: str, subject: str) -> int:
        def work(connection: Connection) -> int:
            return sum(
                _gone(connection.execute(delete(table).where(_own(table, tenant, subject))))
                for table in _ALL
            )

        return await self._transactions.write(tenant, work)

    async def count(self, tenant: str, subject: str) -> int:
        return await self._counted(tenant, {table: _own(table, tenant, subject) for table in _ALL})

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = BLOCK
    ) -> int:
        def work(connection: Connection) -> int:
            gone = 0
            for table in _AGING:
                gone += _swept(connection, table, _old(table, tenant, before, keep), limit - gone)
            return gone

        return await self._transactions.write(tenant, work)

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        wanted = {table: _old(table, tenant, before, keep) for table in _AGING}
        return await self._counted(tenant, wanted)

    async def _decisions(self, tenant: str, wanted: Select[Any]) -> tuple[Decision, ...]:
        rows = await self._transactions.read(tenant, lambda c: c.execute(wanted).scalars().all())
        return tuple(loaded(body) for body in rows)

    async def _outcomes(self, tenant: str, wanted: Select[Any]) -> tuple[Outcome, ...]:
        c = next_step_outcome.c
        ordered = wanted.order_by(c.at, c.subject, c.decision, c.action, c.kind)
        rows = await self._transactions.read(tenant, lambda x: x.execute(ordered).mappings().all())
        return tuple(outcome_of(row) for row in rows)

    async def _counted(self, tenant: str, wanted: Mapping[Table, ColumnElement[bool]]) -> int:
        def work(connection: Connection) -> int:
            return sum(
                connection.execute(select(func.count()).select_from(table).where(of)).scalar_one()
                for table, of in wanted.items()
            )

        return await self._transactions.read(tenant, work)


def _insert(connection: Connection, table: Table, row: Mapping[str, object]) -> int:
    """How many are new; what is there stays as it is."""
    made = postgresql if connection.dialect.name == "postgresql" else sqlite
    told = made.insert(table).values(**row).on_conflict_do_nothing()
    return len(connection.execute(told.returning(table.c.tenant)).all())


def _put_mute(connection: Connection, mute: Mute) -> None:
    """The last word counts, but a snooze does not end a never."""
    row = mute_row(mute)
    made = postgresql if connection.dialect.name == "postgresql" else sqlite
    told = made.insert(next_step_mute).values(**row)
    keys = ("tenant", "subject", "action")
    changed = {name: value for name, value in row.items() if name not in keys}
    open_to_change = (next_step_mute.c.kind != "never") | (told.excluded.kind == "never")
    connection.execute(
        told.on_conflict_do_update(index_elements=keys, set_=changed, where=open_to_change)
    )


def _swept(connection: Connection, table: Table, old: ColumnElement[bool], limit: int) -> int:
    keys = list(table.primary_key)
    oldest = select(*keys).where(old).order_by(table.c.at).limit(max(limit, 0))
    rows = connection.execute(oldest).mappings().all()
    return sum(
        _gone(connection.execute(delete(table).where(*(key == row[key.name] for key in keys))))
        for row in rows
    )


def _own(table: Table, tenant: str, subject: str) -> ColumnElement[bool]:
    return (table.c.tenant == tenant) & (table.c.subject == subject)


def _between(table: Table, tenant: str, since: datetime, until: datetime) -> ColumnElement[bool]:
    return (table.c.tenant == tenant) & (table.c.at >= stamp(since)) & (table.c.at < stamp(until))


def _old(table: Table, tenant: str, before: datetime, keep: frozenset[str]) -> ColumnElement[bool]:
    aged = (table.c.tenant == tenant) & (table.c.at < stamp(before))
    return aged & table.c.subject.not_in(sorted(keep)) if keep else aged


def _gone(result: CursorResult[Any]) -> int:
    return int(result.rowcount)
