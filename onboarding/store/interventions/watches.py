"""Where detectors' watches are kept, with the fixes that were offered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

from sqlalchemy import Connection, Engine, Select, bindparam, delete, func, select, update

from guardrails.refs import stamp
from onboarding.interventions.detecting import Watch
from onboarding.interventions.fixes import Tried
from onboarding.interventions.settling import planned
from onboarding.interventions.types import Message
from onboarding.store.interventions.memory import MemoryDeliveries
from onboarding.store.interventions.rows import optional, whole_row
from onboarding.store.interventions.tables import fix, watch
from onboarding.store.interventions.transacting import OneWriter
from onboarding.store.interventions.writing import insert_new, inserting
from onboarding.types import Person

T = TypeVar("T")
About = tuple[str, str]
"""A detector, and what its friction was about."""


@dataclass(slots=True)
class Held:
    """One person's, for the time of a transaction; what is changed in it is written."""

    person: Person
    watch: Watch = field(default_factory=Watch)
    tried: dict[About, list[Tried]] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)  # to be planned with it


Work = Callable[[Mapping[str, Held]], T]
"""Changes what is held, by user."""


class WatchStore(Protocol):
    """Durable once a call returns. Raises StoreUnavailableError."""

    async def change(
        self, tenant: str, people: Sequence[Person], now: datetime, work: Work[T]
    ) -> T:
        """In one transaction, one writer a person at a time."""
        ...

    async def due(self, tenant: str, now: datetime, limit: int) -> tuple[Person, ...]:
        """Whose timers have ended."""
        ...

    async def age(self, tenant: str, before: datetime, keep: frozenset[str], limit: int) -> int:
        """Deletes the watches, and the fixes that go with them, that did not change since."""
        ...

    async def aged(self, tenant: str, before: datetime, keep: frozenset[str]) -> int: ...


class MemoryWatches:
    """The twin; what is kept is the text that would be stored."""

    def __init__(self, deliveries: MemoryDeliveries) -> None:
        self._deliveries = deliveries

    async def change(
        self, tenant: str, people: Sequence[Person], now: datetime, work: Work[T]
    ) -> T:
        held = {person.user: self._held(person) for person in people}
        result = work(held)
        for user, each in held.items():
            self._deliveries.watched[tenant, user] = (each.person, each.watch.dumped(), now)
            self._deliveries.tried[tenant, user] = each.tried
            await self._deliveries.plan(each.messages, now)
        return result

    def _held(self, person: Person) -> Held:
        own = (person.tenant, person.user)
        kept = self._deliveries.watched.get(own)
        text = kept[1] if kept else ""
        tried = {about: list(fixes) for about, fixes in self._deliveries.tried.get(own, {}).items()}
        return Held(person, Watch.loaded(text) if text else Watch(), tried)

    async def due(self, tenant: str, now: datetime, limit: int) -> tuple[Person, ...]:
        found = []
        for person, text, _ in self._deliveries.watched.values():
            first = Watch.loaded(text).next_due()
            if person.tenant == tenant and first is not None and first <= now:
                found.append((first, person.user, person))
        return tuple(person for *_, person in sorted(found, key=lambda f: f[:2])[:limit])

    async def age(self, tenant: str, before: datetime, keep: frozenset[str], limit: int) -> int:
        old = self._old(tenant, before, keep)[:limit]
        for own in old:
            del self._deliveries.watched[own]
            self._deliveries.tried.pop(own, None)
        return len(old)

    async def aged(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        return len(self._old(tenant, before, keep))

    def _old(self, tenant: str, before: datetime, keep: frozenset[str]) -> list[tuple[str, str]]:
        kept = self._deliveries.watched.items()
        old = [
            (changed, own)
            for own, (_, _, changed) in kept
            if own[0] == tenant and changed < before and own[1] not in keep
        ]
        return [own for _, own in sorted(old)]


class SqlWatches:
    """In the database of deliveries."""

    def __init__(self, engine: Engine) -> None:
        self._transactions = OneWriter(engine)

    async def change(
        self, tenant: str, people: Sequence[Person], now: datetime, work: Work[T]
    ) -> T:
        def transaction(connection: Connection) -> T:
            held = _read(connection, tenant, people, now)
            before = {user: _flat(each) for user, each in held.items()}
            result = work(held)
            _write(connection, tenant, held, before, now)
            return result

        return await self._transactions.write(tenant, transaction)

    async def due(self, tenant: str, now: datetime, limit: int) -> tuple[Person, ...]:
        wanted = (
            select(watch.c.subject, watch.c.account)
            .where(watch.c.tenant == tenant, watch.c.due <= stamp(now))
            .order_by(watch.c.due, watch.c.subject)
            .limit(limit)
        )
        rows = await self._transactions.read(tenant, lambda c: c.execute(wanted).all())
        return tuple(Person(tenant, subject, account) for subject, account in rows)

    async def age(self, tenant: str, before: datetime, keep: frozenset[str], limit: int) -> int:
        def work(connection: Connection) -> int:
            oldest = _old(tenant, before, keep).order_by(watch.c.changed_at).limit(limit)
            users = list(connection.scalars(oldest))
            for table in (fix, watch):
                own = (table.c.tenant == tenant) & table.c.subject.in_(users)
                connection.execute(delete(table).where(own))
            return len(users)

        return await self._transactions.write(tenant, work)

    async def aged(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        counted = select(func.count()).select_from(_old(tenant, before, keep).subquery())
        return await self._transactions.read(tenant, lambda c: int(c.scalar(counted) or 0))


def _old(tenant: str, before: datetime, keep: frozenset[str]) -> Select[tuple[str]]:
    return select(watch.c.subject).where(
        watch.c.tenant == tenant,
        watch.c.changed_at < stamp(before),
        watch.c.subject.not_in(sorted(keep)),
    )


def _read(
    connection: Connection, tenant: str, people: Sequence[Person], now: datetime
) -> dict[str, Held]:
    """Rows are made and locked in the order of their keys: nobody waits in a circle."""
    held = {p.user: Held(p) for p in sorted(people, key=lambda p: p.user)}
    new = [
        {
            "tenant": tenant,
            "subject": user,
            "account": each.person.account,
            "state": "",
            "changed_at": stamp(now),
        }
        for user, each in held.items()
    ]
    if new:
        connection.execute(inserting(connection, watch).on_conflict_do_nothing(), new)
    theirs = (watch.c.tenant == tenant) & watch.c.subject.in_(held)
    wanted = select(watch.c.subject, watch.c.state).where(theirs).order_by(watch.c.subject)
    for subject, state in connection.execute(wanted.with_for_update()).all():
        held[subject].watch = Watch.loaded(state) if state else Watch()
    own = (fix.c.tenant == tenant) & fix.c.subject.in_(held)
    for row in connection.execute(select(fix).where(own).order_by(fix.c.number)).all():
        tried = held[row.subject].tried.setdefault((row.detector, row.about), [])
        tried.append(Tried(row.fix, datetime.fromisoformat(row.at), row.worked))
    return held


Flat = dict[tuple[str, str, int], Tried]


def _flat(held: Held) -> Flat:
    return {
        (detector, about, number): each
        for (detector, about), fixes in held.tried.items()
        for number, each in enumerate(fixes, 1)
    }


def _write(
    connection: Connection,
    tenant: str,
    held: Mapping[str, Held],
    before: Mapping[str, Flat],
    now: datetime,
) -> None:
    _write_watches(connection, tenant, held, now)
    messages = [message for each in held.values() for message in each.messages]
    insert_new(connection, [whole_row(planned(message, now)) for message in messages])
    fixes = [
        _fix_row(tenant, user, key, tried, now)
        for user, each in held.items()
        for key, tried in _flat(each).items()
        if before[user].get(key) != tried
    ]
    if fixes:
        new = inserting(connection, fix)
        keys = [column.name for column in fix.primary_key]
        better = {"worked": new.excluded.worked, "ended_at": new.excluded.ended_at}
        connection.execute(new.on_conflict_do_update(index_elements=keys, set_=better), fixes)


def _write_watches(
    connection: Connection, tenant: str, held: Mapping[str, Held], now: datetime
) -> None:
    rows = [
        {
            "whose": user,
            "text": each.watch.dumped(),
            "first": optional(each.watch.next_due()),
            "account_of": each.person.account,
        }
        for user, each in held.items()
    ]
    changed = (
        update(watch)
        .where(watch.c.tenant == tenant, watch.c.subject == bindparam("whose"))
        .values(
            state=bindparam("text"),
            due=bindparam("first"),
            account=bindparam("account_of"),
            changed_at=stamp(now),
        )
    )
    if rows:
        connection.execute(changed, rows)


def _fix_row(
    tenant: str, user: str, key: tuple[str, str, int], tried: Tried, now: datetime
) -> dict[str, object]:
    detector, about, number = key
    return {
        "tenant": tenant,
        "subject": user,
        "detector": detector,
        "about": about,
        "number": number,
        "fix": tried.fix,
        "at": stamp(tried.at),
        "worked": tried.worked,
        "ended_at": None if tried.worked is None else stamp(now),
    }
