"""Who went silent and when they are looked at next: SQL, and a twin in memory.

A look is claimed before it is made, by moving it on: no two processes make the same one, and one
whose process died is made an interval later.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    RowMapping,
    bindparam,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from guardrails.refs import stamp
from guardrails.store import Transactions
from onboarding.store.ranking.tables import silent_person
from onboarding.types import Person

SOON: Final = timedelta(hours=1)
LATER: Final = timedelta(days=1)
"""Between looks: hours on the first day of silence, then days, as the hazard model has them."""
FORGOTTEN: Final = timedelta(days=90)
"""Of silence: nobody looks any more until they come back."""
MINUTE: Final = timedelta(minutes=1)
S = silent_person.c


@dataclass(frozen=True, slots=True)
class Silence:
    """`since` is their last event."""

    person: Person
    since: datetime
    due: datetime
    looked_at: datetime | None = None

    def heard(self, person: Person, at: datetime) -> Silence:
        """After an event of theirs; one that came late changes nothing."""
        since = max(self.since, at)
        due = since + SOON
        if self.looked_at is not None:
            due = max(due, self.looked_at + SOON)
        return replace(self, person=person, since=since, due=due)

    def looked(self, now: datetime) -> Silence | None:
        """None when that was the last look."""
        silent = now - self.since
        if silent >= FORGOTTEN:
            return None
        return replace(self, due=now + (SOON if silent < LATER else LATER), looked_at=now)


def begun(person: Person, at: datetime) -> Silence:
    return Silence(person, at, at + SOON)


@dataclass(frozen=True, slots=True)
class Pace:
    """Looks of one tenant: at most `at_once` in a claim, and `a_minute` over all processes."""

    at_once: int = 25
    a_minute: int = 300


class SilenceStore(Protocol):
    """Durable. Raises StoreUnavailableError from all."""

    async def heard(self, tenant: str, people: Mapping[Person, datetime]) -> None:
        """The newest event of each."""
        ...

    async def claim(self, tenant: str, now: datetime, pace: Pace) -> tuple[Silence, ...]:
        """Those who are due, the longest due first; each is the caller's to look at, once."""
        ...

    async def of(self, tenant: str, user: str) -> Silence | None: ...

    async def erase(self, tenant: str, user: str) -> int: ...


class MemorySilences:
    """The twin."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Silence] = {}

    async def heard(self, tenant: str, people: Mapping[Person, datetime]) -> None:
        for person, at in people.items():
            known = self._known.get((tenant, person.user))
            self._known[tenant, person.user] = (
                known.heard(person, at) if known else begun(person, at)
            )

    async def claim(self, tenant: str, now: datetime, pace: Pace) -> tuple[Silence, ...]:
        mine = [each for (of, _), each in self._known.items() if of == tenant]
        looked = [each.looked_at for each in mine if each.looked_at is not None]
        room = pace.a_minute - sum(now - MINUTE < at for at in looked)
        due = sorted((s for s in mine if s.due <= now), key=lambda s: (s.due, s.person.user))
        taken = due[: max(0, min(room, pace.at_once))]
        for each in taken:
            following = each.looked(now)
            if following is None:
                del self._known[tenant, each.person.user]
            else:
                self._known[tenant, each.person.user] = following
        return tuple(taken)

    async def of(self, tenant: str, user: str) -> Silence | None:
        return self._known.get((tenant, user))

    async def erase(self, tenant: str, user: str) -> int:
        return int(self._known.pop((tenant, user), None) is not None)


class SqlSilences:
    """Over the engine of `SqlNextSteps`."""

    def __init__(self, engine: Engine) -> None:
        self._transactions = Transactions(engine)

    async def heard(self, tenant: str, people: Mapping[Person, datetime]) -> None:
        if not people:
            return

        def work(connection: Connection) -> None:
            known = _taken(connection, tenant, [begun(p, at) for p, at in people.items()])
            _write(connection, [known[p.user].heard(p, at) for p, at in people.items()])

        await self._transactions.write(tenant, work)

    async def claim(self, tenant: str, now: datetime, pace: Pace) -> tuple[Silence, ...]:
        due = (S.tenant == tenant) & (S.due <= stamp(now))
        recent = (S.tenant == tenant) & (S.looked_at > stamp(now - MINUTE))

        def anybody(connection: Connection) -> bool:
            return connection.scalar(select(S.subject).where(due).limit(1)) is not None

        def work(connection: Connection) -> tuple[Silence, ...]:
            _alone(connection, tenant)
            counted = select(func.count()).select_from(silent_person).where(recent)
            room = min(pace.at_once, pace.a_minute - (connection.scalar(counted) or 0))
            first = select(silent_person).where(due).order_by(S.due, S.subject)
            rows = connection.execute(first.limit(max(0, room)).with_for_update()).mappings()
            taken = tuple(_silence(row) for row in rows)
            following = [each.looked(now) for each in taken]
            _write(connection, [each for each in following if each is not None])
            over = [t.person for t, left in zip(taken, following, strict=True) if left is None]
            for person in over:
                connection.execute(delete(silent_person).where(_own(tenant, person.user)))
            return taken

        if not await self._transactions.read(tenant, anybody):
            return ()
        return await self._transactions.write(tenant, work)

    async def of(self, tenant: str, user: str) -> Silence | None:
        wanted = select(silent_person).where(_own(tenant, user))
        row = await self._transactions.read(
            tenant, lambda c: c.execute(wanted).mappings().one_or_none()
        )
        return None if row is None else _silence(row)

    async def erase(self, tenant: str, user: str) -> int:
        gone = delete(silent_person).where(_own(tenant, user))
        return await self._transactions.write(tenant, lambda c: c.execute(gone).rowcount)


class PersonalSilences:
    """Silences as one of the places that keep something of a person."""

    name = "silences"

    def __init__(self, store: SilenceStore) -> None:
        self._store = store

    async def export(self, tenant: str, subject: str) -> AsyncIterator[str]:
        known = await self._store.of(tenant, subject)
        if known is not None:
            yield orjson.dumps({"kind": "silence", **_row(known)}).decode()

    async def erase(self, tenant: str, subject: str) -> int:
        return await self._store.erase(tenant, subject)

    async def residue(self, tenant: str, subject: str) -> int:
        return int(await self._store.of(tenant, subject) is not None)


def _own(tenant: str, user: str) -> ColumnElement[bool]:
    return (S.tenant == tenant) & (S.subject == user)


def _alone(connection: Connection, tenant: str) -> None:
    """Until the transaction ends nobody else claims of this tenant, so that the looks of a minute
    are counted right. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        taken = text("SELECT pg_advisory_xact_lock(hashtextextended(:who, 0))")
        connection.execute(taken, {"who": f"silences:{tenant}"})


def _taken(connection: Connection, tenant: str, wanted: Sequence[Silence]) -> dict[str, Silence]:
    """Rows of these people, made where there are none and locked in the order of their keys."""
    ordered = sorted(wanted, key=lambda each: each.person.user)
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    new = dialect.insert(silent_person).on_conflict_do_nothing()
    connection.execute(new, [_row(each) for each in ordered])
    users = [each.person.user for each in ordered]
    mine = select(silent_person).where(S.tenant == tenant, S.subject.in_(users))
    rows = connection.execute(mine.order_by(S.subject).with_for_update()).mappings()
    return {row["subject"]: _silence(row) for row in rows}


def _write(connection: Connection, silences: Sequence[Silence]) -> None:
    names = ("account", "since", "due", "looked_at")
    changed = (
        update(silent_person)
        .where(S.tenant == bindparam("of_tenant"), S.subject == bindparam("of_subject"))
        .values({name: bindparam(f"new_{name}") for name in names})
    )
    rows = [_row(each) for each in silences]
    told = [
        {
            "of_tenant": row["tenant"],
            "of_subject": row["subject"],
            **{f"new_{name}": row[name] for name in names},
        }
        for row in rows
    ]
    if told:
        connection.execute(changed, told)


def _row(silence: Silence) -> dict[str, Any]:
    return {
        "tenant": silence.person.tenant,
        "subject": silence.person.user,
        "account": silence.person.account,
        "since": stamp(silence.since),
        "due": stamp(silence.due),
        "looked_at": None if silence.looked_at is None else stamp(silence.looked_at),
    }


def _silence(row: RowMapping) -> Silence:
    looked = row["looked_at"]
    return Silence(
        Person(row["tenant"], row["subject"], row["account"]),
        datetime.fromisoformat(row["since"]),
        datetime.fromisoformat(row["due"]),
        None if looked is None else datetime.fromisoformat(looked),
    )
