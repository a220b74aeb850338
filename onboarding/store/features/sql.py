"""States in SQL. The engine may be the log's; on SQLite a file of its own lets both write."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import orjson
from sqlalchemy import Connection, Engine, delete, func, select, update
from typing_extensions import override

from guardrails.revisions import migrate
from guardrails.store import Transactions
from guardrails.tenancy import within
from onboarding.events import Numbered
from onboarding.features.applying import Memory, grow, subjects_in, without_user
from onboarding.features.compiling import FeatureSet, States, micros
from onboarding.store.events.rows import moment_of
from onboarding.store.features.statements import Mark, StateRow, relaxed, statements_of
from onboarding.store.features.tables import feature_position, feature_state

T = TypeVar("T")
_UPGRADE_LOCK: Final = 0x66656174
CACHED: Final = 20_000
"""Subjects whose states this process holds; an active one takes about 3 KB. They are held as they
are written: as objects they would be a million that every full collection of garbage stops for."""


def upgrade(engine: Engine) -> None:
    """Bring the tables to the newest revision; nothing happens when they are there."""
    migrate(engine, "onboarding.store.features:migrations", _UPGRADE_LOCK)


class _Rebuilt(Transactions):
    """Of what the log can give again."""

    @override
    async def write(self, tenant: str, work: Callable[[Connection], T]) -> T:
        def call() -> T:
            with within(tenant), self._engine.connect() as connection, relaxed(connection):
                return work(connection)

        return await self._threaded(call, self._line)


class SqlFeatures:
    """A FeatureStore. States that this process wrote last are taken from memory, as long as the
    database says that nobody else wrote since."""

    def __init__(self, engine: Engine) -> None:
        self._transactions = Transactions(engine)
        self._statements = statements_of(engine)
        self._rebuilt = _Rebuilt(engine)
        self._cache: OrderedDict[tuple[str, str, str], StateRow] = OrderedDict()
        self._marks: dict[tuple[str, str], Mark] = {}

    async def apply(self, tenant: str, features: FeatureSet, read: Sequence[Numbered]) -> None:
        spec = features.spec

        def work(connection: Connection) -> Mark | None:
            mark = self._taken(connection, tenant, spec)
            new = [each for each in read if each.number > mark.position]
            if not new:
                return None
            self._check(tenant, spec, mark)
            held = self._held(connection, tenant, spec, subjects_in(new))
            grow(features, new, held.__getitem__)
            rows = [_row(subject, memory) for subject, memory in held.items()]
            day = _day(new[-1].event.received_at)
            self._statements.keep(connection, tenant, spec, rows, day)
            self._statements.move(connection, tenant, spec, new[-1].number)
            self._remember(tenant, spec, rows)
            return Mark(new[-1].number, mark.changes)

        try:
            mark = await self._rebuilt.write(tenant, work)
        except BaseException:  # what grew in memory was not written
            self._marks.pop((tenant, spec), None)
            raise
        if mark is not None:
            self._marks[tenant, spec] = mark

    async def position(self, tenant: str, spec: str) -> int:
        c = feature_position.c
        own = select(c.position).where(c.tenant == tenant, c.spec == spec)
        return await self._transactions.read(tenant, lambda db: int(db.execute(own).scalar() or 0))

    async def states(self, tenant: str, spec: str, subjects: Sequence[str]) -> list[States]:
        def work(connection: Connection) -> dict[str, Memory]:
            return self._read(connection, tenant, spec, subjects)

        found = await self._transactions.read(tenant, work)
        return [found[each].states if each in found else {} for each in subjects]

    async def drop(self, tenant: str, subjects: Sequence[str]) -> int:
        c = feature_state.c
        theirs = delete(feature_state).where(c.tenant == tenant, c.subject.in_(list(subjects)))

        def work(connection: Connection) -> int:
            _changed(connection, tenant)
            return connection.execute(theirs).rowcount

        return await self._transactions.write(tenant, work)

    async def count(self, tenant: str, subjects: Sequence[str]) -> int:
        c = feature_state.c
        theirs = (
            select(func.count())
            .select_from(feature_state)
            .where(c.tenant == tenant, c.subject.in_(list(subjects)))
        )
        return await self._transactions.read(
            tenant, lambda db: int(db.execute(theirs).scalar_one())
        )

    async def leave(self, tenant: str, user: str, accounts: Sequence[str]) -> None:
        c = feature_state.c
        names = [f"g:{each}" for each in accounts]
        theirs = select(c.spec, c.subject, c.state).where(c.tenant == tenant, c.subject.in_(names))

        def work(connection: Connection) -> None:
            _changed(connection, tenant)
            for spec, subject, state in connection.execute(theirs).all():
                states = orjson.loads(state)
                if without_user(states, user):
                    own = (c.tenant == tenant, c.spec == spec, c.subject == subject)
                    new = update(feature_state).where(*own).values(state=orjson.dumps(states))
                    connection.execute(new)

        if names:
            await self._transactions.write(tenant, work)

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = 500
    ) -> int:
        """Of subjects that nothing came of since; how many."""
        c = feature_state.c
        old = select(c.spec, c.subject).where(*_old(tenant, before, keep)).limit(limit)

        def work(connection: Connection) -> int:
            rows = connection.execute(old).all()
            for row in rows:
                own = (c.tenant == tenant, c.spec == row.spec, c.subject == row.subject)
                connection.execute(delete(feature_state).where(*own))
            if rows:
                _changed(connection, tenant)
            return len(rows)

        return await self._transactions.write(tenant, work)

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        old = select(func.count()).select_from(feature_state).where(*_old(tenant, before, keep))
        return await self._transactions.read(tenant, lambda db: int(db.execute(old).scalar_one()))

    def _taken(self, connection: Connection, tenant: str, spec: str) -> Mark:
        """Nobody else applies until the transaction ends."""
        mark = self._statements.mark(connection, tenant, spec)
        if mark is None:
            self._statements.start(connection, tenant, spec)
            mark = self._statements.mark(connection, tenant, spec)
        return mark or Mark(0, 0)

    def _check(self, tenant: str, spec: str, mark: Mark) -> None:
        """Forgets everything when somebody else wrote."""
        if self._marks.get((tenant, spec)) != mark:
            for key in [key for key in self._cache if key[:2] == (tenant, spec)]:
                del self._cache[key]

    def _held(
        self, connection: Connection, tenant: str, spec: str, subjects: Sequence[str]
    ) -> dict[str, Memory]:
        rows = {s: self._cache[key] for s in subjects if (key := (tenant, spec, s)) in self._cache}
        missing = [each for each in subjects if each not in rows]
        stored = self._read(connection, tenant, spec, missing)
        known = {subject: _memory(row) for subject, row in rows.items()} | stored
        return {each: known.get(each) or Memory() for each in subjects}

    def _read(
        self, connection: Connection, tenant: str, spec: str, subjects: Sequence[str]
    ) -> dict[str, Memory]:
        rows = self._statements.read(connection, tenant, spec, subjects) if subjects else ()
        return {row.subject: _memory(row) for row in rows}

    def _remember(self, tenant: str, spec: str, rows: Sequence[StateRow]) -> None:
        for row in rows:
            key = (tenant, spec, row.subject)
            self._cache[key] = row
            self._cache.move_to_end(key)
        while len(self._cache) > CACHED:
            self._cache.popitem(last=False)


def _row(subject: str, memory: Memory) -> StateRow:
    return StateRow(subject, orjson.dumps(memory.states), micros(memory.pruned))


def _memory(row: StateRow) -> Memory:
    return Memory(orjson.loads(row.state), moment_of(row.pruned_at))


def _day(at: datetime) -> int:
    """Will do for retention; a finer time would touch an index at every event."""
    return micros(at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0))


def _changed(connection: Connection, tenant: str) -> None:
    """No process goes on with what it holds in memory."""
    c = feature_position.c
    counted = update(feature_position).where(c.tenant == tenant).values(changes=c.changes + 1)
    connection.execute(counted)


def _old(tenant: str, before: datetime, keep: frozenset[str]) -> list[Any]:
    c = feature_state.c
    held = [f"u:{each}" for each in sorted(keep)]
    return [c.tenant == tenant, c.updated_at < micros(before), c.subject.not_in(held)]
