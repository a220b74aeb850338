"""Progress in SQL: SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, Engine, and_, delete, func, or_, select, update

from guardrails.refs import stamp
from guardrails.revisions import migrate
from guardrails.store import Transactions
from onboarding.journeys import Done, Enrolment, GuideMark, Moved, Way
from onboarding.store.journeys.guide_rows import (
    G,
    forget_guides,
    guide_marks,
    hand_over_guides,
    note,
    of_person,
    old_marks,
)
from onboarding.store.journeys.locking import lock_person
from onboarding.store.journeys.merging import merged_records, next_entry, running_of
from onboarding.store.journeys.rows import (
    ACCOUNT,
    USER,
    done_of,
    done_row,
    enrolment_of,
    enrolment_row,
)
from onboarding.store.journeys.statements import (
    D,
    E,
    M,
    ended_at,
    enrolments,
    forget_ways,
    hand_over,
    inserting,
    old_ways,
    own_steps,
    put_done,
    records,
    rename_steps,
    steps_of,
    this_way,
    way_of,
    whole_person,
    write_records,
)
from onboarding.store.journeys.store import MOST_WAYS, Marks, Record
from onboarding.store.journeys.tables import (
    journey_done,
    journey_enrolment,
    journey_guide,
    journey_mode,
)
from onboarding.types import Mode

_UPGRADE_LOCK = 0x6A6F7572  # one process at a time makes the tables; any number serves


def upgrade(engine: Engine) -> None:
    """Bring the tables to the newest revision; nothing happens when they are there."""
    migrate(engine, "onboarding.store.journeys:migrations", _UPGRADE_LOCK)


class SqlProgress:
    """Over an engine whose tables `upgrade` has made."""

    def __init__(self, engine: Engine) -> None:
        self._transactions = Transactions(engine)

    async def enrol(self, wanted: Enrolment) -> Enrolment:
        person = wanted.person

        def work(connection: Connection) -> Enrolment:
            lock_person(connection, person.tenant, person.user)
            known = enrolments(connection, person.tenant, person.user)
            running = running_of(known, wanted.journey)
            if running is not None:
                return running
            new = replace(wanted, entry=next_entry(known, wanted.journey))
            connection.execute(journey_enrolment.insert().values(enrolment_row(new)))
            return new

        return await self._transactions.write(person.tenant, work)

    async def of(self, tenant: str, user: str) -> tuple[Enrolment, ...]:
        found = await self._transactions.read(tenant, lambda c: enrolments(c, tenant, user))
        return tuple(found)

    async def mark(self, enrolment: Enrolment, marks: Marks) -> Enrolment:
        tenant = enrolment.person.tenant
        given = {
            "reached_at": _stamped(marks.reached_at),
            "finished_at": _stamped(marks.finished_at),
            "left_at": _stamped(marks.left_at),
            "left_why": marks.left_why,
        }
        values = {name: func.coalesce(E[name], value) for name, value in given.items() if value}

        def work(connection: Connection) -> Enrolment:
            if values:
                connection.execute(
                    update(journey_enrolment).where(this_way(enrolment)).values(**values)
                )
            row = connection.execute(select(journey_enrolment).where(this_way(enrolment)))
            found = row.mappings().one_or_none()
            return enrolment_of(found) if found is not None else enrolment

        return await self._transactions.write(tenant, work)

    async def complete(self, enrolment: Enrolment, done: Sequence[Done]) -> None:
        rows = [done_row(enrolment, each) for each in done]
        if rows:
            await self._transactions.write(enrolment.person.tenant, lambda c: put_done(c, rows))

    async def done(self, enrolment: Enrolment) -> tuple[Done, ...]:
        wanted = select(journey_done).where(steps_of(enrolment)).order_by(D.step, D.owner_kind)
        rows = await self._transactions.read(
            enrolment.person.tenant, lambda c: c.execute(wanted).mappings().all()
        )
        return tuple(done_of(row) for row in rows)

    async def move(self, moved: Moved) -> bool:
        before, after = moved.before, moved.after
        tenant, user = before.person.tenant, before.person.user

        def work(connection: Connection) -> bool:
            lock_person(connection, tenant, user)
            running = E.finished_at.is_(None) & E.left_at.is_(None)
            there = this_way(before) & (E.version == before.version) & running
            changed = connection.execute(
                update(journey_enrolment).where(there).values(version=after.version)
            )
            if changed.rowcount != 1:
                return False
            rename_steps(connection, moved)
            return True

        return await self._transactions.write(tenant, work)

    async def mode(self, tenant: str, user: str) -> Mode | None:
        wanted = select(M.mode).where(M.tenant == tenant, M.subject == user)
        found = await self._transactions.read(tenant, lambda c: c.scalar(wanted))
        return Mode(found) if found is not None else None

    async def choose(self, tenant: str, user: str, mode: Mode, at: datetime) -> None:
        row = {"tenant": tenant, "subject": user, "mode": mode.value, "at": stamp(at)}

        def work(connection: Connection) -> None:
            new = inserting(connection)(journey_mode).values(row)
            newer = {"mode": new.excluded.mode, "at": new.excluded.at}
            connection.execute(
                new.on_conflict_do_update(
                    index_elements=[M.tenant, M.subject],
                    set_=newer,
                    where=M.at <= new.excluded.at,
                )
            )

        await self._transactions.write(tenant, work)

    async def guides(self, tenant: str, user: str) -> tuple[GuideMark, ...]:
        return await self._transactions.read(tenant, lambda c: guide_marks(c, tenant, user))

    async def note(self, tenant: str, user: str, mark: GuideMark) -> GuideMark:
        def work(connection: Connection) -> GuideMark:
            lock_person(connection, tenant, user)
            return note(connection, tenant, user, mark)

        return await self._transactions.write(tenant, work)

    async def merge(self, tenant: str, old: str, new: str) -> int:
        def work(connection: Connection) -> int:
            for user in sorted((old, new)):
                lock_person(connection, tenant, user)
            theirs = records(connection, tenant, old)
            mine = records(connection, tenant, new)
            who = whole_person(tenant, new, mine)
            hand_over(connection, tenant, old, new)
            hand_over_guides(connection, tenant, old, new)
            if theirs:
                forget_ways(connection, tenant, new)
                forget_ways(connection, tenant, old)
                write_records(connection, merged_records(mine, theirs, who))
            return len(theirs)

        return await self._transactions.write(tenant, work)

    async def running(self, tenant: str) -> Mapping[str, int]:
        wanted = (
            select(E.journey, E.version, func.count().label("people"))
            .where(E.tenant == tenant, E.finished_at.is_(None), E.left_at.is_(None))
            .group_by(E.journey, E.version)
            .order_by(E.journey, E.version)
        )
        rows = await self._transactions.read(tenant, lambda c: c.execute(wanted).all())
        return {f"{row.journey}@{row.version}": row.people for row in rows}

    async def ways(self, tenant: str, journey: str, limit: int = MOST_WAYS) -> tuple[Way, ...]:
        newest = (
            select(journey_enrolment)
            .where(E.tenant == tenant, E.journey == journey)
            .order_by(E.started_at.desc(), E.subject)
            .limit(limit)
        )

        def work(connection: Connection) -> tuple[Way, ...]:
            found = [enrolment_of(row) for row in connection.execute(newest).mappings()]
            return tuple(way_of(connection, each) for each in found)

        return await self._transactions.read(tenant, work)

    async def export(self, tenant: str, user: str) -> tuple[Record, ...]:
        return await self._transactions.read(tenant, lambda c: tuple(records(c, tenant, user)))

    async def erase(self, tenant: str, user: str) -> int:
        def work(connection: Connection) -> int:
            lock_person(connection, tenant, user)
            gone = forget_ways(connection, tenant, user) + forget_guides(connection, tenant, user)
            shared = (D.tenant == tenant) & (D.owner_kind == ACCOUNT) & (D.by == user)
            nobody = update(journey_done).where(shared).values(by=None, evidence="[]")
            gone += connection.execute(nobody).rowcount
            chosen = (M.tenant == tenant) & (M.subject == user)
            return gone + connection.execute(delete(journey_mode).where(chosen)).rowcount

        return await self._transactions.write(tenant, work)

    async def count(self, tenant: str, user: str) -> int:
        named = [
            select(func.count()).where(E.tenant == tenant, E.subject == user),
            select(func.count()).where(M.tenant == tenant, M.subject == user),
            select(func.count()).select_from(journey_guide).where(of_person(tenant, user)),
            select(func.count()).where(
                D.tenant == tenant,
                or_(and_(D.owner_kind == USER, D.owner == user), D.by == user),
            ),
        ]
        return await self._transactions.read(
            tenant, lambda c: sum(c.scalar(each) or 0 for each in named)
        )

    async def sweep(
        self, tenant: str, before: datetime, keep: frozenset[str], limit: int = 500
    ) -> int:
        oldest = select(journey_enrolment).where(old_ways(tenant, before, keep)).order_by(ended_at)
        unseen = select(G.subject, G.guide).where(old_marks(tenant, before, keep)).order_by(G.at)

        def work(connection: Connection) -> int:
            marks = connection.execute(unseen.limit(limit)).all()
            for user, guide in marks:
                gone = delete(journey_guide).where(of_person(tenant, user), G.guide == guide)
                connection.execute(gone)
            found = [enrolment_of(r) for r in connection.execute(oldest.limit(limit)).mappings()]
            for each in found:
                connection.execute(delete(journey_done).where(own_steps(each)))
                connection.execute(delete(journey_enrolment).where(this_way(each)))
            return len(found) + len(marks)

        return await self._transactions.write(tenant, work)

    async def due(self, tenant: str, before: datetime, keep: frozenset[str]) -> int:
        wanted = [
            select(func.count())
            .select_from(journey_enrolment)
            .where(old_ways(tenant, before, keep)),
            select(func.count()).select_from(journey_guide).where(old_marks(tenant, before, keep)),
        ]
        return await self._transactions.read(
            tenant, lambda c: sum(c.scalar(each) or 0 for each in wanted)
        )


def _stamped(at: datetime | None) -> str | None:
    return stamp(at) if at is not None else None
