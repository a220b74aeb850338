"""The statements of `progress_sql`, each on a connection of its caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from guardrails.refs import stamp
from onboarding.journeys import Enrolment, Moved, Way, merged, renamed
from onboarding.store.journeys.rows import (
    ACCOUNT,
    USER,
    done_of,
    done_row,
    enrolment_of,
    enrolment_row,
)
from onboarding.store.journeys.store import Record
from onboarding.store.journeys.tables import journey_done, journey_enrolment, journey_mode
from onboarding.types import Person, StepState

E, D, M = journey_enrolment.c, journey_done.c, journey_mode.c
ended_at = func.coalesce(E.finished_at, E.left_at, E.started_at)
_KEY = list(journey_done.primary_key.columns)


def inserting(connection: Connection) -> Any:
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert


def put_done(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """The first record stands; only what was left out gives way to what was done."""
    for row in rows:
        new = inserting(connection)(journey_done).values(row)
        over = {name: new.excluded[name] for name in ("action", "state", "at", "by", "evidence")}
        was = (D.state == StepState.SKIPPED.value) & (new.excluded.state == StepState.DONE.value)
        connection.execute(new.on_conflict_do_update(index_elements=_KEY, set_=over, where=was))


def this_way(enrolment: Enrolment) -> ColumnElement[bool]:
    person = enrolment.person
    return (
        (E.tenant == person.tenant)
        & (E.subject == person.user)
        & (E.journey == enrolment.journey)
        & (E.entry == enrolment.entry)
    )


def own_steps(enrolment: Enrolment) -> ColumnElement[bool]:
    person = enrolment.person
    return (
        (D.tenant == person.tenant)
        & (D.owner_kind == USER)
        & (D.owner == person.user)
        & (D.journey == enrolment.journey)
        & (D.entry == enrolment.entry)
    )


def steps_of(enrolment: Enrolment) -> ColumnElement[bool]:
    """The person's own, and what anybody of the account did."""
    person = enrolment.person
    if person.account is None:
        return own_steps(enrolment)
    shared = (D.owner_kind == ACCOUNT) & (D.owner == person.account)
    return (D.tenant == person.tenant) & or_(own_steps(enrolment), shared)


def old_ways(tenant: str, before: datetime, keep: frozenset[str]) -> ColumnElement[bool]:
    old = (E.tenant == tenant) & (ended_at < stamp(before))
    return old & E.subject.not_in(sorted(keep)) if keep else old


def enrolments(connection: Connection, tenant: str, user: str) -> list[Enrolment]:
    wanted = (
        select(journey_enrolment)
        .where(E.tenant == tenant, E.subject == user)
        .order_by(E.started_at, E.journey, E.entry)
    )
    return [enrolment_of(row) for row in connection.execute(wanted).mappings()]


def records(connection: Connection, tenant: str, user: str) -> list[Record]:
    """Steps of the account that the person did themselves are with the way they were done on."""
    found = []
    for enrolment in enrolments(connection, tenant, user):
        wanted = select(journey_done).where(own_steps(enrolment)).order_by(D.step)
        own = tuple(done_of(row) for row in connection.execute(wanted).mappings())
        found.append(Record(enrolment, own))
    return found


def way_of(connection: Connection, enrolment: Enrolment) -> Way:
    """By action; what a colleague did before this person began is no part of it."""
    wanted = select(D.action, D.at, D.by, D.owner_kind).where(
        steps_of(enrolment),
        D.state == StepState.DONE.value,
        D.at >= stamp(enrolment.started_at),
    )
    rows = connection.execute(wanted).all()
    user = enrolment.person.user
    return Way(
        enrolment.started_at,
        {row.action: datetime.fromisoformat(row.at) for row in rows},
        (enrolment.reached_at or enrolment.finished_at) is not None,
        frozenset(row.action for row in rows if row.owner_kind == USER or row.by == user),
    )


def rename_steps(connection: Connection, moved: Moved) -> None:
    """Read, taken out and put back whole, so that two steps may change their names crosswise."""
    own = own_steps(moved.before)
    rows = connection.execute(select(journey_done).where(own)).mappings().all()
    kept = merged(renamed([done_of(row) for row in rows], moved), ())
    connection.execute(delete(journey_done).where(own))
    put_done(connection, [done_row(moved.after, each) for each in kept])


def hand_over(connection: Connection, tenant: str, old: str, new: str) -> None:
    """What `old` did for the account was `new`; a choice of `old` counts where `new` has none."""
    shared = (D.tenant == tenant) & (D.owner_kind == ACCOUNT) & (D.by == old)
    connection.execute(update(journey_done).where(shared).values(by=new))
    theirs = (M.tenant == tenant) & (M.subject == old)
    row = connection.execute(select(journey_mode).where(theirs)).mappings().one_or_none()
    if row is not None:
        chosen = inserting(connection)(journey_mode).values({**row, "subject": new})
        connection.execute(chosen.on_conflict_do_nothing())
        connection.execute(delete(journey_mode).where(theirs))


def whole_person(tenant: str, user: str, mine: Sequence[Record]) -> Person:
    accounts = [record.enrolment.person.account for record in mine]
    return Person(tenant, user, next((each for each in accounts if each is not None), None))


def write_records(connection: Connection, records: Sequence[Record]) -> None:
    for record in records:
        row = enrolment_row(record.enrolment)
        connection.execute(journey_enrolment.insert().values(row))
        put_done(connection, [done_row(record.enrolment, each) for each in record.done])


def forget_ways(connection: Connection, tenant: str, user: str) -> int:
    """Enrolments and own steps; how many rows."""
    own = (D.tenant == tenant) & (D.owner_kind == USER) & (D.owner == user)
    ways = (E.tenant == tenant) & (E.subject == user)
    gone = connection.execute(delete(journey_done).where(own)).rowcount
    return gone + connection.execute(delete(journey_enrolment).where(ways)).rowcount
